"""In-strength and out-strength: sums of |w| over incoming and outgoing edges; mean and population standard deviation
over units, in the units of the weights. Self-loops are not counted. NaN where a weight is not finite; ValueError for a
graph without weights."""

import numpy as np

from winnow.graphs import Graph

GRAPHS = ("recurrent", "input", "whole")
NULLS = False


def measure(graph: Graph) -> dict[str, float]:
    if graph.weights is None:
        raise ValueError("strength needs weights")
    size = np.where(graph.edges, np.abs(graph.weights.astype(np.float64)), 0.0)
    if not np.isfinite(size).all():
        size[:] = np.nan
    strengths = {"in_strength": size.sum(axis=1), "out_strength": size.sum(axis=0)}
    return {
        f"{name}_{what}": value
        for name, values in strengths.items()
        for what, value in (("mean", float(values.mean())), ("sd", float(values.std())))
    }
