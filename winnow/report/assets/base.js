"use strict";
// What all parts share: the data, elements, numbers as text, downloads, the tip, light and dark.
const DATA = JSON.parse(document.getElementById("data").textContent);
const COLOURS = 8;
const TIP = document.getElementById("tip");

function element(name, attributes = {}, parent = null, text = null) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function svg(name, attributes = {}, parent = null, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

// Rows as objects, from {columns, rows}.
function records(data) {
  return data.rows.map((row) => Object.fromEntries(data.columns.map((column, i) => [column, row[i]])));
}

function distinct(values) {
  return [...new Set(values)].filter((value) => value !== null);
}

function shown(value, factor = 1) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  const scaled = factor * value;
  if (factor === 100) return String(Number(scaled.toFixed(2)));
  return Number.isInteger(scaled) ? String(scaled) : String(Number(scaled.toPrecision(4)));
}

function words(name) {
  return name.replaceAll("_", " ");
}

function csv(columns, rows) {
  const cell = (value) => {
    const text = value === null ? "" : String(value);
    return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

function download(button, name, text) {
  button.hidden = false;
  button.setAttribute("aria-label", "Download the data of " + name + " as CSV");
  button.addEventListener("click", () => {
    const link = element("a", { href: URL.createObjectURL(new Blob([text()], { type: "text/csv" })), download: name + ".csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

function tell(lines, x, y) {
  TIP.replaceChildren(...lines.map((line) => element("div", {}, null, line)));
  TIP.hidden = false;
  const box = TIP.getBoundingClientRect();
  TIP.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 4)) + "px";
  TIP.style.top = Math.max(4, y + 14 + box.height > innerHeight ? y - box.height - 10 : y + 14) + "px";
}

function hush() {
  TIP.hidden = true;
}

// A labelled <select>; `chosen` is called with the new value.
function select(parent, label, values, value, chosen, text = String) {
  const outer = element("label", {}, parent, label + " ");
  const made = element("select", { name: label }, outer);
  for (const option of values) element("option", { value: String(option) }, made, text(option));
  made.value = String(value);
  made.addEventListener("change", () => chosen(values[made.selectedIndex]));
  return made;
}

function theme() {
  const button = document.getElementById("theme");
  const dark = () =>
    document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => (button.textContent = dark() ? "Light" : "Dark");
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    name();
    document.dispatchEvent(new Event("theme"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    name();
    document.dispatchEvent(new Event("theme"));
  });
  name();
}
