"""Average shortest path length over pairs of distinct units, in the undirected view and within its largest component;
and the global efficiency (Latora and Marchiori 2001, Phys. Rev. Lett. 87, 198701), the mean of 1 / distance over all
pairs (0 for a pair that is not connected). In steps, and 1 / steps.

Path length is NaN if no two units are connected, efficiency for fewer than two units.
"""

import numpy as np

from winnow.graphs import Graph

GRAPHS = ("recurrent", "whole")
NULLS = True


def measure(graph: Graph) -> dict[str, float]:
    distances = graph.distances
    longest = int(distances.max(initial=0))
    inverse = sum(np.count_nonzero(distances == length) / length for length in range(1, longest + 1))
    pairs = len(distances) * (len(distances) - 1)
    if not graph.largest_component.all():
        distances = distances[np.ix_(graph.largest_component, graph.largest_component)]
    nodes = len(distances)
    return {
        "path_length": float(distances.sum(dtype=np.int64)) / (nodes * (nodes - 1)) if nodes > 1 else float("nan"),
        "efficiency": float(inverse / pairs) if pairs else float("nan"),
    }
