"""Weak components: how many, and the share of the units that lie in the largest, in [0, 1]."""

import numpy as np

from winnow.graphs import Graph

GRAPHS = ("recurrent", "whole")
NULLS = True


def measure(graph: Graph) -> dict[str, float]:
    return {
        "components": float(len(np.unique(graph.components))),
        "largest_component_share": float(graph.largest_component.mean()),
    }
