"""What follows from a training spec alone: data, model, images to train on, iterations, schedule, initialisation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from winnow import data as datasets
from winnow import engine, io, masks, plugins
from winnow import timeline as timelines
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.seeds import stream
from winnow.spec import TrainSpec
from winnow.training_job import Arrays, TrainingJob


@dataclass(frozen=True)
class Setting:
    """A training spec with what it names: `train` and `validation` are indices of training images."""

    spec: TrainSpec
    data: datasets.Data
    model: Any
    train: np.ndarray
    validation: np.ndarray
    timeline: timelines.Timeline

    @classmethod
    def of(cls, spec: TrainSpec, folder: Path) -> Setting:
        """With the packed data set in `folder`. UserError: another data set, an impossible value."""
        data = datasets.load(folder)
        if data.name != spec.dataset:
            raise UserError(f"{folder} holds the data set {data.name}, but the job is to train on {spec.dataset}.")
        options = {key: value for key, value in spec.model.items() if key != "name"}
        model = plugins.load_class("models", spec.model["name"])(shape=data.shape, classes=data.classes, **options)
        count = len(data.train_labels)
        if spec.train_on == "all":
            train, validation = np.arange(count), np.arange(0)
        elif spec.train_on == "holdout":
            train, validation = datasets.holdout(count, spec.validation)
        else:
            raise UserError(f"train_on: {spec.train_on!r} is not valid; valid are 'holdout' and 'all'.")
        if spec.inputs == "unit":
            data = dataclasses.replace(data, mean=0.0, std=1.0)
        elif spec.inputs != "standardised":
            raise UserError(f"inputs: {spec.inputs!r} is not valid; valid are 'standardised' and 'unit'.")
        if not 0 <= spec.label_smoothing < 1:
            raise UserError(f"label_smoothing: {spec.label_smoothing!r} is not valid; valid is a number >= 0 and < 1.")
        if not 0 <= spec.l2 < math.inf:
            raise UserError(f"l2: {spec.l2!r} is not valid; valid is a number >= 0.")
        if spec.batch_size > len(train):
            raise UserError(
                f"batch_size: {spec.batch_size} is more than the {len(train)} images to train on; valid is 1 to "
                f"{len(train)}."
            )
        timeline = timelines.of(len(train), spec.batch_size, spec.batch_schedule)
        timeline.check_optimizer(spec.optimizer["name"])
        setting = cls(spec, data, model, train, validation, timeline)
        if not setting.iterations(spec.rewind) < setting.total:
            raise UserError(f"rewind: {spec.rewind} is at or after the end of training (length: {spec.length}).")
        return setting

    def iterations(self, duration: str) -> int:
        """A duration in iterations."""
        return self.timeline.iterations(duration)

    @property
    def total(self) -> int:
        """Iterations of a dense run."""
        return self.iterations(self.spec.length)

    def factor(self, options: dict[str, Any], since: int = 0) -> Callable[[int], float]:
        """The learning rate's factor, iterations after `since`, by a schedule that lasts from there to the end."""
        self.timeline.check_schedule(options)
        schedule = plugins.load("schedules", options["name"])
        rest = {key: value for key, value in options.items() if key != "name"}
        ticks, per_epoch, first = self.timeline.ticks, self.timeline.ticks_per_epoch, self.timeline.ticks(since)
        total = ticks(self.total) - first
        return lambda n: float(schedule.factor(ticks(since + n) - first, total=total, per_epoch=per_epoch, **rest))

    def initialise(self, purpose: str, index: int = 0) -> Arrays:
        """Weights [L, ...], each lane's drawn from its stream of this name."""
        lanes = [self.model.initialise(stream(seed, purpose, index)) for seed in self.spec.seeds]
        return {name: np.stack([lane[name] for lane in lanes]).astype(np.float32) for name in lanes[0]}

    def prunable(self, patterns: list[str]) -> list[str]:
        """The names of the tensors that the patterns make prunable."""
        return masks.prunable(list(self.model.shapes), patterns)

    def streams(self, index: int) -> list[np.random.Generator]:
        """The generators of the lanes for the mask of round `index`."""
        return [stream(seed, "mask", index) for seed in self.spec.seeds]

    def job(
        self,
        start: Arrays,
        mask: Arrays | None,
        factor: Callable[[int], float],
        first: int = 0,
        dead: tuple[int, ...] = (),
    ) -> TrainingJob:
        """The training from iteration `first` to the end, with the rewind point of a dense run on the way."""
        spec, device = self.spec, engine.device(self.spec.device)
        engine.check_precision(spec.precision, device)
        return TrainingJob(
            model=self.model, optimizer=spec.optimizer, lr=float(spec.lr), factor=factor, start=start, mask=mask,
            seeds=spec.seeds, train=self.train, validation=self.validation, first=first, last=self.total,
            timeline=self.timeline, evaluate_every=Duration.parse(spec.evaluate_every),
            test_every=Duration.parse(spec.test_every or spec.evaluate_every),
            rewind=self.iterations(spec.rewind), batch_size=spec.batch_size, clip=spec.clip,
            label_smoothing=spec.label_smoothing, l2=spec.l2, augmentation=spec.augmentation,
            step_losses=spec.step_losses, dtype=engine.dtype(spec.precision), device=device, dead=dead,
        )  # fmt: skip


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
