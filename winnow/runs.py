"""From a spec and input files to a finished run in its folder: dense runs, rounds, and runs pruned on the way.

Every run goes through the store (winnow.store): its *lane key* hashes the spec with the learning rate resolved, the
sources, the data set and the contents of the weights and masks that it starts from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from winnow import data as datasets
from winnow import engine, io, lottery, masks, plugins, provenance
from winnow import store as stores
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.progress import Progress
from winnow.schemas import SCHEMAS
from winnow.seeds import stream
from winnow.spec import InRunSpec, RoundSpec, TrainSpec
from winnow.train import Arrays, InRunPruning, Job, Outcome, Trainer

NOT_IN_RESULT = {"winnow/schemas.py", "winnow/store.py", "winnow/progress.py", "winnow/atomic.py"}


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes: the packed data set, its own folder, and the store (limit in bytes)."""

    data: Path
    out: Path
    store: Path
    store_limit: int = 20 * 10**9


@dataclass(frozen=True)
class _Setting:
    """What follows from a training spec alone."""

    spec: TrainSpec
    data: datasets.Data
    model: Any
    train: np.ndarray
    validation: np.ndarray

    @property
    def per_epoch(self) -> int:
        return -(-len(self.train) // self.spec.batch_size)

    def iterations(self, duration: str) -> int:
        return Duration.parse(duration).iterations(self.per_epoch)

    @property
    def total(self) -> int:
        return self.iterations(self.spec.length)

    def factor(self, options: dict[str, Any], total: int | None = None) -> Callable[[int], float]:
        schedule = plugins.load("schedules", options["name"])
        rest = {key: value for key, value in options.items() if key != "name"}
        end, per_epoch = self.total if total is None else total, self.per_epoch
        return lambda iteration: float(schedule.factor(iteration, total=end, per_epoch=per_epoch, **rest))

    def initialise(self, purpose: str, index: int = 0) -> Arrays:
        lanes = [self.model.initialise(stream(seed, purpose, index)) for seed in self.spec.seeds]
        return {name: np.stack([lane[name] for lane in lanes]).astype(np.float32) for name in lanes[0]}

    def prunable(self, patterns: list[str]) -> list[str]:
        return masks.prunable(list(self.model.shapes), patterns)

    def streams(self, index: int) -> list[np.random.Generator]:
        return [stream(seed, "mask", index) for seed in self.spec.seeds]


def _setting(spec: TrainSpec, place: Place) -> _Setting:
    data = datasets.load(place.data)
    if data.name != spec.dataset:
        raise UserError(f"{place.data} holds the data set {data.name}, but the job is to train on {spec.dataset}.")
    options = {key: value for key, value in spec.model.items() if key != "name"}
    model = plugins.load_class("models", spec.model["name"])(shape=data.shape, classes=data.classes, **options)
    count = len(data.train_labels)
    if spec.train_on == "all":
        train, validation = np.arange(count), np.arange(0)
    elif spec.train_on == "holdout":
        train, validation = datasets.holdout(count, spec.validation)
    else:
        raise UserError(f"train_on: {spec.train_on!r} is not valid; valid are 'holdout' and 'all'.")
    setting = _Setting(spec, data, model, train, validation)
    if not setting.iterations(spec.rewind) < setting.total:
        raise UserError(f"rewind: {spec.rewind} is at or after the end of training (length: {spec.length}).")
    return setting


def resolve(spec: TrainSpec, best: Path | None) -> TrainSpec:
    """The spec with "best" replaced by the learning rate that selection wrote to `best`."""
    if spec.lr != "best":
        return spec
    if best is None:
        raise UserError("lr: 'best' needs the file that selection wrote (--best best.json).")
    chosen = io.read_json(best)
    if chosen["lr"] is None:
        tried = ", ".join(candidate["lr"] for candidate in chosen["candidates"])
        raise UserError(
            f"lr: 'best' cannot be used: a lane diverged at each rate of the sweep ({tried}). "
            "Give smaller rates in config (arms: rates), or name a pruning_rate."
        )
    return dataclasses.replace(spec, lr=chosen["lr"])


def train_dense(spec: TrainSpec, place: Place) -> None:
    """Train the unpruned network: metrics, init, rewind and final weights, run.json in `place.out`."""
    setting = _setting(spec, place)
    init = setting.initialise("init")
    job = _job(setting, init, None, setting.factor(spec.schedule), first=0)
    _run(job, setting, place, spec.json(), {"init": init}, plug_ins=[], inputs={})


def prune_round(spec: RoundSpec, place: Place, dense: Path, previous: Path) -> None:
    """One prune - restart - train step after the run in `previous`, of the dense run in `dense`; adds mask.safetensors.

    UserError if the runs were trained with other seeds.
    """
    setting = _setting(spec.training, place)
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
    job = _job(setting, start, mask, lambda i: factor(begin.position(i)), first=begin.start, dead=dead)
    job = dataclasses.replace(job, rewind=None)
    value = dataclasses.asdict(spec)
    _run(job, setting, place, value, {"mask": mask}, plug_ins=[("criteria", recipe.criterion)], inputs=inputs)


def prune_in_run(spec: InRunSpec, place: Place) -> None:
    """One run from initialisation that is pruned on the way; the mask written is the last one."""
    setting = _setting(spec.training, place)
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
    job = _job(setting, init, None, setting.factor(spec.training.schedule), first=0)
    job = dataclasses.replace(job, prunings=prunings)
    value = dataclasses.asdict(spec)
    _run(job, setting, place, value, {"init": init}, plug_ins=[("criteria", spec.criterion)], inputs={})


def _job(
    setting: _Setting,
    start: Arrays,
    mask: Arrays | None,
    factor: Callable[[int], float],
    first: int,
    dead: tuple[int, ...] = (),
) -> Job:
    spec = setting.spec
    return Job(
        model=setting.model, optimizer=spec.optimizer, lr=float(spec.lr), factor=factor, start=start, mask=mask,
        seeds=spec.seeds, train=setting.train, validation=setting.validation, first=first, last=setting.total,
        per_epoch=setting.per_epoch, evaluate_every=setting.iterations(spec.evaluate_every),
        rewind=setting.iterations(spec.rewind), batch_size=spec.batch_size, clip=spec.clip,
        dtype=engine.dtype(spec.precision), device=engine.device(spec.device), dead=dead,
    )  # fmt: skip


def _read(path: Path, seeds: list[int]) -> tuple[Arrays, str]:
    arrays, metadata = io.read_tensors(path)
    if metadata.get("seeds") != provenance.canonical(seeds):
        raise UserError(f"{path} holds the seeds {metadata.get('seeds')}, but the job is for {seeds}.")
    return arrays, metadata["sha256"]


def _run(
    job: Job, setting: _Setting, place: Place, spec: dict[str, Any], known: dict[str, Arrays],
    plug_ins: list[tuple[str, str]], inputs: dict[str, str],
) -> None:  # fmt: skip
    """Train `job`, or find it in the store, and put its files into `place.out`. `known`: tensors written beside."""
    training = setting.spec
    plug_ins = [
        *plug_ins, ("datasets", training.dataset), ("models", training.model["name"]),
        ("optimizers", training.optimizer["name"]), ("schedules", training.schedule["name"]),
    ]  # fmt: skip
    inputs["data"] = hashlib.sha256((place.data / "dataset.json").read_bytes()).hexdigest()
    # The import closure of this module is all that can change a result, less what only keeps or shows it.
    sources = provenance.sources("winnow/runs.py", plug_ins)
    sources = {name: digest for name, digest in sources.items() if name not in NOT_IN_RESULT}
    key = provenance.job_key({**spec, "columns": list(SCHEMAS["metrics"])}, sources, inputs.values())
    stores.claim(place.out, key)
    with stores.locked(place.store, key) as entry:
        if (files := entry.whole()) is None:
            outcome, cost = _train(job, setting, place, entry)
            seeds = {"seeds": provenance.canonical(job.seeds)}

            def write(folder: Path) -> None:
                tensors = {**known, "final": outcome.final, "rewind": outcome.rewind, "mask": outcome.mask}
                for name, arrays in tensors.items():
                    if arrays:
                        io.write_tensors(folder / f"{name}.safetensors", arrays, seeds)
                io.write_table(folder / "metrics.csv", "metrics", outcome.rows)
                io.write_json(folder / "run.json", {
                    "spec": spec, "lr": training.lr, "seeds": job.seeds, "lane_key": key,
                    "diverged": [s for s, step in zip(job.seeds, outcome.diverged, strict=True) if step is not None],
                    "sample_gradients": outcome.sample_gradients, **cost, **engine.versions(),
                })  # fmt: skip

            files = entry.finish(write)
        else:
            print(f"store: {key} was trained before; nothing to train", flush=True)
        entry.link(files, place.out)
    removed = stores.shrink(place.store, place.store_limit)
    if removed:
        print(f"store: removed {len(removed)} oldest entries to stay below {place.store_limit / 1e9:g} GB", flush=True)


def _train(job: Job, setting: _Setting, place: Place, entry: stores.Entry) -> tuple[Outcome, dict[str, Any]]:
    engine.set_threads(setting.spec.threads)
    saved = entry.checkpoint()
    path = saved[0]["matmul"] if saved else engine.matmul_path(place.store)
    engine.use_matmul_path(path)
    trainer = Trainer(job, setting.data)
    spent = 0.0
    if saved:
        trainer.restore(saved[0]["trainer"], saved[1])
        spent = saved[0]["seconds"]
        print(f"store: continuing at iteration {trainer.iteration} of {job.last}", flush=True)
    began = time.monotonic()
    lanes = len(job.seeds)
    progress = Progress(place.out, job.first, job.last, job.per_epoch, job.batch_size * lanes)
    progress.begin(trainer.iteration)
    written, cost = 0.0, 0.0

    def on_mark(trainer: Trainer) -> None:
        nonlocal written, cost
        progress.row(trainer.iteration, trainer.outcome.rows[-lanes:])
        now = time.monotonic()
        # Rows can be due every few milliseconds: checkpoints take 5 % of the time at most.
        if trainer.iteration < job.last and now - written > 20 * cost:
            state, arrays = trainer.state()
            entry.save({"trainer": state, "matmul": path, "seconds": spent + now - began}, arrays)
            written, cost = time.monotonic(), time.monotonic() - now
        with entry.claimed(place.out):
            pass  # a newer job with other values has not begun: its folder would not take this one's files

    outcome = trainer.run(on_mark, progress.tick)
    seconds = spent + time.monotonic() - began
    images = sum(outcome.sample_gradients)
    return outcome, {
        "train_seconds": seconds, "images_per_second": images / seconds, "device": str(job.device), "matmul": path,
        "peak_memory_bytes": engine.peak_memory(),
    }  # fmt: skip
