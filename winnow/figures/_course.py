"""The course of a sweep: every trial's accuracy and the best one so far, against what `x` measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from winnow.figures import _style as style
from winnow.figures import _trials as look

BEST = "#000000"


def draw(trials: pandas.DataFrame, x: str, text: str) -> Figure:
    """One panel per sweep, with the same axis of accuracies. x: a column, in ascending order that of the course."""
    if trials.empty:
        return style.nothing("no trials")
    sweeps = style.ordered(trials["sweep"])
    colours = style.colours(sweeps)
    low, high = look.ends(trials["validation_accuracy"].dropna())
    figure, axes = style.grid(len(sweeps), 2.4, sharey=True)
    for axis, sweep in zip(axes, sweeps, strict=True):
        mine = trials[trials["sweep"] == sweep].sort_values([x, "trial"], kind="stable")
        look.accuracy_axis(axis, low, high)
        _panel(axis, mine, x, colours[sweep])
        best = mine.loc[mine["state"] == "complete", "validation_accuracy"].max()
        axis.set_title(look.title(sweep, mine) + (f", best {100 * best:.2f} %" if best == best else ""), loc="left")
        axis.set_xlabel(text)
    for axis in axes[:: style.ACROSS]:
        axis.set_ylabel(look.ACCURACY)
    grey: dict[str, Any] = {"linestyle": "", "markersize": 3}
    entries = [style.handle("a trial", marker="o", **grey), style.handle("best so far", BEST)]
    if (trials["state"] == "pruned").any():
        entries.insert(1, style.handle("stopped early", marker="o", markerfacecolor="white", **grey))
    if (trials["state"] == "diverged").any():
        entries.append(style.handle("diverged", marker="x", linestyle="", markersize=4))
    style.legend(figure, entries, 4 if len(sweeps) > 1 else 2)
    return figure


def _panel(axis: Axes, mine: pandas.DataFrame, x: str, colour: str) -> None:
    alive = mine.dropna(subset=["validation_accuracy"])
    size = 3.2 if len(alive) < 100 else 2.2
    for pruned, face in ((False, colour), (True, "white")):
        some = alive[(alive["state"] == "pruned") == pruned]
        look_of: dict[str, Any] = {"color": colour, "markerfacecolor": face, "markersize": size, "alpha": 0.6}
        axis.plot(some[x], 100 * some["validation_accuracy"], "o", markeredgewidth=0.5, **look_of)
    end = float(mine[x].max())
    counted = alive[alive["state"] != "pruned"]
    if len(counted):
        best = 100 * counted["validation_accuracy"].cummax()
        axis.step([*counted[x], end], [*best, best.iloc[-1]], where="post", color=BEST, linewidth=1.2, zorder=4)
    lost = mine.loc[mine["validation_accuracy"].isna(), x]
    if len(lost):  # an empty line outside the axes would take part in the layout
        transform = axis.get_xaxis_transform()
        axis.plot(lost, np.full(len(lost), 0.02), "x", color=colour, markersize=4, transform=transform, clip_on=False)
    axis.set_xlim(left=0)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
