"""A training job through the store: train it, or find it there under its lane key, and put its files into its folder.

The *lane key* hashes the spec with the learning rate resolved, the sources, the data set and the contents of the
weights and masks that the job starts from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from winnow import engine, io, provenance, step_log
from winnow import store as stores
from winnow.errors import UserError
from winnow.progress import Progress
from winnow.schemas import SCHEMAS
from winnow.setting import Setting
from winnow.spec import training_plugins
from winnow.train import Trainer
from winnow.training_job import Arrays, Outcome, TrainingJob


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes: the packed data set, its own folder, and the store (limit in bytes)."""

    data: Path
    out: Path
    store: Path
    store_limit: int = 20 * 10**9


@dataclass(frozen=True)
class StoredJob:
    """A training job as the store knows it.

    spec: what run.json and the key say of it; known: tensors that are written beside the trained ones, {file: arrays};
    plug_ins: (kind, name) beyond those of the training; inputs: checksums of the weights and masks that it starts from
    """

    job: TrainingJob
    setting: Setting
    spec: dict[str, Any]
    known: dict[str, Arrays]
    plug_ins: Sequence[tuple[str, str]] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)

    def key(self, data: Path) -> str:
        """The lane key, on the packed data set in `data`."""
        columns = [*SCHEMAS["metrics"], *(SCHEMAS["steps"] if self.job.step_losses else ())]
        plug_ins = [*self.plug_ins, *training_plugins(self.setting.spec.json())]
        dataset = io.read_json(data / "dataset.json")
        spec = {**self.spec, "columns": columns}
        # The import closure of winnow/runs.py is all that can change a result.
        return provenance.result_key(spec, "winnow/runs.py", plug_ins, dataset, self.inputs.values())

    def write(self, folder: Path, key: str, outcome: Outcome, cost: Mapping[str, Any]) -> None:
        """The files of the finished run."""
        job, model = self.job, self.setting.model
        seeds = {"seeds": provenance.canonical(job.seeds)}
        tensors = {"final": outcome.final, "rewind": outcome.rewind, "mask": outcome.mask, **self.known}
        for name, arrays in tensors.items():
            if arrays:
                io.write_tensors(folder / f"{name}.safetensors", arrays, seeds)
        io.write_table(folder / "metrics.csv", "metrics", outcome.rows)
        if outcome.step_losses is not None:
            steps = step_log.rows(outcome.step_losses, job.seeds, job.first, outcome.diverged)
            io.write_table(folder / "steps.csv", "steps", steps)
        io.write_json(folder / "run.json", {
            "spec": self.spec, "lr": self.setting.spec.lr, "seeds": job.seeds, "lane_key": key,
            "diverged": [s for s, step in zip(job.seeds, outcome.diverged, strict=True) if step is not None],
            "sample_gradients": outcome.sample_gradients, **cost, **engine.versions(),
            "parameters": {name: math.prod(shape) for name, shape in model.shapes.items()},
            "multiply_adds": model.multiply_adds,
            "update_multiply_adds": outcome.update_multiply_adds,
        })  # fmt: skip


def run(stored: StoredJob, place: Place) -> None:
    """Train the job, or find it in the store, and put its files into `place.out`."""
    key = stored.key(place.data)
    stores.claim(place.out, key)
    with stores.locked(place.store, key) as entry:
        if (files := entry.whole()) is None:
            outcome, cost = _train(stored.job, stored.setting, place, entry)
            files = entry.finish(lambda folder: stored.write(folder, key, outcome, cost))
        else:
            print(f"store: {key} was trained before; nothing to train", flush=True)
        entry.link(files, place.out)
    _shrink(place)


def run_together(members: Sequence[tuple[StoredJob, Path]], place: Place) -> dict[str, Any]:
    """Train jobs that differ in rates and seeds alone as lanes of one, and leave each in the store under its own key.

    members: the jobs with the folders that their files will be linked to; those that are in the store, or in their
    folder, are left out. Returns what was done: {"trained", "found": folders, "lanes", costs}.
    """
    keys = {job.key(place.data): (job, folder) for job, folder in members}
    with contextlib.ExitStack() as stack:
        missing = {}
        for key in sorted(keys):  # in one order, so that no two processes wait for each other
            entry = stack.enter_context(stores.locked(place.store, key))
            if entry.whole() is None and not _has(keys[key][1], key):
                missing[key] = entry
        folders = {key: str(folder) for key, (_, folder) in keys.items()}
        done: dict[str, Any] = {
            "trained": [folders[key] for key in keys if key in missing],
            "found": [folders[key] for key in keys if key not in missing],
        }
        if missing:
            jobs = [keys[key][0] for key in keys if key in missing]
            entries = [missing[key] for key in keys if key in missing]
            done |= _train_together(jobs, entries, place)
        else:
            print("store: all lanes were trained before; nothing to train", flush=True)
    _shrink(place)
    return done


