"""Reciprocity: the share of directed edges whose reverse is an edge as well (as networkx has it). NaN without edges."""

from winnow.graphs import Graph

GRAPHS = ("recurrent", "whole")
NULLS = True


def measure(graph: Graph) -> dict[str, float]:
    edges = graph.edges.sum()
    both = (graph.edges & graph.edges.T).sum()
    return {"reciprocity": float(both / edges) if edges else float("nan")}
