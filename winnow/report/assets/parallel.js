"use strict";
// Parallel coordinates. A brush per axis, drawn with the pointer or moved with keys, keeps the rows that cross all of them.

class Parallel {
  constructor(figure, chart) {
    Object.assign(this, { figure, chart });
    this.plot = figure.querySelector(".plot");
    this.all = records(chart.data);
    this.chosen = {};
    const controls = figure.querySelector(".controls");
    for (const column of chart.choose) {
      const values = distinct(this.all.map((row) => row[column]));
      this.chosen[column] = values[0];
      if (values.length > 1)
        select(controls, words(column), values, values[0], (value) => {
          this.chosen[column] = value;
          this.draw();
        });
    }
    element("button", { type: "button" }, controls, "Clear brushes").addEventListener("click", () => {
      this.brushes = {};
      this.update();
    });
    this.status = element("p", { role: "status", class: "status" }, null, "");
    this.plot.after(this.status);
    this.best = element("ol", { class: "best" });
    this.status.after(this.best);
  }

  // Place of each value on an axis, 0 (bottom) to 1: names and few values evenly, others by size.
  axis(name, rows) {
    const values = distinct(rows.map((row) => row[name]));
    const numbers = values.every((value) => typeof value === "number");
    if (numbers) values.sort((a, b) => a - b);
    else values.sort();
    if (!numbers || values.length <= 8) {
      const place = (value) => (values.length > 1 ? 0.04 + (0.92 * values.indexOf(value)) / (values.length - 1) : 0.5);
      return { place, ticks: values.map((value) => [place(value), shown(value)]) };
    }
    const [low, high] = [values[0], values.at(-1)];
    const log = low > 0 && high / low > 50;
    const turn = log ? Math.log : (value) => value;
    const place = (value) => (turn(value) - turn(low)) / (turn(high) - turn(low));
    return { place, ticks: ticks(low, high, log, 6).map((value) => [place(value), tickText(value)]) };
  }

  draw() {
    const { chart, plot } = this;
    const rows = this.all.filter((row) => Object.entries(this.chosen).every(([name, value]) => row[name] === value));
    const names = chart.axes.filter((name) => distinct(rows.map((row) => row[name])).length > 1);
    this.brushes = {};
    const width = Math.max(plot.clientWidth, 92 * names.length);
    const [height, top, bottom, side] = [380, 40, 366, 40];
    plot.replaceChildren();
    const root = svg("svg", { width, height, role: "group", "aria-label": `${chart.title}: ${rows.length} lines. ${chart.caption}` }, plot);
    this.axes = names.map((name, i) => ({
      name,
      ...this.axis(name, rows),
      x: side + (i * (width - 2.4 * side)) / Math.max(1, names.length - 1),
    }));
    const y = (share) => bottom - share * (bottom - top);
    const goal = chart.axes.at(-1);
    const sorted = rows.map((row) => row[goal]).sort((a, b) => a - b);
    const lines = svg("g", {}, root);
    this.lines = rows
      .map((row, i) => {
        const places = this.axes.map((axis) => axis.place(row[axis.name]));
        // Lines through the same value are a little apart, always in the same way.
        const shift = ((i * 0.618) % 1) * 8 - 4;
        const path = this.axes.map((axis, k) => `${k ? "L" : "M"}${axis.x} ${y(places[k]) + (axis.name === goal ? 0 : shift)}`);
        const rank = sorted.length > 1 ? sorted.indexOf(row[goal]) / (sorted.length - 1) : 1;
        return { row, places, path: path.join(""), rank };
      })
      .sort((a, b) => a.rank - b.rank);
    for (const line of this.lines)
      line.element = svg("path", { class: "trial", d: line.path, style: `stroke: color-mix(in oklab, var(--high) ${Math.round(100 * line.rank)}%, var(--low))` }, lines);
    for (const axis of this.axes) this.strip(root, axis, y, top, bottom);
    this.update();
  }

