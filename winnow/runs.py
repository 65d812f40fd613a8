"""From a spec and input files to a finished run in its folder: dense runs, rounds, and runs sparse on the way.

All that can change a result of training is in the import closure of this module, and so in the lane key (`stored_run`).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from winnow import io, lottery, masks, plugins, provenance, saliency, stored_run
from winnow.errors import UserError
from winnow.setting import Setting
from winnow.spec import FusedSpec, InRunSpec, RoundSpec, ScenarioSpec, TrainSpec
from winnow.stored_run import Place, StoredJob
from winnow.training_job import Arrays, InRunPruning, Sparsify, TrainingJob


def train_dense(spec: TrainSpec, place: Place) -> None:
    """Train the unpruned network: metrics, init, rewind and final weights, run.json in `place.out`."""
    stored_run.run(_dense(spec, place.data), place)


def train_fused(spec: FusedSpec, place: Place) -> dict[str, Any]:
    """Train unpruned networks that differ in rates and seeds as lanes of one job, into the store; what was done."""
    return stored_run.run_together([(_dense(one, place.data), folder) for one, folder in spec.runs()], place)


def _dense(spec: TrainSpec, data: Path) -> StoredJob:
    setting = Setting.of(spec, data)
    init = setting.initialise("init")
    job = setting.job(init, None, setting.factor(spec.schedule))
    return StoredJob(job, setting, spec.json(), {"init": init})


def check_rounds(specs: Sequence[RoundSpec], place: Place, dense: Path | None) -> None:
    """UserError for what is wrong with the rounds of a recipe, or with their dense run where that is there already."""
    first = specs[0]
    setting = Setting.of(first.training, place.data)
    _prunable(setting, first.prunable, specs[-1].density, first.recipe.scope)
    if dense is not None:
        _read_states(dense, dense, setting)


def prune_round(spec: RoundSpec, place: Place, dense: Path, previous: Path) -> None:
    """One prune - restart - train step after the run in `previous`, of the dense run in `dense`; adds mask.safetensors.

    UserError if the runs were trained with other seeds or another model.
    """
    setting, recipe = Setting.of(spec.training, place.data), spec.recipe
    names = _prunable(setting, spec.prunable, spec.density, recipe.scope)
    found, inputs = _read_states(dense, previous, setting)
    if recipe.criterion is None or (spec.round > 1 and not recipe.one_shot):
        found["mask"], inputs["mask"] = _read(previous / "mask.safetensors", setting, names)
    mask = found["mask"] if recipe.criterion is None else _mask(spec, setting, names, found)
    fresh = setting.initialise("restart", spec.round) if recipe.restart == "random" else None
    point = {key: found[key] for key in ("trained", "initial", "rewind")}
    start = lottery.restart(recipe.restart, **point, fresh=fresh, mask=mask)
    job = _restarted(spec, setting, start, mask, previous)
    used = [("criteria", recipe.criterion)] if recipe.criterion else []
    used += [("schedules", recipe.schedule["name"])] if recipe.schedule else []
    value = dataclasses.asdict(spec)
    stored_run.run(StoredJob(job, setting, value, {"mask": mask}, used, inputs), place)


def train_copy(spec: RoundSpec, copy: int, place: Place, dense: Path, run: Path | None) -> None:
    """Train a round once more from the rewind point, with the data order `copy` >= 1 of its seeds.

    run: the folder of the round, whose mask is taken; None: the dense network. UserError as in `prune_round`.
    """
    setting = Setting.of(spec.training, place.data)
    start, digest = _read(dense / "rewind.safetensors", setting, list(setting.model.shapes))
    inputs, mask = {"rewind": digest}, None
    if run is not None:
        names = setting.prunable(spec.prunable)
        mask, inputs["mask"] = _read(run / "mask.safetensors", setting, names)
        start = masks.apply(start, mask)
    job = dataclasses.replace(_restarted(spec, setting, start, mask, run or dense), order=copy)
    used = [("schedules", spec.recipe.schedule["name"])] if spec.recipe.schedule else []
    value = {**dataclasses.asdict(spec), "copy": copy}
    stored_run.run(StoredJob(job, setting, value, {"mask": mask or {}}, used, inputs), place)


def _mask(spec: RoundSpec, setting: Setting, names: list[str], found: dict[str, Arrays]) -> Arrays:
    assert spec.recipe.criterion is not None
    assert spec.recipe.scope is not None
    needs = plugins.constant("criteria", spec.recipe.criterion, "NEEDS")
    context = lottery.Context(
        weights=found["trained"],
        initial=found["initial"],
        rewind=found["rewind"],
        mask=found.get("mask"),
        streams=setting.streams(spec.round),
        names=names,
        network=saliency.network(setting, spec.round) if "network" in needs else None,
    )
    return lottery.make_mask(spec.recipe.criterion, context, spec.density, spec.recipe.scope)


def _restarted(spec: RoundSpec, setting: Setting, start: Arrays, mask: Arrays | None, previous: Path) -> TrainingJob:
    """The training of a round from `start`: its part of the dense run's iterations, with lanes frozen that diverged."""
    recipe = spec.recipe
    begin = lottery.start_of(
        recipe.restart, recipe.schedule_restart, setting.iterations(spec.training.rewind), setting.total
    )
    factor = setting.factor(recipe.schedule or spec.training.schedule)
    dead = tuple(io.read_json(previous / "run.json")["diverged"])
    job = setting.job(start, mask, lambda i: factor(begin.position(i)), first=begin.start, dead=dead)
    return dataclasses.replace(job, rewind=None)


