"""How many test images of every class the best networks take for which class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("best",)
FILES = ("confusion.csv",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Per sweep and seed, every true class with every predicted one."""
    for run in runs:
        for row in run.rows("confusion.csv", "run_confusion"):
            yield {"sweep": run.arm, **row}
