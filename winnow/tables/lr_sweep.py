"""The learning-rate sweep: one row per arm, rate and seed, with the loss that selection looks at."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from winnow.selection import lane_loss
from winnow.tables._runs import Run

GROUPS = ("sweep",)
FILES = ("metrics.csv",)
BEST = True
LAST = 3  # evaluations that selection averages, unless the spec says otherwise


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Per arm in ascending order of rate. spec["last"]: how many evaluations the selection loss averages."""
    arms = list(dict.fromkeys(run.arm for run in runs))
    for run in sorted(runs, key=lambda run: (arms.index(run.arm), Decimal(run.lr), run.seeds)):
        selected = run.lr == run.best()["lr"]
        for stage in run.stages():
            lane = stage.rows
            yield {
                "arm": run.arm,
                "lr": run.lr,
                "seed": stage.seed,
                "selection_loss": lane_loss(lane, int(spec.get("last", LAST))),
                "validation_accuracy": lane["validation_accuracy"].iloc[-1],
                "test_accuracy": lane["test_accuracy"].iloc[-1],
                "test_accuracy_mean5": stage.mean_accuracy,
                "diverged_step": stage.diverged_step,
                "selected": selected,
            }
