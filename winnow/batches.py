"""Minibatches of all lanes, gathered by index from images that are held on the device."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from winnow.data import Data, fixed_order, normalise, order
from winnow.minibatch import Batch, Chunks
from winnow.training_job import TrainingJob

AHEAD = 2**18  # pixels gathered at once, if a batch has less: a call costs as much as some 30,000, a cache holds these


class Batches:
    """`at(iteration)`: each lane sees the training images in an order of its own, drawn anew for every epoch.

    fixed: the minibatches stay those of the first epoch, and their order alone is drawn anew; a short one comes last.
    """

    fixed = False

    def __init__(self, job: TrainingJob, data: Data, images: Tensor, labels: Tensor) -> None:
        self.job = job
        self.now, self.chunk = (_Gatherer(data, images, labels) for _ in range(2))
        self.pixels = images[0].numel()
        self.drawn: tuple[int, Tensor, Tensor] | None = None  # an epoch, its images [L, N], its fixed batches [L, m]
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
        assert self.drawn is not None
        return self.drawn[2][:, self.job.timeline.at(self.iteration).position]

    @property
    def count(self) -> int:
        """How many fixed minibatches there are."""
        return self.job.timeline.per_epoch(0)

    def everything(self) -> Chunks:
        """All training images, in the same order for every lane."""
        index = torch.from_numpy(np.ascontiguousarray(self.job.train)).to(self.job.device)
        return Chunks(self.chunk, index.expand(len(self.job.seeds), -1), self.job.chunk)

    def _gather(self, iteration: int) -> list[Batch | Chunks]:
        """The batch of this iteration and, as far as they are full and there is room, those of its epoch after it."""
        step, lanes = self.job.timeline.at(iteration), len(self.job.seeds)
        if self.drawn is None or self.drawn[0] != step.epoch:
            images, fixed = (torch.from_numpy(np.stack(lanes)) for lanes in zip(*self._draw(step.epoch), strict=True))
            self.drawn = (step.epoch, images.to(self.job.device), fixed.to(self.job.device))
        ahead = max(1, AHEAD // (lanes * step.size * self.pixels))
        index = self.drawn[1][:, step.position * step.size : (step.position + ahead) * step.size]
        batch = min(step.size, index.shape[1])
        if batch > self.job.chunk:
            return [Chunks(self.chunk, index, self.job.chunk)]
        batches = index.shape[1] // batch
        inputs, labels = self.now(index[:, : batches * batch].view(lanes, batches, batch).transpose(0, 1))
        return list(zip(inputs.unbind(), labels.unbind(), strict=True))

    def _draw(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Of each lane, the training images in the order of an epoch [N], and which fixed minibatches these are [m]."""
        job = self.job
        for seed in job.seeds:
            if self.fixed:
                size = job.timeline.at(0).size
                yield fixed_order(seed, epoch, job.train, size, job.order)
            else:
                yield order(seed, epoch, job.train, job.order), np.arange(0)


class _Gatherer:
    """Images of given indices, normalised; the next call overwrites them."""

    def __init__(self, data: Data, images: Tensor, labels: Tensor) -> None:
        self.data, self.images, self.labels = data, images, labels
        self.bytes, self.inputs = images[:0], torch.empty(0)

    def __call__(self, index: Tensor) -> Batch:
        """(inputs [..., C, H, W], labels [...]) of indices [...]."""
        flat = index.flatten()
        if len(flat) > len(self.bytes):
            self.bytes = torch.empty((len(flat), *self.images.shape[1:]), dtype=torch.uint8, device=self.images.device)
            self.inputs = torch.empty(self.bytes.shape, dtype=torch.float32, device=self.images.device)
        images = torch.index_select(self.images, 0, flat, out=self.bytes[: len(flat)])
        inputs = normalise(images, self.data.mean, self.data.std, out=self.inputs[: len(flat)])
        return inputs.view(*index.shape, *inputs.shape[1:]), self.labels.index_select(0, flat).view(index.shape)
