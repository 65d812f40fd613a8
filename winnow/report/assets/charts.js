"use strict";
// Points and lines, with intervals, over numbers or names. One instance per figure; draw() draws it anew.
const DASHES = ["", "7 4", "2 4", "9 4 2 4", "12 4", "4 2", "1 3", "9 3 2 3 2 3"];
const SHAPES = 7;

// A symbol of about radius r around (0, 0), by number; every second round of them is hollow.
function shape(i, r) {
  const points = (...list) => "M" + list.map(([x, y]) => r * x + " " + r * y).join("L") + "Z";
  const shapes = [
    `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
    points([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]),
    points([0, -1.2], [1.1, 0.8], [-1.1, 0.8]),
    points([0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]),
    points([0, 1.2], [1.1, -0.8], [-1.1, -0.8]),
    points([-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4],
      [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]),
    points([-1.2, 0], [0.8, -1.1], [0.8, 1.1]),
  ];
  return shapes[i % SHAPES];
}

// Round numbers between two ends: about `wanted` of them.
function ticks(low, high, log, wanted) {
  const found = [];
  if (log) {
    for (const leads of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]]) {
      found.length = 0;
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
        for (const lead of leads) {
          const value = Number((lead * 10 ** power).toPrecision(6));
          if (value >= low && value <= high) found.push(value);
        }
      if (found.length >= 3) break;
    }
    const step = Math.ceil(found.length / wanted);
    return found.filter((_, i) => i % step === 0);
  }
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((lead) => lead * power >= rough * 0.999) * power;
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function tickText(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential().replace("e+", "e") : String(value);
}

// Pixels that a text takes in a chart.
function textWidth(text) {
  const context = (textWidth.context ??= document.createElement("canvas").getContext("2d"));
  context.font = "12px " + getComputedStyle(document.body).fontFamily;
  return context.measureText(text).width;
}

class Chart {
  constructor(figure, chart, filters) {
    Object.assign(this, { figure, chart, filters });
    this.plot = figure.querySelector(".plot");
    this.all = records(chart.data).filter((row) => row[chart.x.field] !== null && row[chart.y.field] !== null);
    const values = (name) => filters.values[name] ?? distinct(this.all.map((row) => row[name]));
    this.colours = values(chart.colour);
    this.dashes = chart.dash ? values(chart.dash) : [];
    this.chosen = {};
    this.choices();
    filters.listeners.push(() => this.draw());
  }

  colour(value) {
    const { first } = this.chart;
    const i = first.length ? first.indexOf(value) : this.colours.indexOf(value);
    return i < 0 ? "var(--grey)" : `var(--c${i % COLOURS})`;
  }

  // One <select> per column of `choose`; each offers what the ones before it leave.
  choices() {
    const controls = this.figure.querySelector(".controls");
    controls.replaceChildren();
    this.left = this.all;
    for (const column of this.chart.choose) {
      const values = distinct(this.left.map((row) => row[column]));
      if (!values.includes(this.chosen[column])) this.chosen[column] = values[0];
      if (values.length > 1)
        select(controls, words(column), values, this.chosen[column], (value) => {
          this.chosen[column] = value;
          this.choices();
          this.draw();
          controls.querySelector(`[name="${words(column)}"]`)?.focus();
        }, (value) => (typeof value === "string" ? words(value) : shown(value)));
      this.left = this.left.filter((row) => row[column] === this.chosen[column]);
    }
  }

  // {low, high, at(value) in pixels} of a numeric axis for these rows.
  scale(axis, spread, rows, from, to) {
    const log = axis.scale === "log";
    const values = rows.map((row) => axis.factor * row[axis.field]).filter((value) => !log || value > 0);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (spread && this.chart.robust && values.length >= 8) {
      const sorted = [...values].sort((a, b) => a - b);
      const [first, third] = [0.25, 0.75].map((share) => sorted[Math.round(share * (sorted.length - 1))]);
      [low, high] = [Math.max(low, first - 3 * (third - first)), Math.min(high, third + 3 * (third - first))];
    }
    if (spread && this.chart.low) {
      // Wide intervals are cut at three quarters of the range of the means: their numbers stand in the tip.
      const room = low === high ? Infinity : 0.75 * (high - low);
      const ends = (name) => rows.map((row) => row[name]).filter((value) => value !== null).map((value) => axis.factor * value);
      low = Math.max(low - room, Math.min(low, ...ends(this.chart.low)));
      high = Math.min(high + room, Math.max(high, ...ends(this.chart.high)));
    }
    if (spread && this.chart.zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    const gap = low === high ? Math.abs(low) * 0.05 || 1 : 0.04 * (high - low);
    [low, high] = log ? [low / (high / low || 1) ** 0.04 / (low === high ? 1.2 : 1), high * (high / low) ** 0.04 * (low === high ? 1.2 : 1)] : [low - gap, high + gap];
    const turn = log ? Math.log : (value) => value;
    const inside = (value) => Math.min(high, Math.max(low, value));
    const at = (value) => from + ((turn(value) - turn(low)) / (turn(high) - turn(low))) * (to - from);
    return { low, high, log, at, inside };
  }

  draw() {
    const { chart, plot } = this;
    hush();
    const rows = this.left.filter((row) => this.filters.keeps(row));
    plot.replaceChildren();
    this.legend(rows);
    this.points = [];
    if (!rows.length) {
      element("p", { class: "empty" }, plot, this.all.length ? "Nothing is left: loosen the filters." : "There is no data for this chart.");
      return;
    }
    const named = chart.y.scale === "names";
    const names = named ? distinct(rows.map((row) => String(row[chart.y.field]))) : [];
    const width = Math.max(260, plot.clientWidth);
    const longest = Math.max(0, ...names.map(textWidth));
    const above = named && longest > 0.4 * width; // long names stand over their line
    const left = named ? (above ? 10 : longest + 16) : 58;
    const height = named ? names.length * (above ? 42 : 25) + 56 : Math.round(Math.min(380, Math.max(250, 0.6 * width)));
    const [right, top, bottom] = [width - 14, 8, height - 44];
    const x = this.scale(chart.x, chart.spread === "x", rows, left, right);
    const y = named ? null : this.scale(chart.y, chart.spread === "y", rows, bottom, top);
    const row = (bottom - top) / Math.max(1, names.length);
    const hueCount = new Set(rows.map((r) => r[chart.colour])).size;
    const hues = distinct(rows.map((r) => r[chart.colour]));
    const dodge = (r) => (names.length && hueCount > 1 && rows.length > names.length ? (hues.indexOf(r[chart.colour]) - (hueCount - 1) / 2) * Math.min(7, (0.5 * row) / hueCount) : 0);
    const place = (r) => (named ? top + (names.indexOf(String(r[chart.y.field])) + (above ? 0.7 : 0.5)) * row + dodge(r) : y.at(y.inside(chart.y.factor * r[chart.y.field])));

    const text = `${chart.title}: ${rows.length} points. ${chart.caption} Arrow keys go from point to point.`;
    const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "group", "aria-label": text }, plot);
    this.frame(root, { x, y, left, right, top, bottom, names, row, above, width, height });
    const inside = svg("g", {}, root);
    const id = "clip" + Math.random().toString(36).slice(2);
    const clip = svg("clipPath", { id }, svg("defs", {}, root));
    svg("rect", { x: left - 8, y: top - 8, width: right - left + 16, height: bottom - top + 16 }, clip);
    inside.setAttribute("clip-path", `url(#${id})`);

    const series = new Map();
    for (const r of rows) {
      if (x.log && !(r[chart.x.field] > 0)) continue;
      const key = JSON.stringify([r[chart.colour], chart.dash && r[chart.dash], chart.by && r[chart.by]]);
      if (!series.has(key)) series.set(key, []);
      series.get(key).push({ row: r, px: x.at(x.inside(chart.x.factor * r[chart.x.field])), py: place(r) });
    }
    // Grey series first, so that coloured ones lie on top.
    const ordered = [...series.values()].sort((a, b) => (this.colour(a[0].row[chart.colour]) === "var(--grey)" ? 0 : 1) - (this.colour(b[0].row[chart.colour]) === "var(--grey)" ? 0 : 1));
    // Intervals at the same place stand a little beside each other.
    if (chart.low && !named)
      ordered.forEach((points, i) => points.forEach((p) => (p.px += (i - (ordered.length - 1) / 2) * Math.min(4, 24 / ordered.length))));
    for (const points of ordered) this.series(inside, points, { x, y });
    this.here = svg("path", { class: "here", d: shape(0, 8), visibility: "hidden" }, root);
    this.listen(root);
  }

  frame(root, { x, y, left, right, top, bottom, names, row, above, width, height }) {
    for (const value of ticks(x.low, x.high, x.log, Math.max(3, Math.floor((right - left) / 70)))) {
      svg("line", { class: "grid", x1: x.at(value), x2: x.at(value), y1: top, y2: bottom }, root);
      svg("text", { x: x.at(value), y: bottom + 16, "text-anchor": "middle" }, root, tickText(value));
    }
    svg("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" }, root, this.chart.x.label);
    names.forEach((name, i) => {
      const at = top + (i + (above ? 0.7 : 0.5)) * row;
      svg("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }, root);
      const share = width / (textWidth(name) + 24);
      const short = share < 1 ? name.slice(0, Math.floor(share * name.length) - 1) + "…" : name;
      const place = above ? { x: left, y: at - 0.3 * row } : { x: left - 8, y: at + 4, "text-anchor": "end" };
      svg("text", { class: "name", ...place }, root, short);
    });
    if (y) {
      for (const value of ticks(y.low, y.high, y.log, 6)) {
        svg("line", { class: "grid", x1: left, x2: right, y1: y.at(value), y2: y.at(value) }, root);
        svg("text", { x: left - 6, y: y.at(value) + 4, "text-anchor": "end" }, root, tickText(value));
      }
      const middle = (top + bottom) / 2;
      svg("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, root, this.chart.y.label);
      if (this.chart.zero) svg("line", { class: "zero", x1: left, x2: right, y1: y.at(0), y2: y.at(0) }, root);
    } else if (this.chart.zero) svg("line", { class: "zero", x1: x.at(0), x2: x.at(0), y1: top, y2: bottom }, root);
  }

  series(parent, points, { x, y }) {
    const { chart } = this;
    const colour = this.colour(points[0].row[chart.colour]);
    const dash = Math.max(0, this.dashes.indexOf(points[0].row[chart.dash]));
    const group = svg("g", { class: "series", stroke: colour }, parent);
    points.sort((a, b) => a.px - b.px);
    if (chart.lines && points.length > 1) {
      const path = points.map((p, i) => (i === 0 ? `M${p.px} ${p.py}` : chart.steps ? `H${p.px}V${p.py}` : `L${p.px} ${p.py}`));
      svg("path", { d: path.join(""), "stroke-dasharray": DASHES[dash % DASHES.length] }, group);
    }
    const small = points.length > 40 || this.all.length > 400;
    for (const point of points) {
      const [low, high] = chart.low ? [point.row[chart.low], point.row[chart.high]] : [null, null];
      if (low !== null && high !== null) {
        const along = chart.spread === "x" ? x : y;
        const factor = chart.spread === "x" ? chart.x.factor : chart.y.factor;
        const ends = [along.at(factor * low), along.at(factor * high)];
        const d = chart.spread === "x" ? `M${ends[0]} ${point.py}H${ends[1]}` : `M${point.px} ${ends[0]}V${ends[1]}`;
        svg("path", { class: "interval", d, "stroke-width": 1.2 }, group);
      }
      const [axis, scale] = chart.spread === "x" ? [chart.x, x] : [chart.y, y];
      const value = scale && axis.factor * point.row[axis.field];
      const hollow = Math.floor(dash / SHAPES) % 2 || (scale && scale.inside(value) !== value);
      svg("path", { class: "points", d: shape(dash, small ? 2.6 : 4), transform: `translate(${point.px} ${point.py})`, fill: hollow ? "var(--panel)" : colour }, group);
      this.points.push({ ...point, group });
    }
  }

  legend(rows) {
    const legend = this.figure.querySelector(".legend");
    legend.replaceChildren();
    const { chart } = this;
    const entry = (text, colour, dash) => {
      const outer = element("span", {}, legend);
      const mark = svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, outer);
      const group = svg("g", { class: "series", stroke: colour }, mark);
      if (chart.lines) svg("path", { d: "M0 6H26", "stroke-dasharray": DASHES[Math.max(0, dash) % DASHES.length] }, group);
      svg("path", { d: shape(Math.max(0, dash), 4), transform: "translate(13 6)", fill: colour }, group);
      outer.append(text);
    };
    const present = new Set(rows.map((row) => row[chart.colour]));
    const list = chart.first.length ? chart.first.filter((name) => present.has(name)) : this.colours.filter((name) => present.has(name));
    if (list.length > 1 && chart.colour !== chart.y.field) for (const name of list) entry(name, this.colour(name), -1);
    if (chart.first.length && chart.colour !== chart.y.field && present.size > list.length) entry("others", "var(--grey)", -1);
    const dashes = distinct(rows.map((row) => (chart.dash ? row[chart.dash] : null)));
    if (dashes.length > 1) for (const name of dashes) entry(name, "var(--quiet)", this.dashes.indexOf(name));
  }

  // The nearest point to the pointer, or the one that arrow keys have reached, tells its row.
  listen(root) {
    root.addEventListener("pointermove", (event) => {
      const box = root.getBoundingClientRect();
      const [px, py] = [event.clientX - box.left, event.clientY - box.top];
      let [best, distance] = [null, 40];
      for (const point of this.points) {
        const away = Math.hypot(point.px - px, point.py - py);
        if (away < distance) [best, distance] = [point, away];
      }
      this.show(best, event.clientX, event.clientY);
    });
    root.addEventListener("pointerleave", () => this.show(null));
    root.addEventListener("blur", () => this.show(null));
    let at = -1;
    root.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      if (event.key === "Escape") return this.show(null);
      if (!steps[event.key]) return;
      event.preventDefault();
      at = (at + steps[event.key] + this.points.length) % this.points.length;
      const box = root.getBoundingClientRect();
      this.show(this.points[at], box.left + this.points[at].px, box.top + this.points[at].py);
    });
  }

  show(point, x, y) {
    for (const other of this.points) other.group.classList.toggle("faded", point !== null && other.group !== point.group);
    this.here?.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) return hush();
    this.here.setAttribute("transform", `translate(${point.px} ${point.py})`);
    tell(this.lines(point.row), x, y);
  }

  lines(row) {
    const { chart } = this;
    const told = [chart.x, chart.y].filter((axis) => axis.scale !== "names");
    const own = new Set([...told.map((axis) => axis.field), chart.low, chart.high]);
    const interval = chart.low && row[chart.low] !== null;
    const spread = chart.spread === "x" ? chart.x : chart.y;
    const lines = told.map((axis) => {
      const ends = interval && axis === spread ? ` [${shown(row[chart.low], axis.factor)}, ${shown(row[chart.high], axis.factor)}]` : "";
      return `${axis.label}: ${shown(row[axis.field], axis.factor)}${ends}`;
    });
    const rest = Object.entries(row).filter(([name, value]) => !own.has(name) && value !== null);
    return [...rest.slice(0, 3), ["", null], ...rest.slice(3)].flatMap(([name, value]) => (name ? [`${words(name)}: ${shown(value)}`] : lines));
  }
}
