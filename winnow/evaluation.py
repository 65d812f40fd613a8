"""What a metrics row says: losses and accuracies on the test and validation images, and of the steps since the last."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from winnow.data import Data, normalise, per_channel
from winnow.problem import Tensors
from winnow.step_log import StepLog
from winnow.training_job import TrainingJob

BATCH = 1000
PerLane = list[Any]  # a number or None for each lane


class Evaluation:
    """Loss and accuracy of given weights, per lane, on the test images and, if there are any, the validation images."""

    def __init__(self, job: TrainingJob, data: Data, held: Mapping[str, Tensor]) -> None:
        self.held, self.lanes = held, len(job.seeds)
        self.mean, self.std = (per_channel(values, job.device) for values in (data.mean, data.std))
        held_out = torch.from_numpy(np.ascontiguousarray(job.validation)).to(job.device)
        self.held_out = held["train_images"][held_out], held["train_labels"][held_out]
        self.inputs = torch.empty((BATCH, *data.shape), device=job.device)
        self.workspace = job.model.workspace(self.lanes, BATCH, job.device, job.dtype, training=False)

    def validation(self, parameters: Tensors) -> dict[str, PerLane]:
        """The columns validation_loss and validation_accuracy (None without such images)."""
        if not len(self.held_out[1]):
            return self.nothing("validation")
        loss, accuracy = self.measure(parameters, *self.held_out)
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    def test(self, parameters: Tensors) -> dict[str, PerLane]:
        """The columns test_loss and test_accuracy."""
        loss, accuracy = self.measure(parameters, self.held["test_images"], self.held["test_labels"])
        return {"test_loss": loss, "test_accuracy": accuracy}

    def nothing(self, images: str) -> dict[str, PerLane]:
        """The same columns where nothing was looked at."""
        return {f"{images}_loss": [None] * self.lanes, f"{images}_accuracy": [None] * self.lanes}

    def measure(self, parameters: Tensors, images: Tensor, labels: Tensor) -> tuple[PerLane, PerLane]:
        """(mean loss, accuracy) per lane over the images uint8 [N, ...] and labels [N]."""
        loss = torch.zeros(self.lanes, dtype=torch.float64, device=labels.device)
        correct = torch.zeros(self.lanes, dtype=torch.int64, device=labels.device)
        with torch.no_grad():
            for some, answers in zip(torch.split(images, BATCH), torch.split(labels, BATCH), strict=True):
                inputs = normalise(some, self.mean, self.std, out=self.inputs[: len(some)])
                batch_loss, batch_correct = self.workspace.evaluate(parameters, inputs, answers)
                loss += batch_loss
                correct += batch_correct
        return (loss / len(labels)).tolist(), (correct.double() / len(labels)).tolist()


class TrainingMeans:
    """Loss and accuracy per lane over the minibatches since the row before."""

    def __init__(self, lanes: int, device: torch.device) -> None:
        self.loss = torch.zeros(lanes, dtype=torch.float64, device=device)
        self.correct = torch.zeros(lanes, dtype=torch.int64, device=device)
        self.images = 0

    def add(self, steps: StepLog) -> None:
        """The steps up to a mark."""
        loss, correct, images = steps.sums()
        self.loss += loss
        self.correct += correct
        self.images += images

    def columns(self) -> dict[str, PerLane]:
        """The columns train_loss and train_accuracy."""
        count = max(self.images, 1)
        return {"train_loss": (self.loss / count).tolist(), "train_accuracy": (self.correct.double() / count).tolist()}

    def reset(self) -> None:
        """Begin anew."""
        self.loss.zero_()
        self.correct.zero_()
        self.images = 0


def rows(
    job: TrainingJob,
    iteration: int,
    lr: list[float],
    density: list[float],
    diverged: list[int | None],
    columns: Mapping[str, PerLane],
) -> list[dict[str, Any]]:
    """One metrics row per lane; a diverged lane's `columns` are empty, as is whatever is not finite."""
    epoch = job.timeline.passes(iteration)
    return [
        {
            "seed": seed, "epoch": int(epoch) if epoch.is_integer() else epoch, "iteration": iteration,
            "lr": lr[lane], "density": density[lane],
            **{
                name: values[lane] if diverged[lane] is None and _finite(values[lane]) else None
                for name, values in columns.items()
            },
            "diverged_step": diverged[lane],
        }
        for lane, seed in enumerate(job.seeds)
    ]  # fmt: skip


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
