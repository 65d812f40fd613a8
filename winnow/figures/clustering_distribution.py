"""Local clustering coefficients of the units of the sparsest tickets."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.figure import Figure

from winnow.figures import _style as style

TABLES = ("nodes",)
KINDS = (
    ("clustering", "clustering (undirected,\nWatts and Strogatz)"),
    ("clustering_directed", "clustering (directed,\nFagiolo)"),
)
BINS = 30


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Columns: recurrent layers; rows: definition. Seeds are pooled. Vertical lines: means over units."""
    table = style.last_round(tables["nodes"])
    table = table[table["part"] != "whole"]
    if table.empty:
        return style.nothing("no pruned networks")
    arms, parts = style.ordered(table["arm"]), style.ordered(table["part"])
    width = style.PAGE if len(parts) > 1 else style.COLUMN
    figure, axes = style.panels(2, len(parts), width, 1.85, sharex="row", sharey="row")
    for row, (column, text) in zip(axes, KINDS, strict=True):
        low, high = table[column].min(), table[column].max()
        edges = np.linspace(low, high if high > low else low + 0.01, BINS + 1)
        for axis, part in zip(row, parts, strict=True):
            for arm in arms:
                values = table.loc[(table["arm"] == arm) & (table["part"] == part), column].dropna()
                if len(values):
                    colour = style.colours(arms)[arm]
                    counts, _ = np.histogram(values, edges)
                    axis.stairs(100 * counts / len(values), edges, color=colour, linewidth=1.2)
                    axis.axvline(values.mean(), color=colour, linestyle="--", linewidth=0.8)
            axis.set_xlabel(text)
            axis.locator_params(axis="x", nbins=5)
        row[0].set_ylabel("share of units, %")
    for axis, part in zip(axes[0], parts, strict=True):
        axis.set_title(style.part_label(part))
    percent = 100 * table["density"].iloc[0]
    entries = [style.handle(f"{style.label(arm)}, {percent:.3g} % kept", style.colours(arms)[arm]) for arm in arms]
    style.legend(figure, [*entries, style.handle("mean over units", linestyle="--")])
    return figure
