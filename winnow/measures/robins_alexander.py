"""Bipartite clustering of Robins and Alexander (2004, Computational & Mathematical Organization Theory 10, 69,
doi 10.1023/B:CMOT.0000032580.12184.c0): 4 * C4 / L3, in [0, 1].

C4 is the number of 4-cycles, L3 that of paths with 3 edges: the share of such paths that are closed. NaN without such
paths.
"""

import numpy as np

from winnow.graphs import Graph

GRAPHS = ("input",)
NULLS = True


def measure(graph: Graph) -> dict[str, float]:
    matrix = graph.edges.astype(np.float32)
    common = (matrix @ matrix.T).astype(np.float64)
    rows, columns = matrix.sum(axis=1, dtype=np.float64), matrix.sum(axis=0, dtype=np.float64)
    # Each pair of rows with P common neighbours makes P (P - 1) / 2 squares; pairs are counted twice, hence / 4.
    squares = ((common * (common - 1)).sum() - (rows * (rows - 1)).sum()) / 4
    # The middle edge (u, v) of a path has k_u - 1 and k_v - 1 ways on; in a bipartite graph its ends cannot coincide.
    paths = (rows - 1) @ matrix.astype(np.float64) @ (columns - 1)
    return {"clustering_robins_alexander": float(4 * squares / paths) if paths else float("nan")}
