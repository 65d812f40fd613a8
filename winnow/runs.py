"""From a spec and input files to a finished run in its folder: dense runs, rounds, and runs pruned on the way.

All that can change a result of training is in the import closure of this module, and so in the lane key (`stored_run`).
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

from winnow import io, lottery, masks, provenance, stored_run
from winnow.errors import UserError
from winnow.setting import Setting
from winnow.spec import InRunSpec, RoundSpec, TrainSpec
from winnow.stored_run import Place
from winnow.training_job import Arrays, InRunPruning


def train_dense(spec: TrainSpec, place: Place) -> None:
    """Train the unpruned network: metrics, init, rewind and final weights, run.json in `place.out`."""
    setting = Setting.of(spec, place.data)
    init = setting.initialise("init")
    job = setting.job(init, None, setting.factor(spec.schedule))
    stored_run.run(job, setting, place, spec.json(), {"init": init}, plug_ins=[], inputs={})


def prune_round(spec: RoundSpec, place: Place, dense: Path, previous: Path) -> None:
    """One prune - restart - train step after the run in `previous`, of the dense run in `dense`; adds mask.safetensors.

    UserError if the runs were trained with other seeds.
    """
    setting = Setting.of(spec.training, place.data)
    recipe, inputs = spec.recipe, {}
    found: dict[str, Arrays] = {}
    for name, path in {
        "initial": dense / "init.safetensors",
        "rewind": dense / "rewind.safetensors",
        "trained": previous / "final.safetensors",
    }.items():
        found[name], inputs[name] = _read(path, spec.training.seeds)
    before = None
    if spec.round > 1:
        before, inputs["mask"] = _read(previous / "mask.safetensors", spec.training.seeds)
    names = setting.prunable(spec.prunable)
    context = lottery.Context(
        found["trained"], found["initial"], found["rewind"], before, setting.streams(spec.round), names
    )
    mask = lottery.make_mask(recipe.criterion, context, spec.density, recipe.scope)
    fresh = setting.initialise("restart", spec.round) if recipe.restart == "random" else None
    point = {key: found[key] for key in ("trained", "initial", "rewind")}
    start = lottery.restart(recipe.restart, **point, fresh=fresh, mask=mask)
    begin = lottery.start_of(
        recipe.restart, recipe.schedule_restart, setting.iterations(spec.training.rewind), setting.total
    )
    factor = setting.factor(recipe.schedule or spec.training.schedule)
    dead = tuple(io.read_json(previous / "run.json")["diverged"])
    job = setting.job(start, mask, lambda i: factor(begin.position(i)), first=begin.start, dead=dead)
    job = dataclasses.replace(job, rewind=None)
    value = dataclasses.asdict(spec)
    used = [("criteria", recipe.criterion), *([("schedules", recipe.schedule["name"])] if recipe.schedule else [])]
    stored_run.run(job, setting, place, value, {"mask": mask}, plug_ins=used, inputs=inputs)


def prune_in_run(spec: InRunSpec, place: Place) -> None:
    """One run from initialisation that is pruned on the way; the mask written is the last one."""
    setting = Setting.of(spec.training, place.data)
    names, init = setting.prunable(spec.prunable), setting.initialise("init")

    def pruning(index: int, at: str, density: float) -> InRunPruning:
        def prune(weights: Arrays, rewind: Arrays, before: Arrays | None) -> tuple[Arrays, Arrays]:
            context = lottery.Context(weights, init, rewind, before, setting.streams(index), names)
            mask = lottery.make_mask(spec.criterion, context, density, spec.scope)
            # As in the seed study: only the pruned tensors return to the rewind point.
            return mask, masks.apply({**weights, **{name: rewind[name] for name in names}}, mask)

        iteration = setting.iterations(at)
        return InRunPruning(iteration, prune, setting.factor(spec.in_run.schedule_after, setting.total - iteration))

    steps = zip(spec.in_run.at, spec.in_run.densities, strict=True)
    prunings = tuple(pruning(index, at, density) for index, (at, density) in enumerate(steps, start=1))
    if any(later.iteration <= earlier.iteration for earlier, later in itertools.pairwise(prunings)):
        raise UserError(f"in_run.at: {', '.join(spec.in_run.at)} is not in increasing order.")
    if prunings[0].iteration < setting.iterations(spec.training.rewind) or prunings[-1].iteration > setting.total:
        raise UserError(f"in_run.at: {', '.join(spec.in_run.at)} must lie between the rewind point and the end.")
    job = setting.job(init, None, setting.factor(spec.training.schedule))
    job = dataclasses.replace(job, prunings=prunings)
    value = dataclasses.asdict(spec)
    used = [("criteria", spec.criterion), ("schedules", spec.in_run.schedule_after["name"])]
    stored_run.run(job, setting, place, value, {"init": init}, plug_ins=used, inputs={})


def _read(path: Path, seeds: list[int]) -> tuple[Arrays, str]:
    arrays, metadata = io.read_tensors(path)
    if metadata.get("seeds") != provenance.canonical(seeds):
        raise UserError(f"{path} holds the seeds {metadata.get('seeds')}, but the job is for {seeds}.")
    return arrays, metadata["sha256"]
