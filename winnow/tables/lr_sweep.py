"""The learning-rate sweep: one row per arm, rate and seed, with the loss that selection looks at."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from winnow.selection import diverged_step, lane_loss
from winnow.tables._runs import Run
from winnow.tables.rounds import MEAN_OVER

GROUPS = ("sweep",)
FILES = ("metrics.csv",)
BEST = True
LAST = 3  # evaluations that selection averages, unless the spec says otherwise


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Per arm in ascending order of rate. spec["last"]: how many evaluations the selection loss averages."""
    arms = list(dict.fromkeys(run.arm for run in runs))
    for run in sorted(runs, key=lambda run: (arms.index(run.arm), Decimal(run.lr), run.seeds)):
        selected = run.lr == run.best()["lr"]
        for seed, lane in run.lanes():
            yield {
                "arm": run.arm,
                "lr": run.lr,
                "seed": seed,
                "selection_loss": lane_loss(lane, int(spec.get("last", LAST))),
                "validation_accuracy": lane["validation_accuracy"].iloc[-1],
                "test_accuracy": lane["test_accuracy"].iloc[-1],
                "test_accuracy_mean5": float(lane["test_accuracy"].tail(MEAN_OVER).mean()),
                "diverged_step": diverged_step(lane),
                "selected": selected,
            }
