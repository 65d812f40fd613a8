"""The largest weak component of each recurrent layer, drawn.

A layer of hundreds of units keeps thousands of edges, which drawn together are a blot. Shown are all units, placed by a
spring layout of the strongest edges, and those edges; titles say how many of how many.
"""

from __future__ import annotations

import networkx
import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from winnow.figures import _style as style

TABLES = ("components",)
STRONGEST = 3  # edges drawn per unit
SIGNS = {"positive": "#D55E00", "negative": "#0072B2"}


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Rows: arms; columns: recurrent layers. Node area: degree (all edges); edge width: |w|; edge colour: sign."""
    table = tables["components"]
    if table.empty:
        return style.nothing("no components to draw")
    arms, parts = style.ordered(table["arm"]), style.ordered(table["part"])
    figure, axes = style.panels(len(arms), len(parts), style.PAGE if len(parts) > 1 else style.COLUMN, 2.5)
    for row, arm in zip(axes, arms, strict=True):
        for axis, part in zip(row, parts, strict=True):
            _graph(axis, table[(table["arm"] == arm) & (table["part"] == part)], style.part_label(part))
        percent = 100 * table.loc[table["arm"] == arm, "density"].iloc[0]
        row[0].set_ylabel(f"{style.label(arm)}, {percent:.3g} % kept")
    entries = [style.handle(f"{sign} weight", colour) for sign, colour in SIGNS.items()]
    few, many = (
        style.handle(text, "#333333", marker="o", linestyle="", markersize=size)
        for text, size in (("few edges", 2), ("many edges", 5))
    )
    style.legend(figure, [*entries, few, many])
    return figure


def _graph(axis: Axes, edges: pandas.DataFrame, title: str) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    axis.set_frame_on(False)
    if edges.empty:
        style.say(axis, "no edges")
        return
    units = sorted({*edges["source"], *edges["target"]})
    degree = pandas.concat([edges["source"], edges["target"]]).value_counts().reindex(units).to_numpy(dtype=float)
    loops = edges["source"] == edges["target"]
    size = edges["weight"].abs()
    drawn = edges[~loops].assign(size=size).sort_values("size", kind="stable").tail(STRONGEST * len(units))
    place = _layout(units, drawn)
    ends = np.array([[place[a], place[b]] for a, b in zip(drawn["source"], drawn["target"], strict=True)])
    if len(ends):
        colours = [SIGNS["positive" if weight > 0 else "negative"] for weight in drawn["weight"]]
        widths = 0.15 + 0.75 * (drawn["size"] / drawn["size"].max()) ** 2
        axis.add_collection(LineCollection(list(ends), colors=colours, linewidths=widths.to_list(), alpha=0.55))
    points = np.array([place[unit] for unit in units])
    area = 1.5 + 14 * (degree - degree.min()) / max(degree.max() - degree.min(), 1)
    axis.scatter(points[:, 0], points[:, 1], s=area, color="#333333", linewidths=0, zorder=3)
    axis.set_aspect("equal")
    axis.set_title(f"{title}: {len(units)} units\n{len(drawn):,} strongest of {len(edges):,} edges", fontsize=7)


def _layout(units: list[int], drawn: pandas.DataFrame) -> dict[int, np.ndarray]:
    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_nodes_from(units)
    graph.add_edges_from(zip(drawn["source"], drawn["target"], strict=True))
    places: dict[int, np.ndarray] = networkx.spring_layout(
        graph, seed=0, iterations=80, k=1.6 / max(len(units), 1) ** 0.5
    )
    return places
