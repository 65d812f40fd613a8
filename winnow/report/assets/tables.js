"use strict";
// Tables: sorted by a click on a head, filtered with their study, downloaded with all digits.

function valueOf(cell) {
  return cell.dataset.value ?? cell.textContent;
}

function sortable(details, filters, study) {
  const table = details.querySelector("table");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.dataset.column);
  const rows = [...body.rows];
  heads.forEach((head, i) => {
    const button = element("button", { type: "button" }, null, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const numbers = rows.every((row) => !Number.isNaN(Number(valueOf(row.cells[i]))));
      const compare = (a, b) => {
        const [left, right] = [valueOf(a.cells[i]), valueOf(b.cells[i])];
        if (!left || !right) return (left ? 0 : 1) - (right ? 0 : 1); // empty cells last, either way
        return (down ? -1 : 1) * (numbers ? Number(left) - Number(right) : left.localeCompare(right));
      };
      body.append(...[...rows].sort(compare));
    });
  });
  const watched = ["arm", "recipe", "density"].filter((name) => names.includes(name));
  const filter = () => {
    for (const row of rows) {
      const values = watched.map((name) => {
        const text = valueOf(row.cells[names.indexOf(name)]);
        return [name, name === "density" ? (text ? Number(text) : null) : text];
      });
      row.hidden = !filters.keeps(Object.fromEntries(values));
    }
    const hidden = rows.filter((row) => row.hidden).length;
    details.querySelector(".left").textContent = hidden ? `(${hidden} left out by the filters)` : "";
  };
  filters.listeners.push(filter);
  const text = () => csv(names, rows.map((row) => [...row.cells].map(valueOf)));
  download(details.querySelector(".download"), study + "_" + details.dataset.table, text);
}
