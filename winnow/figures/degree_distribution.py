"""In- and out-degrees of the units of the sparsest tickets, against edges placed at random."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from winnow.figures import _style as style

TABLES = ("nodes",)
DIRECTIONS = (("in_degree", "in-degree (incoming edges)"), ("out_degree", "out-degree (outgoing edges)"))
BINS = 24


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Columns: recurrent layers; rows: direction. Seeds are pooled. Dotted: binomial with the same mean."""
    table = style.last_round(tables["nodes"])
    table = table[table["part"] != "whole"]
    if table.empty:
        return style.nothing("no pruned networks")
    arms, parts = style.ordered(table["arm"]), style.ordered(table["part"])
    width = style.PAGE if len(parts) > 1 else style.COLUMN
    figure, axes = style.panels(2, len(parts), width, 1.85, sharex="row", sharey="row")
    for row, (column, text) in zip(axes, DIRECTIONS, strict=True):
        edges = integer_bins(table[column].to_numpy())
        for axis, part in zip(row, parts, strict=True):
            for arm in arms:
                units = table[(table["arm"] == arm) & (table["part"] == part)]
                _distribution(axis, units, column, edges, style.colours(arms)[arm])
            axis.set_xlabel(text)
        row[0].set_ylabel("share of units, %")
    for axis, part in zip(axes[0], parts, strict=True):
        axis.set_title(style.part_label(part))
    percent = 100 * table["density"].iloc[0]
    entries = [style.handle(f"{style.label(arm)}, {percent:.3g} % kept", style.colours(arms)[arm]) for arm in arms]
    style.legend(figure, [*entries, style.handle("edges at random (binomial)", linestyle=":")])
    return figure


def integer_bins(values: np.ndarray) -> np.ndarray:
    """About BINS bins of equal whole width that cover whole numbers."""
    low, high = int(values.min()), int(values.max())
    step = max(1, -(-(high - low + 1) // BINS))
    return np.arange(low, high + step + 1, step) - 0.5


def _distribution(axis: Axes, units: pandas.DataFrame, column: str, edges: np.ndarray, colour: str) -> None:
    if units.empty:
        return
    counts, _ = np.histogram(units[column], edges)
    axis.stairs(100 * counts / len(units), edges, color=colour, linewidth=1.2)
    # A random directed graph of n units: each of n - 1 possible edges with equal probability.
    n = units.groupby("seed").size().max()
    random = stats.binom(n - 1, min(1.0, units[column].mean() / max(n - 1, 1)))
    middle = (edges[1:] + edges[:-1]) / 2
    axis.plot(middle, 100 * np.diff(random.cdf(edges)), ":", color=colour, linewidth=1)
