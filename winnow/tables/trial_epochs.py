"""Losses and accuracies of every trial of every sweep, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("sweep",)
FILES = ("epochs.csv",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Per sweep in the order in which the trials were begun."""
    for run in runs:
        yield from run.rows("epochs.csv", "trial_epochs")
