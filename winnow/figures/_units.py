"""Distributions over the units of the sparsest tickets, shared by the figures of nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from winnow.figures import _style as style

Reference = Callable[[Axes, pandas.DataFrame, str, np.ndarray, str], None]


def draw(
    nodes: pandas.DataFrame,
    columns: Sequence[tuple[str, str]],
    bins: Callable[[np.ndarray], np.ndarray],
    reference: Reference,
    entry: Line2D,
) -> Figure:
    """Columns: recurrent layers; rows: a column of `nodes` each, (name, text). Seeds are pooled.

    `bins` gives the edges for all values of a row; `reference(axes, units, column, edges, colour)` adds to a histogram
    what it is to be seen against, which `entry` of the legend explains.
    """
    table = style.last_round(nodes)
    table = table[table["part"] != "whole"]
    if table.empty:
        return style.nothing("no pruned networks")
    colours, arms = style.colours(style.ordered(nodes["arm"])), style.ordered(table["arm"])
    parts = style.ordered(table["part"])
    width = style.PAGE if len(parts) > 1 else style.COLUMN
    figure, axes = style.panels(len(columns), len(parts), width, 1.85, sharex="row", sharey="row")
    for row, (column, text) in zip(axes, columns, strict=True):
        known = table.dropna(subset=[column])
        edges = bins(known[column].to_numpy())
        for axis, part in zip(row, parts, strict=True):
            for arm in arms:
                units = known[(known["arm"] == arm) & (known["part"] == part)]
                if len(units):
                    counts, _ = np.histogram(units[column], edges)
                    axis.stairs(100 * counts / len(units), edges, color=colours[arm], linewidth=1.2)
                    reference(axis, units, column, edges, colours[arm])
            axis.set_xlabel(text)
            axis.locator_params(axis="x", nbins=5)
        row[0].set_ylabel("share of units, %")
    for axis, part in zip(axes[0], parts, strict=True):
        axis.set_title(style.part_label(part))
    percent = 100 * table["density"].iloc[0]
    style.legend(figure, [*(style.handle(f"{style.label(a)}, {percent:.3g} % kept", colours[a]) for a in arms), entry])
    return figure
