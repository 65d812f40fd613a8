"""One row per lane and trained density: dense runs (round 0), rounds, and the density levels of in-run recipes.

Reported are the last epoch of that density and beside it the mean over its last 5 evaluations (single epochs jump by a
point), both empty for a lane that diverged; never the best test epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("dense", "rounds", "in_run")
FILES = ("metrics.csv",)
LAST = ("train_loss", "test_loss", "test_accuracy", "validation_accuracy", "clipped_share")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """See the module docstring. A level of an in-run recipe shorter than 5 evaluations is averaged whole."""
    for run in runs:
        lr = run.lr
        for stage in run.stages():
            last = stage.rows.iloc[-1]
            yield {
                **run.columns(stage),
                "lr": lr,
                **{name: last[name] for name in LAST},
                "test_accuracy_mean5": stage.mean_accuracy,
                "diverged_step": stage.diverged_step,
            }
