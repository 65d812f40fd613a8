"""How much the learning rate matters: validation accuracy against it, of all trials and finalists of every arm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from winnow.figures import _arms as shared
from winnow.figures import _labels as labels
from winnow.figures import _style as style
from winnow.figures import _trials as look

TABLES = ("tuning",)
ACROSS = 6
TRIAL, CHOSEN = style.COLOURS[0], style.COLOURS[1]
REACH = 0.25  # of accuracy, below the best: worse trials are at the lower edge
TICKS = 0.3, 0.13  # between ticks, of the axes of rates and of accuracies


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """A panel per arm, the best on top; of many scenarios the first. Accuracies by the logarithm of the error."""
    table = tables["tuning"]
    if table.empty:
        return style.nothing("no trials")
    table = table.assign(rate=table["lr"].astype(float))
    panels = []
    for scenario in shared.scenarios(table):
        mine = table[table["scenario"] == scenario]
        best = mine[mine["chosen"]].groupby("arm")["validation_accuracy"].max()
        arms = sorted(style.ordered(mine["arm"]), key=lambda arm: -best.get(arm, 0.0))
        panels += [(arm, mine[mine["arm"] == arm], scenario) for arm in arms]
    columns = min(len(panels), ACROSS)
    rows = -(-len(panels) // columns)
    figure, axes = style.panels(rows, columns, style.PAGE if columns > 2 else style.COLUMN, 1.3, sharey=True)
    known = table["validation_accuracy"].dropna()
    low, high = look.ends(known[known >= known.max() - REACH])
    several = table["scenario"].nunique() <= shared.FEW and len({scenario for *_, scenario in panels}) > 1
    for axis, (arm, mine, scenario) in zip(axes.flat, panels, strict=False):
        look.accuracy_axis(axis, low, high)
        axis.yaxis.set_major_locator(FixedLocator(look.ticks(low, high, TICKS[1])))
        _panel(axis, mine)
        title = shared.label(arm) + (f"\n{shared.scenario_label(scenario)}" if several else "")
        axis.set_title(title, loc="left", fontsize=7)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    figure.supxlabel("learning rate", fontsize=7.5)
    for line in axes:
        line[0].set_ylabel("validation\naccuracy, %")
    dot = {"linestyle": "", "markersize": 3.5}
    entries = [
        style.handle("trial", TRIAL, marker="o", markerfacecolor="white", **dot),
        style.handle("finalist, trained to the end", TRIAL, marker="o", **dot),
        style.handle("the chosen one", CHOSEN, marker="D", **dot),
    ]
    if 100 * known.min() < low:
        entries.append(style.handle(f"below {low:.0f} %", TRIAL, marker="v", markerfacecolor="white", **dot))
    if table["validation_accuracy"].isna().any():
        entries.append(style.handle("diverged", style.GREY, marker="x", **dot))
    style.legend(figure, entries)
    return figure


def _panel(axis: Axes, mine: pandas.DataFrame) -> None:
    low, high = float(mine["rate"].min()), float(mine["rate"].max())
    margin = (high / low) ** 0.08 if high > 3 * low else 3.0
    axis.set_xlim(low / margin, high * margin)
    labels.log_axis(axis, TICKS[0])
    bottom = axis.get_ylim()[0] / 100
    inside, edge = mine[mine["validation_accuracy"] >= bottom], axis.get_xaxis_transform()
    look_of: dict[str, Any] = {"color": TRIAL, "markersize": 3, "markeredgewidth": 0.7}
    finalist = inside["stage"] == "finalist"
    for rows, face in ((inside[~finalist], "white"), (inside[finalist & ~inside["chosen"]], TRIAL)):
        axis.plot(rows["rate"], 100 * rows["validation_accuracy"], "o", markerfacecolor=face, **look_of)
    chosen = inside[inside["chosen"]]
    axis.plot(chosen["rate"], 100 * chosen["validation_accuracy"], "D", color=CHOSEN, markersize=3.5, zorder=3)
    for row in mine[mine["validation_accuracy"] < bottom].to_dict("records"):
        colours = {"color": CHOSEN} if row["chosen"] else {"markerfacecolor": "white"}
        axis.plot(row["rate"], 0.05, "v", transform=edge, clip_on=False, **look_of | colours)
    lost = mine.loc[mine["validation_accuracy"].isna(), "rate"]
    if len(lost):
        dead: dict[str, Any] = {"color": style.GREY, "markersize": 3.5, "clip_on": False}
        axis.plot(lost, np.full(len(lost), 0.05), "x", transform=edge, **dead)
