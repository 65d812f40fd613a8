"""Cross-entropy against squared error in numbers: differences of the pairs in the table losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from winnow.scratch.names import NAMES
from winnow.statistics import paired
from winnow.tables import losses
from winnow.tables._runs import Run

GROUPS = ("loss_pairs",)
FILES = ("metrics.csv", "config.json")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One per set of images. A pair counts where neither of its trainings diverged."""
    found = list(losses.rows(runs, spec))
    for images in ("train", "validation", "test"):
        first, second = (_accuracies(found, loss, f"{images}_accuracy") for loss in NAMES["loss"][1])
        both = sorted(first.keys() & second.keys())
        difference = paired(first, second).difference
        yield {
            "images": images,
            "pairs": len(both),
            "cross_entropy": np.mean([first[pair] for pair in both]) if both else None,
            "mean_squared_error": np.mean([second[pair] for pair in both]) if both else None,
            "difference": difference.mean,
            "sd": difference.sd,
            "low": difference.low,
            "high": difference.high,
            "better": np.mean([first[pair] > second[pair] for pair in both]) if both else None,
        }


def _accuracies(found: list[dict[str, object]], loss: str, column: str) -> dict[int, float]:
    """{pair: accuracy} of the trainings with that loss which did not diverge."""
    values: list[tuple[Any, Any]] = [(row["pair"], row[column]) for row in found if row["loss"] == loss]
    return {pair: float(value) for pair, value in values if value is not None and np.isfinite(value)}
