"""Directed clustering coefficient of Fagiolo (2007, Phys. Rev. E 76, 026107), averaged over all units: in [0, 1].

C_i = [(A + A^T)^3]_ii / (2 [d_i (d_i - 1) - 2 b_i]) with d_i = in-degree + out-degree and b_i the number of
reciprocated neighbours; 0 where the denominator is 0 (as networkx has it). NaN for a graph without edges.
"""

import numpy as np
from numpy.typing import NDArray

from winnow.graphs import Graph

GRAPHS = ("recurrent", "whole")
NULLS = True


def local(graph: Graph) -> NDArray[np.float64]:
    """C_i of every unit [N]."""
    both = graph.edges.astype(np.float32)
    both = both + both.T  # A + A^T, symmetric
    closed = np.einsum("ij,ij->i", both @ both.T, both, dtype=np.float64)
    degree = both.sum(axis=1, dtype=np.float64)
    mutual = (both == 2).sum(axis=1)
    pairs = 2 * (degree * (degree - 1) - 2 * mutual)
    return np.asarray(closed / np.maximum(pairs, 1))


def measure(graph: Graph) -> dict[str, float]:
    return {"clustering_directed": float(local(graph).mean()) if graph.edges.any() else float("nan")}
