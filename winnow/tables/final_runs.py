"""The final runs of a study of optimisers: what every seed was set to, ended with and has cost.

A scenario's promise is checked here: never more weights than its density allows, from the moment on at which the
sparsifier has come to it. Evaluations are counted by their masks, the weights that training ended with one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from winnow import io, masks
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.provenance import canonical
from winnow.tables import _finals
from winnow.tables._runs import Run

GROUPS = ("tuning", "final")
FILES = ("tuning/best.json", "metrics.csv", "run.json", "final.safetensors", "mask.safetensors")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per scenario, arm and seed. An arm that was not tuned has no further settings.

    spec["tuned_in"]: {scenario: the one whose settings it takes}; spec["sparse_from"]: {scenario: the moment from which
    its density holds}, where not throughout. UserError: a lane has more weights than it may have.
    """
    elsewhere = spec.get("tuned_in", {})
    settings = {(run.recipe, run.arm): _settings(run) for run in runs if run.group == "tuning"}
    for run in (run for run in runs if run.group == "final"):
        nonzero, allowed = _nonzero(run), _allowed(run)
        moment = Duration.parse(spec.get("sparse_from", {}).get(run.recipe, "0ep"))
        tuned = elsewhere.get(run.recipe, run.recipe), run.arm
        for lane in _finals.lanes([run]):
            if allowed is not None and lane.diverged_step is None:
                _check(lane, nonzero[lane.seed], *allowed, moment)
            yield {
                **lane.columns,
                "lr": lane.lr,
                "settings": settings.get(tuned, "{}"),
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


def _allowed(run: Run) -> tuple[int, int] | None:
    """(weights that may be nonzero, of how many) of a sparse scenario."""
    spec = io.read_json(Path(run.folder, "run.json"))["spec"]
    if not (sparsify := spec.get("sparsify")):
        return None
    sizes = [mask.size for mask in run.masks()[run.seeds[0]].values()]
    groups = sizes if spec["scope"] == "layerwise" else [sum(sizes)]
    count = sum(masks.kept_count(sparsify["density"], size) for size in groups)
    return count, sum(sizes)


def _check(lane: _finals.Lane, nonzero: int, allowed: int, total: int, moment: Duration) -> None:
    after = lane.rows["epoch" if moment.unit == "ep" else "iteration"] > moment.count
    most = max([nonzero, *(lane.rows.loc[after, "density"] * total).round().astype(int)])
    if most > allowed:
        raise UserError(
            f"{lane.run.folder}: seed {lane.seed} has {most} nonzero weights of {total} after {moment}, but its "
            f"scenario allows {allowed}. The sparsifier {lane.sparsifier} does not keep to its density."
        )
