"""Spectral radius: the largest absolute eigenvalue of the masked weights, self-loops included, in the units of the
weights. NaN if a weight is not finite; ValueError for a graph without weights.

The matrix of `whole` is block-triangular, so its value is the largest of the layers'.
"""

import numpy as np

from winnow.graphs import Graph

GRAPHS = ("recurrent", "whole")
NULLS = False


def measure(graph: Graph) -> dict[str, float]:
    if graph.weights is None:
        raise ValueError("the spectral radius needs weights")
    if not np.isfinite(graph.weights).all():
        return {"spectral_radius": float("nan")}
    # Block by block: the eigenvalues of a block-triangular matrix are those of its diagonal blocks.
    blocks = [graph.weights[block.rows, block.columns] for block in graph.blocks if block.recurrent]
    return {
        "spectral_radius": max(float(np.abs(np.linalg.eigvals(block.astype(np.float64))).max()) for block in blocks)
    }
