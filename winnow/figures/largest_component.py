"""The largest weak component of each recurrent layer, drawn.

A layer of hundreds of units keeps thousands of edges, which drawn together are a blot. Shown are all units and the
component's backbone: its strongest spanning tree (a tree of maximum |w|, which holds it together) and the strongest
further edges. Titles say how many of how many. Self-loops are neither drawn nor counted.
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
EXTRA = 0.5  # further edges drawn, per unit
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
    edges = edges[edges["source"] != edges["target"]]
    ends_of = pandas.concat([edges["source"], edges["target"]])
    degree = ends_of.value_counts().reindex(units, fill_value=0).to_numpy(dtype=float)
    drawn = _backbone(edges.assign(size=edges["weight"].abs()))
    place = _layout(units, drawn)
    ends = np.array([[place[a], place[b]] for a, b in zip(drawn["source"], drawn["target"], strict=True)])
    if len(ends):
        colours = [SIGNS["positive" if weight > 0 else "negative"] for weight in drawn["weight"]]
        widths = 0.15 + 0.75 * (drawn["size"] / drawn["size"].max()) ** 2
        axis.add_collection(LineCollection(list(ends), colors=colours, linewidths=widths.to_list(), alpha=0.55))
    points = np.array([place[unit] for unit in units])
    area = 1.5 + 14 * (degree - degree.min()) / max(degree.max() - degree.min(), 1)
    axis.scatter(points[:, 0], points[:, 1], s=area, color="#333333", linewidths=0, zorder=3)
    axis.set_aspect("equal", adjustable="datalim")  # boxes of one size keep the titles in line
    axis.set_title(f"{title}: {len(units)} units\n{len(drawn):,} of {len(edges):,} edges drawn", fontsize=7)


def _backbone(edges: pandas.DataFrame) -> pandas.DataFrame:
    """The edges of the maximum spanning tree and the EXTRA strongest others per unit; `edges` has a column `size`."""
    edges = edges.sort_values("size", ascending=False, kind="stable").reset_index(drop=True)
    graph: networkx.Graph[int] = networkx.Graph()
    for number, (a, b, size) in enumerate(zip(edges["source"], edges["target"], edges["size"], strict=True)):
        if not graph.has_edge(a, b):  # of two opposite edges the stronger
            graph.add_edge(a, b, weight=size, number=number)
    tree = {data["number"] for _, _, data in networkx.maximum_spanning_edges(graph, data=True)}
    others = [number for number in range(len(edges)) if number not in tree]
    return edges.loc[sorted(tree) + others[: int(EXTRA * len(graph))]]


def _layout(units: list[int], drawn: pandas.DataFrame) -> dict[int, np.ndarray]:
    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_nodes_from(units)
    graph.add_edges_from(zip(drawn["source"], drawn["target"], strict=True))
    places: dict[int, np.ndarray] = networkx.kamada_kawai_layout(graph)
    return places
