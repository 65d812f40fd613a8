"""Histograms of |w| and log10|w| of dense runs and tickets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("dense", "rounds", "in_run")
FILES = ("metrics.csv", "mask.safetensors", "histograms.csv")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """The run's own rows, led by arm, recipe, round and density."""
    for run in runs:
        yield from run.joined("histograms.csv", "run_histograms")
