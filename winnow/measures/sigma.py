"""Small-world sigma = (C / C_null) / (L / L_null) (Humphries and Gurney 2008, doi 10.1371/journal.pone.0002051).

A ratio, without unit. C is the *average* clustering coefficient (not transitivity, which other programs take), L the
path length within the largest component, both of the undirected view; C_null and L_null are means over the null draws.
"""

from collections.abc import Mapping

from winnow.graphs import Graph
from winnow.measures import clustering, path_length

GRAPHS = ("recurrent", "whole")
NULLS = True


def measure(graph: Graph) -> dict[str, float]:
    """The two ingredients."""
    return {**clustering.measure(graph), "path_length": path_length.measure(graph)["path_length"]}


def relative(values: Mapping[str, float], null_means: Mapping[str, float]) -> dict[str, float]:
    """Sigma; NaN if the null graphs have no triangles."""
    if not null_means["clustering"] > 0:
        return {"sigma": float("nan")}
    gamma = values["clustering"] / null_means["clustering"]
    return {"sigma": gamma / (values["path_length"] / null_means["path_length"])}
