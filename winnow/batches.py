"""Minibatches of all lanes, gathered by index from images that are held on the device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from winnow.data import Data, normalise, order
from winnow.problem import Batch
from winnow.training_job import TrainingJob

AHEAD = 2**18  # pixels gathered at once, if a batch has less: a call costs as much as some 30,000, a cache holds these


class Batches:
    """`at(iteration)`: each lane sees the training images in an order of its own, drawn anew for every epoch."""

    def __init__(self, job: TrainingJob, data: Data, images: Tensor, labels: Tensor) -> None:
        self.job, self.data, self.images, self.labels = job, data, images, labels
        count = len(job.seeds) * job.batch_size
        self.ahead = max(1, AHEAD // (count * images[0].numel()))
        self.bytes = torch.empty((self.ahead * count, *images.shape[1:]), dtype=torch.uint8, device=job.device)
        self.inputs = torch.empty(self.bytes.shape, dtype=torch.float32, device=job.device)
        self.permutation: tuple[int, Tensor] | None = None
        self.gathered: list[Batch] = []
        self.first = 0  # iteration of the first of them

    def at(self, iteration: int) -> Batch:
        """(inputs [L, B, C, H, W], labels [L, B]); the inputs' memory is used again for later batches."""
        if not 0 <= iteration - self.first < len(self.gathered):
            self.gathered, self.first = self._gather(*divmod(iteration, self.job.per_epoch)), iteration
        return self.gathered[iteration - self.first]

    def _gather(self, epoch: int, position: int) -> list[Batch]:
        """The batch at this position of an epoch and, as far as they are full and there is room, those after it."""
        job, lanes = self.job, len(self.job.seeds)
        if self.permutation is None or self.permutation[0] != epoch:
            drawn = np.stack([order(seed, epoch, job.train, job.order) for seed in job.seeds])
            self.permutation = (epoch, torch.from_numpy(drawn).to(job.device))
        index = self.permutation[1][:, position * job.batch_size : (position + self.ahead) * job.batch_size]
        batch = min(job.batch_size, index.shape[1])
        batches = index.shape[1] // batch
        flat = index[:, : batches * batch].view(lanes, batches, batch).transpose(0, 1).flatten()
        images = torch.index_select(self.images, 0, flat, out=self.bytes[: len(flat)])
        inputs = normalise(images, self.data.mean, self.data.std, out=self.inputs[: len(flat)])
        labels = self.labels.index_select(0, flat).view(batches, lanes, batch)
        return list(zip(inputs.view(*labels.shape, *inputs.shape[1:]).unbind(), labels.unbind(), strict=True))
