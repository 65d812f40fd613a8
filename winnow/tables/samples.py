"""Pixels of one image of every class, and of the image that the table probabilities is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("classify",)
FILES = ("samples.csv",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """As the program wrote them."""
    for run in runs:
        yield from run.rows("samples.csv", "samples")
