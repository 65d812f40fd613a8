"""The best configurations of a sweep, trained on another data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow import io
from winnow.tables import _from_scratch
from winnow.tables._runs import Run

GROUPS = ("sweep", "finals", "carry_over")
FILES = ("best.json", "finalists.json", "metrics.csv", "config.json")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One per rank and seed."""
    sweeps = {run.arm: Path(run.folder, "best.json") for run in runs if run.group == "sweep"}
    sweeps |= {run.arm: Path(run.folder, "finalists.json") for run in runs if run.group == "finals"}
    for run in runs:
        if run.group == "carry_over":
            source = io.read_json(sweeps[run.arm])["configurations"][run.round - 1]
            yield {
                "dataset": io.read_json(Path(run.folder, "config.json"))["dataset"],
                "rank": run.round,
                "seed": run.seeds[0],
                **_from_scratch.settings(run),
                **_from_scratch.last(run, "validation_accuracy", "test_accuracy"),
                "source_validation_accuracy": source["validation_accuracy"],
            }
