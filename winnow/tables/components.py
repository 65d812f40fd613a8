"""The drawn graphs: kept edges within the largest weak component of each recurrent layer.

One ticket per arm, to keep the file small: the last round of the first recipe with rounds, its first seed
that did not diverge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from winnow.tables._runs import Run

GROUPS = ("rounds",)
FILES = ("metrics.csv", "edges.csv.gz")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per edge, self-loops included, in the order of edges.csv.gz."""
    recipe = next((run.recipe for run in runs if run.round > 1), runs[0].recipe if runs else "")
    for arm in dict.fromkeys(run.arm for run in runs):
        mine = [run for run in runs if (run.arm, run.recipe) == (arm, recipe)]
        last = max((run.round for run in mine), default=0)
        tickets = {seed: (run, ticket) for run in mine if run.round == last for seed, ticket in run.tickets().items()}
        if not tickets:
            continue
        seed = min(tickets)
        run, ticket = tickets[seed]
        edges = run.read("edges.csv.gz", "edges")
        for tensor, layer in edges[edges["seed"] == seed].groupby("tensor", sort=True):
            match = re.search(r"weight_hh_l(\d+)$", str(tensor))
            if match is None:
                continue
            source, target = layer["source"].to_numpy(), layer["target"].to_numpy()
            inside = _largest(source, target)
            for i in np.flatnonzero(inside):
                yield {
                    **ticket,
                    "part": f"recurrent{match[1]}",
                    "source": int(source[i]),
                    "target": int(target[i]),
                    "weight": float(layer["weight"].iloc[i]),
                }


def _largest(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """True for the edges of the largest weak component (most units; of equals the one with the lowest unit)."""
    units = int(max(source.max(), target.max())) + 1
    graph = coo_array((np.ones(len(source)), (source, target)), shape=(units, units))
    _, label = connected_components(graph, directed=True, connection="weak")
    return np.asarray(label[source] == np.bincount(label).argmax())