def prune_in_run(spec: InRunSpec, place: Place) -> None:
    """One run from initialisation that is pruned on the way; the mask written is the last one."""
    setting = Setting.of(spec.training, place.data)
    names = _prunable(setting, spec.prunable, min(spec.in_run.densities), spec.scope)
    init = setting.initialise("init")

    def pruning(index: int, at: str, density: float) -> InRunPruning:
        def prune(weights: Arrays, rewind: Arrays, before: Arrays | None) -> tuple[Arrays, Arrays]:
            context = lottery.Context(weights, init, rewind, before, setting.streams(index), names)
            mask = lottery.make_mask(spec.criterion, context, density, spec.scope)
            # As in the seed study: only the pruned tensors return to the rewind point.
            return mask, masks.apply({**weights, **{name: rewind[name] for name in names}}, mask)

        iteration = setting.iterations(at)
        return InRunPruning(iteration, prune, setting.factor(spec.in_run.schedule_after, since=iteration))

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
    stored_run.run(StoredJob(job, setting, value, {"init": init}, used), place)


def scenario(spec: ScenarioSpec, data: Path) -> tuple[Setting, TrainingJob]:
    """One run from initialisation on the packed data set in `data`; a sparsifier changes its mask, if there is one."""
    setting = Setting.of(spec.training, data)
    job = setting.job(setting.initialise("init"), None, setting.factor(spec.training.schedule))
    job = dataclasses.replace(job, rewind=None)
    if spec.sparsify is None:
        return setting, job
    names = _prunable(setting, spec.prunable, spec.sparsify["density"], spec.scope)
    constraint = Sparsify(spec.sparsify, names, spec.scope, setting.iterations, setting.total)
    return setting, dataclasses.replace(job, sparsify=constraint)


def train_scenario(spec: ScenarioSpec, place: Place) -> None:
    """Train in a scenario; the mask written is the last one, or keeps all prunable weights without a sparsifier."""
    setting, job = scenario(spec, place.data)
    known, used = {"init": job.start}, []
    if spec.sparsify is None:
        shapes = {name: (len(job.seeds), *setting.model.shapes[name]) for name in setting.prunable(spec.prunable)}
        known["mask"] = {name: np.ones(shape, dtype=bool) for name, shape in shapes.items()}
    else:
        used = [("sparsifiers", spec.sparsify["name"])]
    stored_run.run(StoredJob(job, setting, dataclasses.asdict(spec), known, used), place)


def _prunable(setting: Setting, patterns: list[str], density: float | dict[str, float], scope: str | None) -> list[str]:
    """The prunable tensors; UserError if a pattern matches none, or the density keeps nothing of them."""
    names = setting.prunable(patterns)
    masks.check_kept(density, {name: math.prod(setting.model.shapes[name]) for name in names}, scope)
    return names


def _read_states(dense: Path, previous: Path, setting: Setting) -> tuple[dict[str, Arrays], dict[str, str]]:
    """({state: weights}, {state: checksum}) that a round starts from."""
    found: dict[str, Arrays] = {}
    inputs: dict[str, str] = {}
    for name, path in {
        "initial": dense / "init.safetensors",
        "rewind": dense / "rewind.safetensors",
        "trained": previous / "final.safetensors",
    }.items():
        found[name], inputs[name] = _read(path, setting, list(setting.model.shapes))
    return found, inputs


def _read(path: Path, setting: Setting, names: list[str]) -> tuple[Arrays, str]:
    """(tensors, checksum) of a file of an earlier run; UserError unless it has the job's seeds and model."""
    arrays, metadata = io.read_tensors(path)
    seeds, model = setting.spec.seeds, setting.spec.model
    if metadata.get("seeds") != provenance.canonical(seeds):
        raise UserError(f"{path} holds the seeds {metadata.get('seeds')}, but the job is for {seeds}.")
    found = {name: value.shape[1:] for name, value in arrays.items()}
    expected = {name: tuple(setting.model.shapes[name]) for name in names}
    for name in {**expected, **found}:
        if found.get(name) != expected.get(name):
            has, needs = (f"of shape {shapes[name]}" if name in shapes else "missing" for shapes in (found, expected))
            raise UserError(
                f"{path} is of a run with another model or other prunable tensors: there {name} is {has}, but in this "
                f"job with the model {provenance.canonical(model)} it is {needs}. Give the same options as for that "
                "run, or name another."
            )
    return arrays, metadata["sha256"]
