"""A training job through the store: train it, or find it there under its lane key, and put its files into its folder.

The *lane key* hashes the spec with the learning rate resolved, the sources, the data set and the contents of the
weights and masks that the job starts from.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winnow import engine, io, provenance, step_log
from winnow import store as stores
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


def run(
    job: TrainingJob, setting: Setting, place: Place, spec: dict[str, Any], known: dict[str, Arrays],
    plug_ins: list[tuple[str, str]], inputs: dict[str, str],
) -> None:  # fmt: skip
    """Train `job`, or find it in the store, and put its files into `place.out`. `known`: tensors written beside."""
    training = setting.spec
    plug_ins = [*plug_ins, *training_plugins(training.json())]
    columns = [*SCHEMAS["metrics"], *(SCHEMAS["steps"] if job.step_losses else ())]
    spec_and_columns = {**spec, "columns": columns}
    dataset = io.read_json(place.data / "dataset.json")
    # The import closure of winnow/runs.py is all that can change a result.
    key = provenance.result_key(spec_and_columns, "winnow/runs.py", plug_ins, dataset, inputs.values())
    stores.claim(place.out, key)
    with stores.locked(place.store, key) as entry:
        if (files := entry.whole()) is None:
            outcome, cost = _train(job, setting, place, entry)
            seeds = {"seeds": provenance.canonical(job.seeds)}

            def write(folder: Path) -> None:
                tensors = {"final": outcome.final, "rewind": outcome.rewind, "mask": outcome.mask, **known}
                for name, arrays in tensors.items():
                    if arrays:
                        io.write_tensors(folder / f"{name}.safetensors", arrays, seeds)
                io.write_table(folder / "metrics.csv", "metrics", outcome.rows)
                if outcome.step_losses is not None:
                    steps = step_log.rows(outcome.step_losses, job.seeds, job.first, outcome.diverged)
                    io.write_table(folder / "steps.csv", "steps", steps)
                io.write_json(folder / "run.json", {
                    "spec": spec, "lr": training.lr, "seeds": job.seeds, "lane_key": key,
                    "diverged": [s for s, step in zip(job.seeds, outcome.diverged, strict=True) if step is not None],
                    "sample_gradients": outcome.sample_gradients, **cost, **engine.versions(),
                    "parameters": {name: math.prod(shape) for name, shape in setting.model.shapes.items()},
                    "multiply_adds": setting.model.multiply_adds,
                    "update_multiply_adds": outcome.update_multiply_adds,
                })  # fmt: skip

            files = entry.finish(write)
        else:
            print(f"store: {key} was trained before; nothing to train", flush=True)
        entry.link(files, place.out)
    removed = stores.shrink(place.store, place.store_limit)
    if removed:
        print(f"store: removed {len(removed)} oldest entries to stay below {place.store_limit / 1e9:g} GB", flush=True)


def _train(job: TrainingJob, setting: Setting, place: Place, entry: stores.Entry) -> tuple[Outcome, dict[str, Any]]:
    engine.set_threads(setting.spec.threads)
    saved = entry.checkpoint()
    path = saved[0]["matmul"] if saved else engine.matmul_path(place.store)
    engine.use_matmul_path(path)
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
        "peak_memory_bytes": engine.peak_memory(),
    }  # fmt: skip
