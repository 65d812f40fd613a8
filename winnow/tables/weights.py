"""Weight measures of dense runs and tickets: moments, fits, sign flips."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("dense", "rounds", "in_run")
FILES = ("metrics.csv", "mask.safetensors", "weights.csv")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """The run's own rows, led by arm, recipe, round and density."""
    for run in runs:
        yield from run.joined("weights.csv", "run_weights")
