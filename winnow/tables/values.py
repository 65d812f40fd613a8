"""The validation accuracies that a sweep's trials reached with each value of each setting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run
from winnow.trial_statistics import value_rows

GROUPS = ("sweep",)
FILES = ("trials.csv",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Per sweep, setting and value; without settings that have one value."""
    for run in runs:
        for row in value_rows(run.trials()):
            yield {"sweep": run.arm, **row}
