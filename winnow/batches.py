"""Minibatches of all lanes, gathered by index from images that are held on the device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from winnow.data import Data, normalise, order
from winnow.problem import Batch
from winnow.training_job import TrainingJob


class Batches:
    """`at(iteration)`: each lane sees the training images in an order of its own, drawn anew for every epoch."""

    def __init__(self, job: TrainingJob, data: Data, images: Tensor, labels: Tensor) -> None:
        self.job, self.data, self.images, self.labels = job, data, images, labels
        shape = (len(job.seeds), job.batch_size, *images.shape[1:])
        self.inputs = torch.empty(shape, dtype=torch.float32, device=job.device)
        self.permutation: tuple[int, Tensor] | None = None

    def at(self, iteration: int) -> Batch:
        """(inputs [L, B, C, H, W], labels [L, B]); the inputs' memory is that of the batch before."""
        job = self.job
        epoch, position = divmod(iteration, job.per_epoch)
        if self.permutation is None or self.permutation[0] != epoch:
            drawn = np.stack([order(seed, epoch, job.train, job.order) for seed in job.seeds])
            self.permutation = (epoch, torch.from_numpy(drawn).to(job.device))
        index = self.permutation[1][:, position * job.batch_size : (position + 1) * job.batch_size]
        out = self.inputs[:, : index.shape[1]]
        return normalise(self.images[index], self.data.mean, self.data.std, out=out), self.labels[index]
