"""Lanes that diverge: how that is noticed, and how they are frozen, without reading the device inside an epoch.

A lane has diverged when its loss or a weight is NaN or infinite, or when its loss is above 10 times that of uniform
guessing for 100 steps, or, at a mark, in more than half of the steps since the mark before (a short run has no 100
steps, and an exploded loss may dip now and then). It then goes back to its last finite weights at the next mark, and
stays there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from winnow.problem import Tensors
from winnow.training_job import TrainingJob

FACTOR, STEPS = 10.0, 100


class Divergence:
    """`step` [L]: the iteration at which each lane diverged, or -1; `high` [L]: steps in a row with too high a loss."""

    def __init__(self, job: TrainingJob, classes: int) -> None:
        dead = [job.first if seed in job.dead else -1 for seed in job.seeds]
        self.step = torch.tensor(dead, dtype=torch.int64, device=job.device)
        self.high = torch.zeros(len(job.seeds), dtype=torch.int64, device=job.device)
        self.high_loss = FACTOR * math.log(classes)
        self.safe: Tensors = {}  # the weights that a lane goes back to

    @property
    def gone(self) -> list[bool]:
        """Which lanes have diverged (reads the device)."""
        return (self.step >= 0).tolist()

    def steps(self) -> list[int | None]:
        """`step` with None for lanes that did not diverge (reads the device)."""
        return [None if step < 0 else step for step in self.step.tolist()]

    def begin(self, parameters: Tensors) -> None:
        """Training starts, or starts anew, at these weights."""
        self.safe = {name: value.clone() for name, value in parameters.items()}

    def look(self, losses: Tensor, parameters: Tensors, iteration: int) -> None:
        """At the mark `iteration`: find the lanes that diverged since the last one, and put them back, in place.

        losses: [steps since then, L]. A lane whose weights alone are infinite diverged at the mark itself.
        """
        steps = len(losses)
        high = losses > self.high_loss
        count = torch.arange(1, steps + 1, device=losses.device)[:, None]
        # The run of high losses that a step ends reaches back to the last loss that was not, or to before these steps.
        in_a_row = count - torch.where(high, -self.high, count).cummax(0).values
        bad = ~torch.isfinite(losses) | (in_a_row >= STEPS)
        first = iteration - steps + torch.where(bad, count, steps + 1).amin(0)
        self._mark(bad.any(0), first)
        self.high = in_a_row[-1]
        for value in parameters.values():
            self._mark(~torch.isfinite(value).flatten(1).all(1), iteration)
        self._mark(2 * high.sum(0) > steps, iteration)
        dead = self.step >= 0
        for name, value in parameters.items():
            value.copy_(torch.where(dead.view(-1, *[1] * (value.dim() - 1)), self.safe[name], value))
            self.safe[name].copy_(value)

    def _mark(self, bad: Tensor, iteration: Tensor | int) -> None:
        self.step = torch.where(bad & (self.step < 0), iteration, self.step)
