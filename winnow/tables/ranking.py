"""The arms of every scenario by the validation loss of their chosen setting; test images were not looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from winnow.tables import tuning
from winnow.tables._runs import Run

GROUPS = ("tuning",)
FILES = ("tuning/trials.csv", "tuning/best.json")
COLUMNS = ("lr", "settings", "validation_loss", "validation_accuracy")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per scenario and arm, the smallest loss first and arms that always diverged last."""
    scenarios: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        chosen: dict[str, Any] = next((row for row in tuning.rows([run], spec) if row["chosen"]), {})
        arm = {"scenario": run.recipe, "arm": run.arm, **{name: chosen.get(name, math.nan) for name in COLUMNS}}
        scenarios.setdefault(run.recipe, []).append(arm)
    for arms in scenarios.values():
        arms.sort(key=lambda arm: (math.isnan(arm["validation_loss"]), arm["validation_loss"]))
        for rank, arm in enumerate(arms, start=1):
            yield {**arm, "rank": rank}
