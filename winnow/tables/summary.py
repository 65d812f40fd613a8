"""Accuracy per arm, recipe and round: mean, spread and interval over seeds, and paired differences.

Diverged lanes are counted, not averaged. Equal seeds, which share initialisation and data order, are paired: for the
difference to the reference arm at the same recipe and round, and for the change of an arm against its own dense run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas

from winnow import statistics
from winnow.tables._runs import Run
from winnow.tables.rounds import rows as rounds_rows

GROUPS = ("dense", "rounds", "in_run")
FILES = ("metrics.csv",)
DENSE = "dense"  # the recipe of the unpruned run


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per (arm, recipe, round), in the order of the runs. spec["reference"]: the arm to compare with."""
    lanes = pandas.DataFrame(list(rounds_rows(runs, spec)))
    if not lanes.empty:
        yield from summarise(lanes, spec.get("reference"))


def summarise(lanes: pandas.DataFrame, reference: str | None) -> Iterator[dict[str, object]]:
    """The rows of this table from those of the table 'rounds'; `reference`: the arm to compare with, or None."""
    finished = lanes[lanes["diverged_step"].isna()]
    accuracy = {
        key: dict(zip(group["seed"], group["test_accuracy"], strict=True))
        for key, group in finished.groupby(["arm", "recipe", "round"])
    }
    for (arm, recipe, number), group in lanes.groupby(["arm", "recipe", "round"], sort=False):
        mine = accuracy.get((arm, recipe, number), {})
        theirs = accuracy.get((reference, recipe, number), {}) if arm != reference else {}
        before = accuracy.get((arm, DENSE, 0), {}) if recipe != DENSE else {}
        estimate, pairs = statistics.estimate(list(mine.values())), statistics.paired(mine, theirs)
        change = statistics.paired(mine, before).difference
        alive = group[group["diverged_step"].isna()]
        yield {
            "arm": arm,
            "recipe": recipe,
            "round": number,
            "density": group["density"].iloc[0],
            "mean": estimate.mean,
            "sd": estimate.sd,
            "n": estimate.n,
            "diverged": len(group) - len(alive),
            "ci95_low": estimate.low,
            "ci95_high": estimate.high,
            "mean5": alive["test_accuracy_mean5"].mean() if len(alive) else None,
            "reference": reference if arm != reference else None,
            "difference": pairs.difference.mean,
            "difference_ci95_low": pairs.difference.low,
            "difference_ci95_high": pairs.difference.high,
            "pairs": pairs.difference.n if arm != reference else None,
            "correlation": pairs.correlation,
            "change": change.mean,
            "change_ci95_low": change.low,
            "change_ci95_high": change.high,
            "change_pairs": change.n if recipe != DENSE else None,
        }
