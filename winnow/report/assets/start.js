"use strict";
// Everything drawn once, then again when a filter, the width or the theme changes.
theme();
for (const section of document.querySelectorAll("section.study")) {
  const name = section.dataset.study;
  const study = DATA[name];
  if (!study) continue;
  const filters = new Filters(study, section.querySelector("[data-filters]"), study.filters);
  for (const figure of section.querySelectorAll("figure.chart")) {
    const chart = study.charts[figure.dataset.chart];
    const drawn = chart.kind === "Parallel" ? new Parallel(figure, chart) : new Chart(figure, chart, filters);
    drawn.draw();
    let width = figure.clientWidth;
    new ResizeObserver(() => {
      if (figure.clientWidth !== width) {
        width = figure.clientWidth;
        drawn.draw();
      }
    }).observe(figure);
    download(figure.querySelector(".download"), name + "_" + figure.dataset.chart, () => csv(chart.data.columns, chart.data.rows));
  }
  const masks = section.querySelector("figure.masks");
  if (masks) new Masks(masks, study.masks);
  for (const details of section.querySelectorAll("details.table")) sortable(details, filters, name);
}
addEventListener("keydown", (event) => event.key === "Escape" && hush());
addEventListener("scroll", hush, { passive: true });
document.documentElement.dataset.ready = "yes";