  strip(root, axis, y, top, bottom) {
    svg("line", { class: "axis", x1: axis.x, x2: axis.x, y1: top, y2: bottom }, root);
    svg("text", { class: "name", x: axis.x, y: 16, "text-anchor": "middle" }, root, words(axis.name).replace("validation accuracy", "accuracy"));
    for (const [share, text] of axis.ticks)
      svg("text", { class: "tick", x: axis.x + 5, y: y(share) + 4 }, root, text);
    axis.mark = svg("rect", { class: "brush", x: axis.x - 9, width: 18, y: 0, height: 0 }, root);
    const label = `${words(axis.name)}: arrow keys move the brush, with Shift its size, Escape clears it`;
    const strip = svg("rect", { class: "strip", x: axis.x - 16, y: top - 10, width: 32, height: bottom - top + 20, tabindex: 0, role: "slider", "aria-label": label, "data-axis": axis.name }, root);
    axis.strip = strip;
    axis.y = y;
    const share = (event) => {
      const at = event.clientY - root.getBoundingClientRect().top;
      return Math.max(0, Math.min(1, (bottom - at) / (bottom - top)));
    };
    let from = null;
    strip.addEventListener("pointerdown", (event) => {
      from = share(event);
      strip.setPointerCapture(event.pointerId);
    });
    strip.addEventListener("pointermove", (event) => from !== null && this.brush(axis.name, [from, share(event)].sort((a, b) => a - b)));
    strip.addEventListener("pointerup", (event) => {
      if (Math.abs(share(event) - from) < 0.01) this.brush(axis.name, null);
      from = null;
    });
    strip.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return this.brush(axis.name, null);
      const step = { ArrowUp: 0.04, ArrowDown: -0.04 }[event.key];
      if (!step) return;
      event.preventDefault();
      const [low, high] = this.brushes[axis.name] ?? [0.8, 1];
      if (!this.brushes[axis.name]) return this.brush(axis.name, [low, high]);
      if (event.shiftKey) return this.brush(axis.name, [Math.max(0, Math.min(high - 0.02, low - step)), high]);
      const move = Math.max(-low, Math.min(1 - high, step));
      this.brush(axis.name, [low + move, high + move]);
    });
  }

  brush(name, range) {
    if (range) this.brushes[name] = range;
    else delete this.brushes[name];
    this.update();
  }

  update() {
    const at = this.axes.map((axis) => this.brushes[axis.name]);
    this.axes.forEach((axis, i) => {
      const range = at[i];
      axis.mark.setAttribute("y", range ? axis.y(range[1]) : 0);
      axis.mark.setAttribute("height", range ? axis.y(range[0]) - axis.y(range[1]) : 0);
      axis.strip.setAttribute("aria-valuenow", range ? Math.round(50 * (range[0] + range[1])) : 50);
      axis.strip.setAttribute("aria-valuetext", range ? `${Math.round(100 * range[0])} to ${Math.round(100 * range[1])} % of the axis` : "no brush");
    });
    const kept = [];
    for (const line of this.lines) {
      const inside = at.every((range, i) => !range || (line.places[i] >= range[0] && line.places[i] <= range[1]));
      line.element.classList.toggle("off", !inside);
      if (inside) kept.push(line.row);
    }
    const goal = this.chart.axes.at(-1);
    kept.sort((a, b) => b[goal] - a[goal]);
    this.status.textContent = `${kept.length} of ${this.lines.length} lines` + (kept.length ? `, ${words(goal)} ${shown(kept.at(-1)[goal], 100)} to ${shown(kept[0][goal], 100)} %; the best of them:` : ".");
    const text = (row) => `${shown(row[goal], 100)} %: ` + this.axes.filter((axis) => axis.name !== goal).map((axis) => `${words(axis.name)} ${shown(row[axis.name])}`).join(", ");
    this.best.replaceChildren(...kept.slice(0, 5).map((row) => element("li", {}, null, text(row))));
  }
}
