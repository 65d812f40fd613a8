"""How fast and how well every run learned: its early-stop iteration (see winnow.early_stop) and its last one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.early_stop import at_minimum
from winnow.tables._runs import Run

GROUPS = ("dense", "rounds")
FILES = ("metrics.csv",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per lane and round; without accuracies for a lane that diverged."""
    for run in runs:
        lr = run.lr
        for stage in run.stages():
            found, last = at_minimum(stage.rows), stage.rows.iloc[-1]
            finished = stage.diverged_step is None
            yield {
                **run.columns(stage),
                "lr": lr,
                "early_stop_iteration": found.pop("iteration"),
                "early_stop_epoch": found.pop("epoch"),
                **found,
                "last_iteration": last["iteration"] if finished else None,
                "last_validation_accuracy": last["validation_accuracy"] if finished else None,
                "last_test_accuracy": last["test_accuracy"] if finished else None,
                "diverged_step": stage.diverged_step,
            }
