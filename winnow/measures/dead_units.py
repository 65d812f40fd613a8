"""Dead units: those without an incoming edge, without an outgoing edge, and their number altogether.

A self-loop does not count: a unit that only reaches itself is dead. In a bipartite part rows are the receiving and
columns the sending units, and the two are added. In `whole` only the edges between the network's hidden units are seen,
neither the data nor the classifier.
"""

from winnow.graphs import Graph

GRAPHS = ("recurrent", "input", "whole")
NULLS = True


def measure(graph: Graph) -> dict[str, float]:
    deaf = ~graph.edges.any(axis=1)
    mute = ~graph.edges.any(axis=0)
    dead = deaf.sum() + mute.sum() if graph.kind == "input" else (deaf | mute).sum()
    return {
        "units_without_input": float(deaf.sum()),
        "units_without_output": float(mute.sum()),
        "dead_units": float(dead),
    }
