"""The final runs of a study of optimisers: what every seed was set to, ended with and has cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from winnow import io
from winnow.provenance import canonical
from winnow.tables import _finals
from winnow.tables._runs import Run

GROUPS = ("tuning", "final")
FILES = ("tuning/best.json", "metrics.csv", "run.json", "final.safetensors", "mask.safetensors")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per scenario, arm and seed. An arm that was not tuned has no further settings."""
    settings = {(run.recipe, run.arm): _settings(run) for run in runs if run.group == "tuning"}
    for run in (run for run in runs if run.group == "final"):
        nonzero = _nonzero(run)
        for lane in _finals.lanes([run]):
            yield {
                **lane.columns,
                "lr": lane.lr,
                "settings": settings.get((run.recipe, run.arm), "{}"),
                "nonzero": nonzero.get(lane.seed) if lane.diverged_step is None else None,
                "epochs": lane.rows["epoch"].iloc[-1],
                **lane.end(),
            }


def _settings(run: Run) -> str:
    return canonical(io.read_json(Path(run.folder, "tuning", "best.json"))["settings"])


def _nonzero(run: Run) -> dict[int, int]:
    """{seed: number of prunable weights that are not zero}; nothing where no weight is prunable."""
    if not Path(run.folder, "mask.safetensors").is_file():
        return {}
    weights = run.tensors("final.safetensors")
    return {
        seed: sum(int(np.count_nonzero(weights[seed][name])) for name in masks) for seed, masks in run.masks().items()
    }
