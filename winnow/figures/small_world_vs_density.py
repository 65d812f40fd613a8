"""Clustering, path length and small-world sigma against density, beside their null models."""

from __future__ import annotations

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _marks as marks
from winnow.figures import _style as style

TABLES = ("graph",)
MEASURES = (
    ("clustering", "average clustering"),
    ("path_length", "average path length, steps"),
    ("sigma", "small-world sigma, by null model"),
)
NULLS = {
    "edges": ("same number of edges", ":"),
    "degrees": ("same degrees", "--"),
    "layers": ("same density per layer", "-."),
}
BAND = 0.15  # opacity


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Rows: recurrent layers and the whole network; columns: measures. Lines without markers: means of null models,
    with a band of one standard deviation of their draws; for sigma the line tells the null model it is relative to."""
    table = tables["graph"]
    recipe = style.main_recipe(table)
    table = table[(table["recipe"] == recipe) & table["measure"].isin([name for name, _ in MEASURES])]
    if table.empty:
        return style.nothing("no graph measures")
    table = table.assign(percent=100 * table["density"], null=table["null"].fillna(""))
    arms, parts = style.ordered(table["arm"]), style.ordered(table["part"])
    figure, axes = style.panels(len(parts), len(MEASURES), style.PAGE, 1.5, sharex=True)
    for row, part in zip(axes, parts, strict=True):
        for axis, (measure, text) in zip(row, MEASURES, strict=True):
            mine = table[(table["part"] == part) & (table["measure"] == measure)]
            for arm in arms:
                _arm(axis, mine[mine["arm"] == arm], measure, style.colours(arms)[arm], style.markers(arms)[arm])
            if measure == "sigma":
                axis.axhline(1, color=style.GREY, linewidth=0.8)
            if mine.empty:
                style.say(axis, "not measured")
            if part == parts[0]:
                axis.set_title(text)
            marks.density_axis(axis, table["density"], marks.KEPT if part == parts[-1] else "")
        row[0].set_ylabel(style.part_label(part))
    used = [null for null in NULLS if (table["null"] == null).any()]
    entries = style.arm_handles(arms) + [style.handle(f"null: {NULLS[n][0]}", linestyle=NULLS[n][1]) for n in used]
    if table["null_sd"].notna().any():
        entries.append(style.handle("null: ± 1 sd of its draws", linewidth=6, alpha=BAND))
    style.legend(figure, entries, 4)
    return figure


def _arm(axis: Axes, rows: pandas.DataFrame, measure: str, colour: str, marker: str) -> None:
    if measure == "sigma":
        for null, lines in rows.groupby("null", sort=False):
            line = NULLS.get(str(null), ("", "-"))[1]
            filled = null != "degrees"
            marks.spread(axis, lines, "percent", "value", colour, marker=marker, line=line, filled=filled)
        return
    # The measured value stands beside every null model: take it once per seed.
    once = rows.drop_duplicates(["round", "seed"])
    marks.spread(axis, once, "percent", "value", colour, marker=marker)
    for null, (_, line) in NULLS.items():
        means = rows[rows["null"] == null].groupby("percent")[["null_mean", "null_sd"]].mean()
        if len(means) == 1:  # a line needs two ends
            means = pandas.concat([means.rename(lambda at: 0.9 * at), means.rename(lambda at: 1.1 * at)])
        axis.plot(means.index, means["null_mean"], color=colour, linestyle=line, linewidth=0.9)
        low, high = means["null_mean"] - means["null_sd"], means["null_mean"] + means["null_sd"]
        axis.fill_between(means.index, low, high, color=colour, alpha=BAND, linewidth=0)
