"""Minibatches of all lanes, gathered by index from images that are held on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from winnow import plugins
from winnow.data import Data, augmentation_stream, fixed_order, normalise, order, per_channel
from winnow.minibatch import Batch, Chunks
from winnow.training_job import TrainingJob

AHEAD = 2**18  # pixels gathered at once, if a batch has less: a call costs as much as some 30,000, a cache holds these


@dataclass(frozen=True)
class Epoch:
    """What was drawn for an epoch: its images in order [L, N], the fixed minibatches that these are [L, m], and the
    changes of all images of the data set [L, images, k], or None."""

    number: int
    images: Tensor
    fixed: Tensor
    changes: Tensor | None

    def empty_like(self) -> Epoch:
        """Memory for another epoch of the same images."""
        changes = None if self.changes is None else torch.empty_like(self.changes)
        return Epoch(-1, torch.empty_like(self.images), torch.empty_like(self.fixed), changes)

    def copy_(self, other: Epoch) -> None:
        """Overwrite the images and their changes, in place."""
        self.images.copy_(other.images)
        if self.changes is not None and other.changes is not None:
            self.changes.copy_(other.changes)

    def changes_of(self, index: Tensor) -> Tensor | None:
        """Those of the images `index` [L, n]."""
        if self.changes is None:
            return None
        return self.changes[torch.arange(len(index), device=index.device)[:, None], index]


class Batches:
    """`at(iteration)`: each lane sees the training images in an order of its own, drawn anew for every epoch.

    fixed: the minibatches stay those of the first epoch, with its changes by augmentation, and their order alone is
    drawn anew; a short one comes last.
    """

    fixed = False

    def __init__(self, job: TrainingJob, data: Data, images: Tensor, labels: Tensor) -> None:
        self.job = job
        options = {key: value for key, value in job.augmentation.items() if key != "name"}
        self.augmentation = plugins.load_class("augmentations", job.augmentation["name"])(**options)
        self._source = (data, images, labels, self.augmentation)
        self.now, self.chunk = self.gatherer(), self.gatherer()
        self.pixels, self.images = images[0].numel(), len(images)
        self._epoch: Epoch | None = None
        self.gathered: list[Batch | Chunks] = []
        self.first = 0  # iteration of the first of them
        self.iteration = 0  # that was asked for last

    def at(self, iteration: int) -> Batch | Chunks:
        """(inputs [L, B, C, H, W], labels [L, B]), or Chunks of them; the inputs' memory is used for later batches."""
        self.iteration = iteration
        if not 0 <= iteration - self.first < len(self.gathered):
            self.gathered, self.first = self._gather(iteration), iteration
        return self.gathered[iteration - self.first]

    @property
    def epoch(self) -> int:
        """The epoch of the last batch."""
        return self.job.timeline.at(self.iteration).epoch

    @property
    def index(self) -> Tensor:
        """Which of the fixed minibatches the last one is in each lane, [L]."""
        return self.drawn(self.epoch).fixed[:, self.job.timeline.at(self.iteration).position]

    @property
    def count(self) -> int:
        """How many fixed minibatches there are."""
        return self.job.timeline.per_epoch(0)

    def everything(self) -> Chunks:
        """All training images, in the same order for every lane, changed as they are in the epoch of the last batch."""
        index = torch.from_numpy(np.ascontiguousarray(self.job.train)).to(self.job.device)
        index = index.expand(len(self.job.seeds), -1)
        return Chunks(self.chunk, index, self.job.chunk, self.drawn(self.epoch).changes_of(index))

    def gatherer(self) -> Gatherer:
        """What gathers images of given indices, with memory of its own."""
        return Gatherer(*self._source)

    def _gather(self, iteration: int) -> list[Batch | Chunks]:
        """The batch of this iteration and, as far as they are full and there is room, those of its epoch after it."""
        step, lanes = self.job.timeline.at(iteration), len(self.job.seeds)
        drawn = self.drawn(step.epoch)
        ahead = max(1, AHEAD // (lanes * step.size * self.pixels))
        index = drawn.images[:, step.position * step.size : (step.position + ahead) * step.size]
        batch = min(step.size, index.shape[1])
        if batch > self.job.chunk:
            return [Chunks(self.chunk, index, self.job.chunk, drawn.changes_of(index))]
        batches = index.shape[1] // batch
        index = index[:, : batches * batch]
        parts = [
            values.view(lanes, batches, batch, *values.shape[2:]).transpose(0, 1)
            for values in (index, drawn.changes_of(index))
            if values is not None
        ]
        inputs, labels = self.now(*parts)
        return list(zip(inputs.unbind(), labels.unbind(), strict=True))

    def drawn(self, epoch: int) -> Epoch:
        """What was drawn for an epoch, on the device."""
        if self._epoch is None or self._epoch.number != epoch:
            device = self.job.device
            images, fixed = (torch.from_numpy(np.stack(lanes)) for lanes in zip(*self._orders(epoch), strict=True))
            changes = self._changes(0 if self.fixed else epoch)
            self._epoch = Epoch(epoch, images.to(device), fixed.to(device), changes)
        return self._epoch

    def _changes(self, epoch: int) -> Tensor | None:
        """What the augmentation drew for each image of the data set, [L, images, k], whichever of them are used."""
        drawn: list[Any] = [
            self.augmentation.draw(augmentation_stream(seed, epoch, self.job.order), self.images)
            for seed in self.job.seeds
        ]
        return None if drawn[0] is None else torch.from_numpy(np.stack(drawn)).to(self.job.device)

    def _orders(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Of each lane, the training images in the order of an epoch [N], and which fixed minibatches these are [m]."""
        job = self.job
        for seed in job.seeds:
            if self.fixed:
                size = job.timeline.at(0).size
                yield fixed_order(seed, epoch, job.train, size, job.order)
            else:
                yield order(seed, epoch, job.train, job.order), np.arange(0)


class Gatherer:
    """Images of given indices, changed and normalised; the next call overwrites them."""

    def __init__(self, data: Data, images: Tensor, labels: Tensor, augmentation: Any) -> None:
        self.images, self.labels, self.augmentation = images, labels, augmentation
        self.bytes, self.inputs = images[:0], torch.empty(0)
        self.mean, self.std = (per_channel(values, images.device) for values in (data.mean, data.std))

    def __call__(self, index: Tensor, changes: Tensor | None = None) -> Batch:
        """(inputs [..., C, H, W], labels [...]) of indices [...], with `changes` [..., k] as the augmentation drew."""
        flat = index.flatten()
        if len(flat) > len(self.bytes):
            self.bytes = torch.empty((len(flat), *self.images.shape[1:]), dtype=torch.uint8, device=self.images.device)
            self.inputs = torch.empty(self.bytes.shape, dtype=torch.float32, device=self.images.device)
        images = torch.index_select(self.images, 0, flat, out=self.bytes[: len(flat)])
        if changes is not None:
            images = self.augmentation.apply(images, changes.flatten(0, -2))
        inputs = normalise(images, self.mean, self.std, out=self.inputs[: len(flat)])
        return inputs.view(*index.shape, *inputs.shape[1:]), self.labels.index_select(0, flat).view(index.shape)
