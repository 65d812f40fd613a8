"use strict";
// One bar of filters per study: what it leaves out, all its charts and tables leave out.

class Filters {
  constructor(study, form, names) {
    this.off = Object.fromEntries(names.map((name) => [name, new Set()]));
    this.listeners = [];
    this.values = {}; // of each name in all charts, so that an arm has the same colour in all of them
    const rows = Object.values(study.charts).flatMap((chart) => records(chart.data));
    for (const name of names) {
      const values = (this.values[name] = distinct(rows.map((row) => row[name] ?? null)));
      if (values.length > 1) this.boxes(form, name, values);
    }
    this.densities = distinct(rows.map((row) => row.density ?? null)).sort((a, b) => a - b);
    this.low = this.densities[0];
    this.high = this.densities.at(-1);
    if (names.length && this.densities.length > 1) this.range(form);
    form.hidden = !form.children.length;
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  boxes(form, name, values) {
    const field = element("fieldset", {}, form);
    element("legend", {}, field, words(name));
    const boxes = values.map((value) => {
      const label = element("label", {}, field);
      const box = element("input", { type: "checkbox", name, value }, label);
      box.checked = true;
      label.append(value);
      box.addEventListener("change", () => {
        this.off[name][box.checked ? "delete" : "add"](value);
        this.changed();
      });
      return box;
    });
    if (values.length < 6) return;
    for (const [text, checked] of [["all", true], ["none", false]]) {
      element("button", { type: "button" }, field, text).addEventListener("click", () => {
        for (const box of boxes) box.checked = checked;
        this.off[name] = new Set(checked ? [] : values);
        this.changed();
      });
    }
  }

  range(form) {
    const field = element("fieldset", {}, form);
    element("legend", {}, field, "density");
    const last = this.densities.length - 1;
    const sliders = ["from", "to"].map((text, i) => {
      const label = element("label", {}, field, text + " ");
      const slider = element("input", { type: "range", name: "density_" + text, min: 0, max: last, step: 1 }, label);
      slider.value = i ? last : 0;
      const output = element("output", {}, label);
      slider.addEventListener("input", () => update());
      return [slider, output];
    });
    const say = () => sliders.forEach(([slider, output]) => {
      output.textContent = Number((100 * this.densities[slider.value]).toPrecision(3)) + " %";
      slider.setAttribute("aria-valuetext", output.textContent);
    });
    const update = () => {
      const ends = sliders.map(([slider]) => this.densities[slider.value]);
      [this.low, this.high] = [Math.min(...ends), Math.max(...ends)];
      say();
      this.changed();
    };
    say();
  }

  changed() {
    for (const listener of this.listeners) listener();
  }

  // Whether a row, an object of columns, is shown.
  keeps(row) {
    for (const [name, off] of Object.entries(this.off)) if (row[name] !== undefined && off.has(row[name])) return false;
    return row.density === undefined || row.density === null || (row.density >= this.low && row.density <= this.high);
  }
}
