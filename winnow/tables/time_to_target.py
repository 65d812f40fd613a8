"""What it took every final run of a study of optimisers to reach the targets, at the first evaluation that does.

Only evaluations at the run's last density count, or at a lower one: a network that is pruned while it trains has not
reached a target by passing it dense. A lane that diverged later has reached nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables import _finals
from winnow.tables._runs import Run

GROUPS = ("final",)
FILES = ("metrics.csv", "run.json")
COLUMNS = ("epoch", "iteration", *_finals.COST)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per scenario, arm, seed and target. spec["targets"]: test accuracies, as shares."""
    for lane in _finals.lanes(runs):
        sparse = lane.rows["density"] <= lane.rows["density"].iloc[-1] + 1e-9
        for target in spec.get("targets", []):
            reached = lane.rows[sparse & (lane.rows["test_accuracy"] >= target)]
            if lane.diverged_step is not None or reached.empty:
                found: dict[str, Any] = dict.fromkeys(COLUMNS)
            else:
                found = {name: reached.iloc[0][name] for name in COLUMNS}
            yield {**lane.columns, "target": target, **found}
