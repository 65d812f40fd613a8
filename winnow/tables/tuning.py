"""Every trial and finalist that an arm of a study of optimisers was tuned with, and which of them was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow import io
from winnow.tables._runs import Run

GROUPS = ("tuning",)
FILES = ("tuning/trials.csv", "tuning/best.json")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per trial and finalist. A finalist has the number of its trial; of the two it is the chosen one."""
    for run in runs:
        trials = list(run.rows("tuning/trials.csv", "tuning_trials"))
        best = io.read_json(Path(run.folder, "tuning", "best.json"))["trial"]
        same = [place for place, trial in enumerate(trials) if trial["trial"] == best]
        chosen = max(same, key=lambda place: trials[place]["stage"] == "finalist", default=None)
        for place, trial in enumerate(trials):
            yield {"scenario": run.recipe, "arm": run.arm, **trial, "chosen": place == chosen}
