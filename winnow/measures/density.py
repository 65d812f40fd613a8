"""Density: edges over possible edges, without self-loops in recurrent graphs; their number stands beside it.

`density_undirected` counts linked pairs over pairs of units (an edge either way links): the density of the undirected
union.
"""

from winnow.graphs import Graph

GRAPHS = ("recurrent", "input", "whole")
NULLS = False


def measure(graph: Graph) -> dict[str, float]:
    rows, columns = graph.edges.shape
    edges = float(graph.edges.sum())
    if graph.kind == "input":
        return {"edges": edges, "density": edges / (rows * columns) if rows * columns else float("nan")}
    pairs = rows * (rows - 1)
    return {
        "edges": edges,
        "self_loops": float(graph.self_loops),
        "density": edges / pairs if pairs else float("nan"),
        "density_undirected": float(graph.degrees.sum()) / pairs if pairs else float("nan"),
    }
