"use strict";
// The mask explorer: two arms side by side, what both keep, and a grid of layers and rounds to choose from.

class Masks {
  constructor(figure, data) {
    Object.assign(this, { figure, data });
    this.plot = figure.querySelector(".plot");
    this.cells = data.maps.map((map) => Uint8Array.from(atob(map.data), (letter) => letter.charCodeAt(0)));
    const arms = distinct(data.entries.map((entry) => entry.arm));
    const pair = data.pairs[0];
    this.at = { a: pair ? pair.a : arms[0], b: pair ? pair.b : arms[1] ?? null };
    this.choose();
    document.addEventListener("theme", () => this.draw());
    addEventListener("beforeprint", () => this.draw());
  }

  of(arm) {
    const { recipe, tensor, round } = this.at;
    return this.data.entries.find((e) => e.arm === arm && e.recipe === recipe && e.tensor === tensor && e.round === round);
  }

  // Controls offer what the choices before them leave; then everything is drawn.
  choose(focus = null) {
    const controls = this.figure.querySelector(".controls");
    controls.replaceChildren();
    const { entries } = this.data;
    const at = this.at;
    const offer = (name, label, values) => {
      if (!values.includes(at[name])) at[name] = values[0] ?? null;
      if (values.length > 1)
        select(controls, label, values, at[name], (value) => {
          at[name] = value;
          this.choose(label);
        }, (value) => (value === null ? "none" : String(value)));
    };
    const arms = distinct(entries.map((entry) => entry.arm));
    offer("a", "arm", arms);
    offer("b", "beside", [...arms.filter((arm) => arm !== at.a), null]);
    const mine = entries.filter((entry) => entry.arm === at.a);
    const recipes = distinct(mine.map((entry) => entry.recipe));
    const rounds = (recipe) => distinct(mine.filter((e) => e.recipe === recipe).map((e) => e.round)).length;
    if (!at.recipe) at.recipe = recipes.reduce((best, recipe) => (rounds(recipe) > rounds(best) ? recipe : best), recipes[0]);
    offer("recipe", "recipe", recipes);
    this.tensors = distinct(mine.filter((e) => e.recipe === at.recipe).map((e) => e.tensor));
    offer("tensor", "layer", this.tensors);
    this.rounds = distinct(mine.filter((e) => e.recipe === at.recipe && e.tensor === at.tensor).map((e) => e.round)).sort((a, b) => a - b);
    if (!this.rounds.includes(at.round)) at.round = this.rounds[0];
    const label = element("label", {}, controls, "round ");
    const slider = element("input", { type: "range", name: "round", min: 0, max: this.rounds.length - 1, step: 1 }, label);
    slider.value = this.rounds.indexOf(at.round);
    slider.disabled = this.rounds.length < 2;
    const output = element("output", {}, label, String(at.round));
    slider.addEventListener("input", () => {
      at.round = this.rounds[slider.value];
      output.textContent = String(at.round);
      slider.setAttribute("aria-valuetext", "round " + at.round);
      this.draw();
    });
    this.slider = slider;
    this.output = output;
    this.draw();
    if (focus) controls.querySelector(`[name="${focus}"]`)?.focus();
  }

  draw() {
    const { a, b, recipe, tensor, round } = this.at;
    this.plot.replaceChildren();
    const outer = element("div", { class: "pair" }, this.plot);
    const pair = this.data.pairs.find((p) => [p.a, p.b].includes(a) && [p.a, p.b].includes(b) && p.recipe === recipe && p.tensor === tensor && p.round === round);
    // One scale of shades for all that is side by side, up to the fullest block: thin masks would be blank otherwise.
    const numbers = [this.of(a), b !== null && this.of(b), pair].filter(Boolean).map((item) => item.map);
    this.most = numbers.reduce((best, number) => this.cells[number].reduce((most, cell) => Math.max(most, cell), best), 1);
    for (const arm of [a, b]) if (arm !== null) this.panel(outer, arm, this.of(arm));
    if (pair) {
      const text = `kept by both: ${pair.both} of the ${pair.either} weights that either keeps, ${shown(pair.both / pair.either, 100)} %`;
      this.picture(outer, `${pair.a} and ${pair.b}`, text, pair.map);
    } else if (b !== null) element("p", { class: "note" }, outer, "No overlap: these two have no mask of the same shape, recipe and round.");
    element("p", { class: "scale" }, this.plot, `Shades go from 0 to ${Math.round(this.most / 2.55)} % of a block kept, alike in all pictures above.`);
    const grids = element("div", { class: "grids" }, this.plot);
    for (const arm of [a, b]) if (arm !== null) this.grid(grids, arm);
  }

  panel(parent, arm, entry) {
    if (!entry) return element("p", { class: "note" }, parent, `${arm} has no mask of this recipe, layer and round.`);
    const share = shown(entry.kept / entry.total, 100);
    this.picture(parent, arm, `keeps ${entry.kept} of ${entry.total} weights, ${share} % (${entry.shape.join(" x ")}, seed ${entry.seed})`, entry.map);
  }

  picture(parent, title, text, number) {
    const outer = element("div", {}, parent);
    element("h4", {}, outer, title);
    const { rows, columns } = this.data.maps[number];
    const label = `Mask of ${title}, ${this.at.recipe}, ${this.at.tensor}, round ${this.at.round}: ${text}`;
    const canvas = element("canvas", { width: columns, height: rows, role: "img", "aria-label": label }, outer);
    const [low, high] = ["--paper", "--high"].map((name) => this.colour(name));
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    this.cells[number].forEach((cell, i) => {
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = low[k] + ((high[k] - low[k]) * cell) / this.most;
      image.data[4 * i + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    element("p", {}, outer, text);
  }

  colour(name) {
    const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
    const hex = value.length === 3 ? [...value].map((digit) => digit + digit).join("") : value;
    return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }

  grid(parent, arm) {
    const outer = element("div", { class: "scroll" }, parent);
    const table = element("table", {}, outer);
    element("caption", {}, table, `${arm}: kept weights of each layer and round, %`);
    const head = element("tr", {}, element("thead", {}, table));
    element("th", {}, head, "round");
    for (const round of this.rounds) element("th", { scope: "col" }, head, String(round));
    const body = element("tbody", {}, table);
    for (const tensor of this.tensors) {
      const row = element("tr", {}, body);
      element("th", { scope: "row" }, row, tensor.replace(".weight", ""));
      for (const round of this.rounds) {
        const cell = element("td", {}, row);
        const entry = this.data.entries.find((e) => e.arm === arm && e.recipe === this.at.recipe && e.tensor === tensor && e.round === round);
        if (!entry) continue;
        const share = entry.kept / entry.total;
        const here = tensor === this.at.tensor && round === this.at.round;
        const style = `background: color-mix(in oklab, var(--high) ${Math.round(70 * share)}%, var(--paper)); color: ${share > 0.55 ? "var(--paper)" : "var(--ink)"}`;
        const button = element("button", { type: "button", "aria-pressed": here, "aria-label": `${arm}, ${tensor}, round ${round}: ${shown(share, 100)} %`, style }, cell, (100 * share).toFixed(1));
        button.addEventListener("click", () => {
          Object.assign(this.at, { tensor, round });
          this.choose();
          this.figure.querySelector('.grids [aria-pressed="true"]')?.focus();
        });
      }
    }
  }
}
