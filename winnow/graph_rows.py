"""Rows of graph.csv and nodes.csv.

Each number of a graph stands in a row of its own (`null` empty), and once more per null model it is compared with, with
mean, standard deviation (n - 1) and z over the draws in which it is defined; z is empty where all draws agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

import numpy as np

from winnow import nulls
from winnow.graphs import Graph
from winnow.measures import clustering, clustering_directed

Row = dict[str, object]
NAN = float("nan")


def _spread(value: float, samples: Sequence[float]) -> Row:
    """null_mean, null_sd, z and draws of a value against its null draws."""
    defined = np.array([sample for sample in samples if not np.isnan(sample)])
    if not len(defined):
        return {"null_mean": NAN, "null_sd": NAN, "z": NAN, "draws": 0}
    # Equal draws have no spread; their computed one would be a rounding error.
    equal = bool(defined.min() == defined.max())
    mean = float(defined[0] if equal else defined.mean())
    sd = NAN if len(defined) < 2 else 0.0 if equal else float(defined.std(ddof=1))
    return {"null_mean": mean, "null_sd": sd, "z": (value - mean) / sd if sd > 0 else NAN, "draws": len(defined)}


def _means(draws: Sequence[Mapping[str, float]]) -> dict[str, float]:
    result = {}
    for name in draws[0]:
        defined = [draw[name] for draw in draws if not np.isnan(draw[name])]
        result[name] = float(np.mean(defined)) if defined else NAN
    return result


def measure_graph(graph: Graph, measures: Sequence[ModuleType], seed: int, draws: int) -> Iterator[Row]:
    """Rows of graph.csv for one part: the `measures` that are defined on it, against `draws` draws per null model."""
    modules = [module for module in measures if graph.kind in module.GRAPHS]
    plain = [module for module in modules if not hasattr(module, "relative")]
    compared = [module for module in modules if module.NULLS]
    values = {module: module.measure(graph) for module in modules}
    for module in plain:
        for name, value in values[module].items():
            alone: Row = {"null": None, "null_mean": None, "null_sd": None, "z": None, "draws": None}
            yield {"seed": seed, "part": graph.part, "measure": name, "value": value, **alone}
    if not (compared and draws):
        return
    for model in nulls.OF_KIND[graph.kind]:
        samples: dict[ModuleType, list[Mapping[str, float]]] = {module: [] for module in compared}
        for draw in nulls.draws(graph, model, seed, draws):
            for module in compared:
                samples[module].append(module.measure(draw))
        for module in compared:
            value, drawn = values[module], samples[module]
            if hasattr(module, "relative"):
                means = _means(drawn)
                value, drawn = module.relative(value, means), [module.relative(draw, means) for draw in drawn]
            for name in value:
                spread = _spread(value[name], [draw[name] for draw in drawn])
                yield {"seed": seed, "part": graph.part, "measure": name, "value": value[name], "null": model, **spread}


def describe_nodes(graph: Graph, seed: int) -> Iterator[Row]:
    """Rows of nodes.csv for one recurrent part or the whole network."""
    if graph.kind == "input":
        return
    weights = np.zeros(graph.edges.shape) if graph.weights is None else graph.weights
    size = np.where(graph.edges, np.abs(weights.astype(np.float64)), 0.0)
    columns = {
        "in_degree": graph.edges.sum(axis=1),
        "out_degree": graph.edges.sum(axis=0),
        "degree": graph.degrees.astype(int),
        "in_strength": size.sum(axis=1),
        "out_strength": size.sum(axis=0),
        "clustering": clustering.local(graph),
        "clustering_directed": clustering_directed.local(graph),
    }
    for node in range(len(graph.edges)):
        yield {
            "seed": seed,
            "part": graph.part,
            "node": node,
            **{name: column[node] for name, column in columns.items()},
        }
