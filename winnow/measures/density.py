"""Density: share of the possible edges, self-loops left out in recurrent graphs; their number stands beside it.

Possible are the entries of the part's tensors, without the diagonal of a recurrent one. In `whole` units of layers that
no tensor joins cannot be linked, so an unpruned network has density 1. `density_undirected` counts linked pairs over
pairs that can be linked (an edge either way links): the density of the undirected union. NaN where nothing is possible.
"""

from winnow.graphs import Graph

GRAPHS = ("recurrent", "input", "whole")
NULLS = False


def measure(graph: Graph) -> dict[str, float]:
    edges = float(graph.edges.sum())
    possible = pairs = 0  # edges, and pairs of units
    for block in graph.blocks:
        rows, columns = block.rows.stop - block.rows.start, block.columns.stop - block.columns.start
        possible += rows * (columns - 1) if block.recurrent else rows * columns
        pairs += rows * (columns - 1) // 2 if block.recurrent else rows * columns
    density = edges / possible if possible else float("nan")
    if graph.kind == "input":
        return {"edges": edges, "density": density}
    linked = float(graph.degrees.sum()) / 2
    return {
        "edges": edges,
        "self_loops": float(graph.self_loops),
        "density": density,
        "density_undirected": linked / pairs if pairs else float("nan"),
    }
