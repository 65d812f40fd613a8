"""Training loss at every step of the final runs that log it (`step_losses: true`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("final",)
FILES = ("steps.csv",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Per run as its file has them."""
    for run in runs:
        if Path(run.folder, "steps.csv").is_file():
            for row in run.rows("steps.csv", "steps"):
                yield {"scenario": run.recipe, "arm": run.arm, **row}
