"""The course of every final run of a study of optimisers: one row per evaluation, with what it had cost by then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables import _finals
from winnow.tables._runs import Run

GROUPS = ("final",)
FILES = ("metrics.csv", "run.json")
COLUMNS = ("epoch", "iteration", "lr", "density", "train_loss", "test_loss", "test_accuracy", *_finals.COST)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """A lane that diverged has its rows up to then."""
    for lane in _finals.lanes(runs):
        for row in lane.rows.to_dict("records"):
            yield {**lane.columns, **{name: row[name] for name in COLUMNS}}
