"""The class probabilities that the best networks give to the chosen image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("classify",)
FILES = ("probabilities.csv",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """As the program wrote them."""
    for run in runs:
        yield from run.rows("probabilities.csv", "probabilities")
