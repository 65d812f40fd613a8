"""How much each setting of a sweep matters for the validation accuracy: fANOVA and correlation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run
from winnow.trial_statistics import importance_rows

GROUPS = ("sweep",)
FILES = ("trials.csv",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Per sweep, the most important setting first; without settings that have one value."""
    for run in runs:
        for row in importance_rows(run.trials()):
            yield {"sweep": run.arm, **row}
