"""Test accuracy, test loss and training loss against epoch: the best arms, the reference and the starter in colour."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from winnow.figures import _arms as shared
from winnow.figures import _style as style
from winnow.figures import _trials as look

TABLES = ("course", "final_runs", "outcomes")
BELOW = 8.0  # points of accuracy shown below the worst of the arms in colour
COLUMNS = {
    "test_accuracy": "test accuracy, %",
    "test_loss": "test loss, nats",
    "train_loss": "training loss, nats",
}


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """A row per scenario (of many: the first). Lines: means over the seeds that did not diverge, bands: all of them."""
    course = tables["course"]
    if course.empty:
        return style.nothing("no final runs")
    lanes = shared.alive(course, tables["final_runs"])
    shown = shared.scenarios(course)
    arms = shared.Arms(tables["outcomes"])
    figure, axes = style.panels(len(shown), len(COLUMNS), style.PAGE, 2.5)
    for row, scenario in zip(axes, shown, strict=True):
        mine = lanes[lanes["scenario"] == scenario]
        for axis, column in zip(row, COLUMNS, strict=True):
            _panel(axis, mine, arms, column)
        row[0].set_title(shared.scenario_label(scenario), loc="left")
    looks = arms.looks(arms.chosen)
    entries = [
        style.handle(arms.text(arm), looks[arm]["color"], linestyle=looks[arm]["linestyle"]) for arm in arms.chosen
    ]
    if len(arms.ranked) > len(arms.chosen):
        entries.append(style.handle("further arms", shared.PALE, linewidth=0.8))
    entries.append(style.handle("mean over seeds; band: smallest to largest"))
    style.legend(figure, entries, 4)
    return figure


def _panel(axis: Axes, mine: pandas.DataFrame, arms: shared.Arms, column: str) -> None:
    accuracy = column == "test_accuracy"
    axis.set_ylabel(COLUMNS[column])
    axis.set_xlabel("epoch")
    if not mine[column].notna().any():
        style.say(axis, "every run diverged")
        return
    looks, ends = arms.looks(arms.chosen), []
    for arm in reversed(style.ordered([*arms.chosen, *arms.ranked])):  # the best are drawn last
        seeds = mine[mine["arm"] == arm].pivot_table(index="epoch", columns="seed", values=column)
        if seeds.empty:
            continue
        seeds = seeds * (100 if accuracy else 1)
        mean = seeds.mean(axis=1)
        marker = "." if len(mean) == 1 else ""
        if arm not in arms.chosen:
            axis.plot(mean.index, mean, color=shared.PALE, linewidth=0.7, marker=marker, zorder=1)
            continue
        axis.plot(mean.index, mean, linewidth=1.3, marker=marker, zorder=3, **looks[arm])
        axis.fill_between(
            seeds.index, seeds.min(axis=1), seeds.max(axis=1), color=looks[arm]["color"], alpha=0.15, lw=0
        )
        ends.append(float(mean.iloc[-1]))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlim(right=float(mine["epoch"].max()))
    if accuracy:
        look.accuracy_axis(axis, max(0.0, min(ends, default=90.0) - BELOW), look.ends(mine[column])[1])
    else:
        _log(axis, mine[column])


def _log(axis: Axes, losses: pandas.Series) -> None:
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    positive = losses[losses > 0]
    low, high = float(positive.min()), float(positive.max())
    axis.set_ylim(low / 1.08, float(np.maximum(high, low * 1.2)) * 1.05)
