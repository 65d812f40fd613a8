"""Cross-entropy against squared error: pairs of trainings that differ in their loss only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables import _from_scratch
from winnow.tables._from_scratch import REACHED
from winnow.tables._runs import Run

GROUPS = ("loss_pairs",)
FILES = ("metrics.csv", "config.json")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Two per pair. Their losses are each training's own and do not compare; their accuracies do."""
    for run in runs:
        reached = _from_scratch.last(run, *REACHED, "test_accuracy", "diverged_step")
        yield {"pair": run.round, **_from_scratch.settings(run), **reached}
