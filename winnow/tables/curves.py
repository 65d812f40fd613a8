"""Training curves: one row per evaluation of every dense run and round; sweep runs are left to lr_sweep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("dense", "rounds", "in_run")
FILES = ("metrics.csv",)
METRICS = ("epoch", "train_loss", "train_accuracy", "validation_loss", "test_loss", "test_accuracy")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Every row carries the density that was trained in it, also within one run whose density changes."""
    for run in runs:
        lr = run.lr
        for stage in run.stages():
            for row in stage.path.to_dict("records"):
                columns = {**run.columns(stage), "density": row["density"]}
                yield {**columns, "lr": lr, **{name: row[name] for name in METRICS}}