def _train_together(jobs: Sequence[StoredJob], entries: Sequence[stores.Entry], place: Place) -> dict[str, Any]:
    key = provenance.job_key({"lanes of": [entry.folder.name for entry in entries]}, {}, [])
    stores.claim(place.out, key)
    job = together([stored.job for stored in jobs])
    _check_room(job, place)
    with stores.locked(place.store, key) as whole:
        try:
            outcome, cost = _train(job, jobs[0].setting, place, whole)
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"{len(job.seeds)} lanes at once do not fit into the memory of {job.device}. Leave `fuse` out of the "
                "config's `sweep`, or give it fewer rates or seeds."
            ) from error
        written = []
        for stored, entry, lanes, ended in zip(jobs, entries, job.blocks, outcome.ended, strict=True):
            share = len(stored.job.seeds) / len(job.seeds)
            times = {name: share * cost[name] for name in ("train_seconds", "processor_seconds")}
            part = outcome.of_block(lanes, ended, job.first)
            write = partial(stored.write, key=entry.folder.name, outcome=part, cost={**cost, **times})
            written.append((entry, entry.write(write)))
        for entry, sums in written:  # at once, since a kill in between would train the others again
            entry.mark_whole(sums)
        whole.remove()
    return {"lanes": len(job.seeds), **cost}


def together(jobs: Sequence[TrainingJob]) -> TrainingJob:
    """One job with the lanes of several that differ in rates, seeds and start weights alone."""
    start = {name: np.concatenate([job.start[name] for job in jobs]) for name in jobs[0].start}
    rates = tuple(float(rate) for job in jobs for rate in job.rates)
    ends = [0, *itertools.accumulate(len(job.seeds) for job in jobs)]
    blocks = tuple(slice(first, last) for first, last in itertools.pairwise(ends))
    seeds = [seed for job in jobs for seed in job.seeds]
    return dataclasses.replace(jobs[0], start=start, lr=rates, seeds=seeds, blocks=blocks)


def _check_room(job: TrainingJob, place: Place) -> None:
    """UserError if the store could not hold what the lanes leave until their own jobs take it."""
    needed = 3 * sum(value.nbytes for value in job.start.values())  # at the beginning, the rewind point and the end
    if needed > place.store_limit:
        raise UserError(
            f"The weights of {len(job.seeds)} lanes that are trained together need {needed / 1e9:.3g} GB of the store, "
            f"which is limited to {place.store_limit / 1e9:g} GB. Raise execution: store_gb in config."
        )


def _has(folder: Path, key: str) -> bool:
    """Whether the finished run `key` lies in `folder`."""
    try:
        return bool(io.read_json(folder / "run.json")["lane_key"] == key)
    except (UserError, OSError, KeyError, TypeError):
        return False


def _shrink(place: Place) -> None:
    removed = stores.shrink(place.store, place.store_limit)
    if removed:
        print(f"store: removed {len(removed)} oldest entries to stay below {place.store_limit / 1e9:g} GB", flush=True)


def _train(job: TrainingJob, setting: Setting, place: Place, entry: stores.Entry) -> tuple[Outcome, dict[str, Any]]:
    saved, spec = entry.checkpoint(), setting.spec
    known = saved[0]["matmul"] if saved else None
    path = engine.begin(spec.threads, spec.precision, spec.deterministic, place.store, known)
    trainer = Trainer(job, setting.data)
    spent, before = 0.0, 0.0  # seconds, by the clock and of a processor, before a resumption
    if saved:
        trainer.restore(saved[0]["trainer"], saved[1])
        spent, before = saved[0]["seconds"], saved[0]["processor_seconds"]
        print(f"store: continuing at iteration {trainer.iteration} of {job.last}", flush=True)
    began, worked = time.monotonic(), time.process_time()
    lanes = len(job.seeds)
    progress = Progress(place.out, job.first, job.last, job.timeline, lanes)
    progress.begin(trainer.iteration)
    written, cost = 0.0, 0.0

    def on_mark(trainer: Trainer) -> None:
        nonlocal written, cost
        progress.row(trainer.iteration, trainer.outcome.rows[-lanes:])
        now = time.monotonic()
        # Rows can be due every few milliseconds: checkpoints take 5 % of the time at most.
        if trainer.iteration < job.last and now - written > 20 * cost:
            state, arrays = trainer.state()
            times = {"seconds": spent + now - began, "processor_seconds": before + time.process_time() - worked}
            entry.save({"trainer": state, "matmul": path, **times}, arrays)
            written, cost = time.monotonic(), time.monotonic() - now
        with entry.claimed(place.out):
            pass  # a newer job with other values has not begun: its folder would not take this one's files

    outcome = trainer.run(on_mark, progress.tick)
    seconds = spent + time.monotonic() - began
    images = sum(outcome.sample_gradients)
    return outcome, {
        "train_seconds": seconds, "processor_seconds": before + time.process_time() - worked,
        "images_per_second": images / seconds, "device": str(job.device), "matmul": path,
        "peak_memory_bytes": engine.peak_memory(), "lanes": lanes,
    }  # fmt: skip
