"""Clustering coefficient on the undirected view, averaged over all units: a share in [0, 1].

C_i = (links among the neighbours of i) / (k_i (k_i - 1) / 2) (Watts and Strogatz 1998, Nature 393, 440), and 0 for a
unit with fewer than two neighbours (as networkx has it). NaN for a graph without links.
"""

import numpy as np
from numpy.typing import NDArray

from winnow.graphs import Graph

GRAPHS = ("recurrent", "whole")
NULLS = True


def local(graph: Graph) -> NDArray[np.float64]:
    """C_i of every unit [N]."""
    closed = np.einsum("ij,ij->i", graph.common_neighbours, graph.links, dtype=np.float64)
    pairs = graph.degrees * (graph.degrees - 1)
    return np.asarray(closed / np.maximum(pairs, 1))


def measure(graph: Graph) -> dict[str, float]:
    return {"clustering": float(local(graph).mean()) if graph.degrees.any() else float("nan")}
