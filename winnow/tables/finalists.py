"""The best configurations of a sweep, trained again with other seeds, by their mean validation accuracy."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow import io, scratch_space
from winnow.scratch.settings import Settings
from winnow.tables._runs import Run

GROUPS = ("finals",)
FILES = ("finalists.json",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One per sweep and finalist, the best first."""
    for run in runs:
        for entry in io.read_json(Path(run.folder, "finalists.json"))["configurations"]:
            reached = entry["accuracies"]
            yield {
                "sweep": run.arm,
                **{column: entry[column] for column in ("rank", "trial", "trial_rank", "trial_accuracy", "name")},
                "seeds": len(reached),
                "mean": entry["validation_accuracy"],
                "sd": statistics.stdev(reached) if len(reached) > 1 else None,
                "lowest": min(reached),
                "highest": max(reached),
                **scratch_space.columns(Settings.of(entry["settings"])),
            }
