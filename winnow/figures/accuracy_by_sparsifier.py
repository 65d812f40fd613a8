"""What thinning costs: final test accuracy against density, by the method that thins, arm by arm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from winnow.figures import _arms as shared
from winnow.figures import _marks as marks
from winnow.figures import _style as style
from winnow.figures import _trials as look
from winnow.statistics import estimate

TABLES = ("final_runs", "outcomes")
DENSE = ("test_accuracy", "test_accuracy_ci95_low", "test_accuracy_ci95_high")
STEP = 0.1  # between methods at the same density, as a share of it


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """A panel per arm that was thinned; the horizontal line is the arm's mean in the first dense scenario."""
    lanes = tables["final_runs"].assign(percent=lambda rows: 100 * rows["density"])
    sparse = lanes[lanes["sparsifier"].notna()]
    if sparse.empty:
        return style.nothing("no sparse scenario")
    outcomes = tables["outcomes"]
    dense = outcomes[outcomes["sparsifier"].isna()]
    thinned = set(sparse["arm"])
    arms = [arm for arm in shared.Arms(outcomes).ranked if arm in thinned]
    methods = style.ordered(sparse["sparsifier"])
    figure, axes = style.grid(len(arms), 2.2)
    for axis, arm in zip(axes, arms, strict=True):
        mine = sparse[sparse["arm"] == arm]
        whole = 100 * dense[(dense["arm"] == arm) & dense["test_accuracy"].notna()].head(1)[[*DENSE]]
        low, high = look.ends([*mine["test_accuracy"].dropna(), *whole["test_accuracy"] / 100, *_bars(mine)])
        look.accuracy_axis(axis, low, high)
        axis.yaxis.set_major_locator(FixedLocator(_ticks(low, high)))
        _panel(axis, mine, methods)
        for mean, *ends in whole.itertuples(index=False):
            axis.axhline(mean, color=style.GREY, linestyle=":", zorder=1)
            if all(map(np.isfinite, ends)):
                axis.axhspan(*ends, color=style.GREY, alpha=0.12, linewidth=0)
        named = (f", dense {mean:.2f} %" for mean in whole["test_accuracy"])
        axis.set_title("".join([shared.label(arm), *named]), loc="left")
        marks.density_axis(axis, sparse["density"], across=len(arms))
        left, right = axis.get_xlim()
        axis.set_xlim(left * (1 + STEP * len(methods) / 2), right / (1 + STEP * len(methods) / 2))
    for axis in axes[:: style.ACROSS]:
        axis.set_ylabel("test accuracy at the end, %")
    colours, markers = style.colours(methods), style.markers(methods)
    entries = [
        style.handle(shared.SPARSIFIERS.get(name, style.label(name)), colours[name], marker=markers[name])
        for name in methods
    ]
    entries.append(style.handle("the same arm, dense, 95 % interval", linestyle=":"))
    style.legend(figure, entries, 3 if len(arms) > 1 else 1)
    return figure


def _bars(mine: pandas.DataFrame) -> list[float]:
    """Ends of the bars; not those over two seeds, which can be wide enough to flatten all else."""
    groups = [
        group.tolist()
        for _, group in mine.dropna(subset="test_accuracy").groupby(["sparsifier", "percent"])["test_accuracy"]
    ]
    found = [estimate(values) for values in groups if len(values) > 2]
    return [end for one in found for end in (one.low, one.high) if end is not None and 0 < end < 1]


def _ticks(low: float, high: float) -> list[float]:
    """Whole percentages, the highest first, where they have room."""
    span = float(look.place(high) - look.place(low))
    kept: list[float] = []
    for one in range(int(high), int(low), -1):
        if not kept or float(look.place(kept[-1]) - look.place(one)) > 0.1 * span:
            kept.append(float(one))
    return kept if len(kept) > 1 else look.ticks(low, high)


def _panel(axis: Axes, mine: pandas.DataFrame, methods: list[str]) -> None:
    colours, markers = style.colours(methods), style.markers(methods)
    for i, name in enumerate(methods):
        rows = mine[mine["sparsifier"] == name]
        alive = rows[rows["diverged_step"].isna()]
        dodge = 1 + STEP * (i - (len(methods) - 1) / 2)
        at: dict[str, Any] = {"marker": markers[name], "scale": 100, "dodge": dodge}
        marks.spread(axis, alive, "percent", "test_accuracy", colours[name], **at)
        lost = sorted(set(rows.loc[rows["diverged_step"].notna(), "percent"] * dodge))
        marks.crosses(axis, lost, colours[name])
