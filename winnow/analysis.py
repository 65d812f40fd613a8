"""The measuring stage: networks in, rows of graph.csv, nodes.csv, weights.csv and histograms.csv out.

Each number of a graph stands in a row of its own (`null` empty), and once more per null model it is compared with, with
mean, standard deviation (n - 1) and z over the draws in which it is defined; z is empty where all draws agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from winnow import io, nulls, plugins
from winnow.distributions import BINS, Sample, histograms
from winnow.errors import UserError
from winnow.graphs import Graph, build, part_names
from winnow.measures import clustering, clustering_directed
from winnow.networks import Network, read_dense, read_lanes, read_round

Row = dict[str, object]
NAN = float("nan")
TABLES = {
    "graph.csv": "run_graph",
    "nodes.csv": "run_nodes",
    "weights.csv": "run_weights",
    "histograms.csv": "run_histograms",
}


def names(kind: str) -> list[str]:
    """All measures of a kind: "graph" or "weights"."""
    constant = {"graph": "GRAPHS", "weights": "WEIGHTS"}[kind]
    return [name for name in plugins.names("measures") if plugins.constant("measures", name, constant)]


@dataclass(frozen=True)
class Measures:
    """The plug-ins to apply and the number of null draws."""

    graph: tuple[ModuleType, ...]
    weights: tuple[ModuleType, ...]
    draws: int

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Measures:
        """From {"graph": [names], "weights": [names], "nulls": draws}; what is not named: all measures, 20 draws."""
        chosen = {}
        for kind in ("graph", "weights"):
            valid = names(kind)
            for name in spec.get(kind, valid):
                if name not in valid:
                    raise UserError(f"measures.{kind}: {name!r} is no {kind} measure. Valid names: {', '.join(valid)}.")
            chosen[kind] = tuple(plugins.load("measures", name) for name in spec.get(kind, valid))
        draws = spec.get("nulls", 20)
        if not isinstance(draws, int) or draws < 0:
            raise UserError(f"measures.nulls is {draws!r}: valid is a number of draws, 0 or more (20 is the default).")
        return cls(chosen["graph"], chosen["weights"], draws)


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


def measure_graph(graph: Graph, measures: Measures, seed: int) -> Iterator[Row]:
    """Rows of graph.csv for one part."""
    modules = [module for module in measures.graph if graph.kind in module.GRAPHS]
    plain = [module for module in modules if not hasattr(module, "relative")]
    compared = [module for module in modules if module.NULLS and (measures.draws or not hasattr(module, "relative"))]
    values = {module: module.measure(graph) for module in modules}
    for module in plain:
        for name, value in values[module].items():
            yield {
                **{"seed": seed, "part": graph.part, "measure": name, "value": value, "null": ""},
                **{"null_mean": NAN, "null_sd": NAN, "z": NAN, "draws": None},
            }
    if not (compared and measures.draws):
        return
    for model in nulls.OF_KIND[graph.kind]:
        samples: dict[ModuleType, list[Mapping[str, float]]] = {module: [] for module in compared}
        for draw in nulls.draws(graph, model, seed, measures.draws):
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


def samples(network: Network, state: str) -> Iterator[tuple[str, Sample]]:
    """(part, sample) of a network's kept weights in one state: every masked tensor, then all of them pooled.

    A tensor with a NaN or an infinity (a diverged lane) has no sample, and then there is no pooled one.
    """
    weights = network.weights[state]
    parts = part_names(list(network.masks))
    pooled: list[Sample] = []
    pruned = False
    for name, mask in network.masks.items():
        values = weights[name][mask].astype(np.float64)
        if not np.isfinite(values).all():
            continue
        before = network.before[name][mask].astype(np.float64) if state == "final" and name in network.before else None
        nonzero = values != 0
        values, before = values[nonzero], None if before is None else before[nonzero]
        part_pruned = not mask.all()
        pruned |= part_pruned
        cut = float(np.abs(values).min()) if part_pruned and len(values) else 0.0
        pooled.append(Sample(values, cut, before))
        yield parts[name], pooled[-1]
    if len(pooled) == len(network.masks):
        values = np.concatenate([sample.values for sample in pooled])
        befores = [sample.before for sample in pooled if sample.before is not None]
        before = np.concatenate(befores) if len(befores) == len(pooled) else None
        yield "all", Sample(values, float(np.abs(values).min()) if pruned and len(values) else 0.0, before)


def measure_weights(network: Network, measures: Measures) -> tuple[list[Row], list[Row]]:
    """Rows of weights.csv and of histograms.csv (every bin, also empty ones, so that counts of seeds line up)."""
    weights: list[Row] = []
    bins: list[Row] = []
    for state in network.weights:
        for part, sample in samples(network, state):
            where: Row = {"seed": network.seed, "state": state, "part": part}
            for module in measures.weights:
                weights += [
                    {**where, "measure": name, "value": value} for name, value in module.measure(sample).items()
                ]
            for quantity, counts in histograms(sample.values).items():
                edges = BINS[quantity].round(6)
                bins += [
                    {**where, "quantity": quantity, "bin_left": left, "bin_right": right, "count": count}
                    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
                ]
    return weights, bins


def measure_networks(networks: Sequence[Network], measures: Measures, with_graphs: bool) -> dict[str, list[Row]]:
    """{file name: rows} of all four files, or without graphs of the two about weights."""
    rows: dict[str, list[Row]] = {
        name: [] for name in TABLES if with_graphs or name in ("weights.csv", "histograms.csv")
    }
    for network in networks:
        for graph in build(network.masks, network.weights.get("final")) if with_graphs else ():
            rows["graph.csv"] += measure_graph(graph, measures, network.seed)
            rows["nodes.csv"] += describe_nodes(graph, network.seed)
        weights, bins = measure_weights(network, measures)
        rows["weights.csv"] += weights
        rows["histograms.csv"] += bins
    return rows


def write(rows: Mapping[str, list[Row]], out: Path) -> list[Path]:
    """Write the files into a folder; their paths."""
    for name, table in rows.items():
        io.write_table(out / name, TABLES[name], table)
    return [out / name for name in rows]


def measure_run(folder: Path, spec: Mapping[str, Any], dense: Path | None, out: Path) -> list[Path]:
    """Measure a run folder: a round (it has mask.safetensors), or a dense run (weights and histograms only).

    `spec`: {"graph", "weights", "nulls", "prunable"}, see `Measures.of`; `dense`: folder of the dense run, for sign
    flips.
    """
    is_round = (folder / "mask.safetensors").is_file()
    networks = read_round(folder, dense) if is_round else read_dense(folder, spec.get("prunable", ["*"]))
    return write(measure_networks(networks, Measures.of(spec), is_round), out)


def edges(folder: Path) -> Iterator[Row]:
    """Rows of edges.csv.gz: the kept weights of every lane of a round."""
    masks, final = read_lanes(folder / "mask.safetensors"), read_lanes(folder / "final.safetensors")
    for seed, tensors in masks.items():
        for name, mask in tensors.items():
            targets, sources = np.nonzero(mask)
            # The shortest decimal that gives the float32 back.
            weights = final[seed][name][mask].astype(np.float32).astype(str)
            for source, target, weight in zip(sources.tolist(), targets.tolist(), weights.tolist(), strict=True):
                yield {"seed": seed, "tensor": name, "source": source, "target": target, "weight": weight}
