"""How fast and how well tickets learn: early-stop iteration and accuracies against density, one row per arm.

The comparison of Frankle & Carbin (2019, arXiv 1803.03635, figures 1, 4 and 5): winning tickets against the same masks
reinitialised and against random masks. Bars reach from the smallest to the largest value over seeds, as there.
"""

from __future__ import annotations

import pandas
from matplotlib.figure import Figure

from winnow.figures import _marks as marks
from winnow.figures import _style as style

TABLES = ("early_stop",)
STEP = 0.012  # between recipes at the same density, as a share of it
COLUMNS = (
    ("early_stop_iteration", "early-stop iteration", 1.0),
    ("test_accuracy", "test accuracy at early stop, %", 100.0),
    ("last_test_accuracy", "test accuracy at the end, %", 100.0),
)


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Left: early-stop iteration. Middle and right: test accuracy there and at the end of training."""
    table = tables["early_stop"].assign(percent=lambda rows: 100 * rows["density"])
    shown = [column for column in COLUMNS if table[column[0]].notna().any()]
    if not shown:
        return style.nothing("no trained runs")
    arms = style.ordered(table["arm"])
    recipes = [recipe for recipe in style.ordered(table["recipe"]) if recipe != "dense"] or ["dense"]
    colours = style.colours(recipes)
    width = style.PAGE if len(shown) > 1 else style.COLUMN
    figure, axes = style.panels(len(arms), len(shown), width, 2.1)
    for line, arm in zip(axes, arms, strict=True):
        mine = table[table["arm"] == arm]
        for axis, (column, text, scale) in zip(line, shown, strict=True):
            for i, recipe in enumerate(recipes):
                rows = marks.from_dense(mine, recipe, i == 0)
                dodge = 1 + STEP * (i - (len(recipes) - 1) / 2)
                marker, colour = style.MARKERS[i % len(style.MARKERS)], colours[recipe]
                marks.spread(
                    axis, rows, "percent", column, colour, marker=marker, scale=scale, dodge=dodge, bars="range"
                )
            dead = mine.loc[mine["diverged_step"].notna(), "percent"]
            marks.crosses(axis, sorted(set(dead)), style.GREY)
            marks.density_axis(axis, table["density"])
            axis.set_ylabel(text)
            axis.set_title(style.label(arm))
        line[0].set_ylim(bottom=0) if shown[0][0] == "early_stop_iteration" else None
    entries = [
        style.handle(style.label(recipe), colours[recipe], marker=style.MARKERS[i % len(style.MARKERS)])
        for i, recipe in enumerate(recipes)
    ]
    style.legend(figure, entries, 3)
    return figure
