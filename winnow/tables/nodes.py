"""Degrees, strengths and clustering of every unit of every ticket: the distributions behind the graph measures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("rounds", "in_run")
FILES = ("metrics.csv", "mask.safetensors", "nodes.csv")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """The run's own rows, led by arm, recipe, round and density."""
    for run in runs:
        yield from run.joined("nodes.csv", "run_nodes")
