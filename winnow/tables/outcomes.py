"""What the arms of a study of optimisers ended with: mean, spread and interval over seeds, and what it has cost.

Diverged lanes are counted, not averaged. Equal seeds, which share initialisation and data order, are paired: for the
difference to the reference arm of the same scenario, and for the change of an arm against itself in the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas

from winnow import statistics
from winnow.tables import _finals
from winnow.tables._runs import Run

GROUPS = ("final",)
FILES = ("metrics.csv", "run.json")
COLUMNS = ["scenario", "arm"]


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per scenario and arm, in the order of the runs.

    spec["reference"]: the arm, spec["baseline"]: the scenario to compare with, or None.
    """
    lanes = pandas.DataFrame([{**lane.columns, **lane.end()} for lane in _finals.lanes(runs)])
    if not lanes.empty:
        yield from summarise(lanes, spec.get("reference"), spec.get("baseline"))


def summarise(
    lanes: pandas.DataFrame, reference: str | None, baseline: str | None = None
) -> Iterator[dict[str, object]]:
    """The rows of this table from those of the table 'final_runs'."""
    finished = lanes[lanes["diverged_step"].isna()]
    accuracy = {
        key: dict(zip(group["seed"], group["test_accuracy"], strict=True)) for key, group in finished.groupby(COLUMNS)
    }
    for (scenario, arm), group in lanes.groupby(COLUMNS, sort=False):
        alive = group[group["diverged_step"].isna()]
        theirs = accuracy.get((scenario, reference), {}) if arm != reference else {}
        before = accuracy.get((baseline, arm), {}) if scenario != baseline else {}
        mine = accuracy.get((scenario, arm), {})
        pairs, change = (statistics.paired(mine, other).difference for other in (theirs, before))
        yield {
            "scenario": scenario,
            "arm": arm,
            "sparsifier": group["sparsifier"].iloc[0],
            "density": (alive if len(alive) else group)["density"].mean(),
            "n": len(alive),
            "diverged": len(group) - len(alive),
            **_estimate(alive, "test_loss"),
            **_estimate(alive, "test_accuracy"),
            **{name: alive[name].mean() for name in _finals.COST},
            "reference": reference if arm != reference else None,
            "difference": pairs.mean,
            "difference_ci95_low": pairs.low,
            "difference_ci95_high": pairs.high,
            "pairs": pairs.n if arm != reference else None,
            "baseline": baseline if scenario != baseline else None,
            "change": change.mean,
            "change_ci95_low": change.low,
            "change_ci95_high": change.high,
            "change_pairs": change.n if baseline and scenario != baseline else None,
        }


def _estimate(lanes: pandas.DataFrame, column: str) -> dict[str, float | None]:
    """The mean of a column with its spread; a loss that overflowed counts as none."""
    values = lanes[column].to_numpy(dtype=float)
    found = statistics.estimate(values[np.isfinite(values)].tolist())
    return {
        column: found.mean,
        f"{column}_sd": found.sd,
        f"{column}_ci95_low": found.low,
        f"{column}_ci95_high": found.high,
    }
