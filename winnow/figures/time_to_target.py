"""What it takes every arm to reach the targets: gradients of images, multiply-adds and seconds.

A median counts a seed that never got there as infinite: it is drawn where more than half of the seeds reached the
target. The numbers at the right say how many did.
"""

from __future__ import annotations

import textwrap

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _arms as shared
from winnow.figures import _labels as labels
from winnow.figures import _style as style

TABLES = ("time_to_target",)
LINE = 0.145  # inches per arm
AROUND = 0.6  # inches of a row of panels beside its arms
SHIFT = 0.17  # of a target from the middle of an arm's line
TICKS = 0.15  # between ticks, of the logarithmic range
COLUMN = 20  # points, of the numbers at the right
WIDTH = 150  # characters of the line that names the arms that reached nothing


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """A row per scenario (of many: the first), a panel per measure, the cheapest arm on top."""
    table = tables["time_to_target"]
    if table.empty:
        return style.nothing("no targets, or no final runs")
    targets = style.ordered(table["target"])
    shown = shared.scenarios(table)
    rows = {name: table[table["scenario"] == name] for name in shown}
    orders = {name: _order(mine, targets) for name, mine in rows.items()}
    heights = [LINE * max(len(order), 2) + AROUND for order in orders.values()]
    figure = Figure(figsize=(style.PAGE, sum(heights) + 0.45), layout="constrained")
    axes = figure.subplots(
        len(shown), len(shared.MEASURES), squeeze=False, sharex="col", sharey="row", height_ratios=heights
    )
    missed = []
    for line, (name, mine) in zip(axes, rows.items(), strict=True):
        for axis, (measure, text) in zip(line, shared.MEASURES.items(), strict=True):
            _panel(axis, mine, orders[name], targets, measure)
            axis.set_xlabel(text)
        line[0].set_ylabel("arm")
        line[0].set_title(shared.scenario_label(name), loc="left")
        _counts(line[-1], mine, orders[name], targets)
        if never := [arm for arm in style.ordered(mine["arm"]) if arm not in orders[name]]:
            seeds = mine["seed"].nunique()
            names = ", ".join(map(shared.label, never))
            missed.append(f"{shared.scenario_label(name)}, no target reached with any of {seeds} seeds: {names}")
    if missed:
        text = "\n".join(textwrap.fill(one, WIDTH) for one in missed)
        figure.supxlabel(text, fontsize=6.5, color=style.GREY, x=0.01, ha="left")
    entries = [
        style.handle(f"median to {100 * target:g} %", **_look(i), linestyle="") for i, target in enumerate(targets)
    ]
    entries.append(style.handle("a seed", marker=".", linestyle="", alpha=0.5))
    style.legend(figure, entries)
    return figure


def _look(i: int) -> dict[str, str]:
    return {"colour": style.COLOURS[i % len(style.COLOURS)], "marker": style.MARKERS[i % len(style.MARKERS)]}


def _medians(mine: pandas.DataFrame, measure: str) -> pandas.Series:
    """By arm and target, with infinity for seeds that never reached it."""
    costs = mine.assign(cost=mine[measure].astype(float).fillna(np.inf))
    medians: pandas.Series = costs.groupby(["arm", "target"])["cost"].median()
    return medians


def _order(mine: pandas.DataFrame, targets: list[float]) -> list[str]:
    """The arms of which a seed reached a target, those first whose median takes the fewest gradients."""
    medians = _medians(mine, "sample_gradients")
    reached = mine[mine["epoch"].notna()].groupby(["arm", "target"]).size()
    found = [arm for arm in style.ordered(mine["arm"]) if any((arm, target) in reached for target in targets)]
    return sorted(
        found,
        key=lambda arm: [(medians[arm, target], -reached.get((arm, target), 0)) for target in targets],
    )


def _place(i: int, targets: list[float]) -> float:
    return SHIFT * (2 * i - (len(targets) - 1))


def _panel(axis: Axes, mine: pandas.DataFrame, order: list[str], targets: list[float], measure: str) -> None:
    axis.set_ylim(max(len(order), 2) - 0.4, -0.6)
    axis.set_yticks(range(len(order)), [shared.label(arm) for arm in order])
    axis.tick_params(axis="y", length=0)
    if not order:
        style.say(axis, "no run reached a target")
        return
    medians = _medians(mine, measure)
    for i, target in enumerate(targets):
        looks = _look(i)
        for place, arm in enumerate(order):
            seeds = mine.loc[(mine["arm"] == arm) & (mine["target"] == target), measure].dropna()
            at = place + _place(i, targets)
            axis.plot(
                seeds, [at] * len(seeds), ".", color=looks["colour"], markersize=3.5, alpha=0.5, markeredgewidth=0
            )
            if np.isfinite(medians[arm, target]):
                axis.plot(medians[arm, target], at, looks["marker"], color=looks["colour"], markersize=3.8, zorder=3)
    labels.log_axis(axis, TICKS, least=4)


def _counts(axis: Axes, mine: pandas.DataFrame, order: list[str], targets: list[float]) -> None:
    """How many seeds reached each target, right of the axes."""
    counts = {key: (lanes.count(), len(lanes)) for key, lanes in mine.groupby(["arm", "target"])["epoch"]}
    for i, target in enumerate(targets):
        colour = _look(i)["colour"]
        for place, arm in enumerate(order):
            count, size = counts[arm, target]
            axis.annotate(
                f"{count}/{size}", (1, place), (4 + COLUMN * i, 0), xycoords=axis.get_yaxis_transform(),
                textcoords="offset points", va="center", color=colour, fontsize=6.5, annotation_clip=False,
            )  # fmt: skip
