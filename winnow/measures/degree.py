"""In-degree and out-degree: mean and population standard deviation over units, self-loops not counted.

In a bipartite part in-degrees are those of the rows (receiving units), out-degrees those of the columns. `degree_*`
counts neighbours in the undirected view.
"""

from winnow.graphs import Graph

GRAPHS = ("recurrent", "input", "whole")
NULLS = True


def measure(graph: Graph) -> dict[str, float]:
    degrees = {"in_degree": graph.edges.sum(axis=1), "out_degree": graph.edges.sum(axis=0)}
    if graph.kind != "input":
        degrees["degree"] = graph.degrees
    result = {}
    for name, values in degrees.items():
        result[f"{name}_mean"] = float(values.mean()) if len(values) else float("nan")
        result[f"{name}_sd"] = float(values.std()) if len(values) else float("nan")
    return result
