"""Bipartite clustering of Latapy, Magnien and Del Vecchio (2008, Social Networks 30, 31,
doi 10.1016/j.socnet.2007.04.006), the variant that networkx calls "dot": shares in [0, 1].

c(u, v) = |N(u) & N(v)| / |N(u) | N(v)| for two units of the same side that share a neighbour; c(u) is its mean over
those v, 0 if there is none. Reported: the mean over receiving units, over sending units, and over all. NaN without
edges.
"""

import numpy as np
from numpy.typing import NDArray

from winnow.graphs import Bools, Graph

GRAPHS = ("input",)
NULLS = True


def local(edges: Bools) -> NDArray[np.float64]:
    """c(u) of every row [rows] of a bool matrix [rows, columns]."""
    matrix = edges.astype(np.float32)
    common = (matrix @ matrix.T).astype(np.float64)  # counts are exact in float32, their ratios are not
    degree = matrix.sum(axis=1, dtype=np.float64)
    np.fill_diagonal(common, 0)
    overlap = common / np.maximum(degree[:, None] + degree[None, :] - common, 1)
    others = np.count_nonzero(common, axis=1)
    return np.asarray(overlap.sum(axis=1) / np.maximum(others, 1))


def measure(graph: Graph) -> dict[str, float]:
    if not graph.edges.any():
        nan = float("nan")
        return {"clustering_latapy_targets": nan, "clustering_latapy_sources": nan, "clustering_latapy": nan}
    targets, sources = local(graph.edges), local(graph.edges.T)
    return {
        "clustering_latapy_targets": float(targets.mean()),
        "clustering_latapy_sources": float(sources.mean()),
        "clustering_latapy": float(np.concatenate([targets, sources]).mean()),
    }
