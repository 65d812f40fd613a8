"""The second stage of a sweep: its best configurations, trained again with other seeds, in the order of their means.

The best of many trials owes part of its accuracy to luck: to its seed, and to what the validation images happen to be.
A mean over fresh seeds takes the first part away. The trial that made a configuration a finalist does not count in it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from winnow import io


def accuracy(folder: Path) -> float:
    """Validation accuracy after the last epoch of a run; 0 for one that diverged."""
    last = io.read_table(folder / "metrics.csv", "metrics").iloc[-1]
    return 0.0 if np.isfinite(last["diverged_step"]) else float(last["validation_accuracy"])


def ranked(configurations: Sequence[Mapping[str, Any]], reached: Mapping[int, Sequence[float]]) -> list[dict[str, Any]]:
    """The finalists as best.json has configurations, the best mean first, then by their order in the sweep.

    reached: the accuracies of each finalist's seeds, by its rank in the sweep; `validation_accuracy` becomes their
    mean.
    """
    order = sorted(reached, key=lambda rank: (-statistics.fmean(reached[rank]), rank))
    found = []
    for new, rank in enumerate(order, start=1):
        before = configurations[rank - 1]
        found.append(
            {
                "rank": new,
                "trial": before["trial"],
                "name": before["name"],
                "validation_accuracy": statistics.fmean(reached[rank]),
                "accuracies": list(reached[rank]),
                "trial_rank": rank,
                "trial_accuracy": before["validation_accuracy"],
                "settings": before["settings"],
            }
        )
    return found
