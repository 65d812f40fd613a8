"""Gradual magnitude pruning: the smallest weights go, many at first and few towards the end, while training goes on.

    density(t) = d + (1 - d) * (1 - (t - t0) / (t1 - t0))^3,   t0 <= t <= t1

Zhu & Gupta 2017 (To prune, or not to prune, arXiv 1710.01878, equation 1, from all weights to the density d). At t0,
t0 + n, t0 + 2n, ... and at t1, n = `every`, the mask keeps exactly density(t) of the weights, by magnitude; after t1 it
stays. Up to then evaluations have more weights than d allows: their density says how many. Departure: a pruned weight
never comes back, where the published code keeps its old value aside. Optimiser state of a pruned weight is set to zero.
Cost: one selection per change of the mask.
"""

from __future__ import annotations

import torch

from winnow.sparsifiers._contract import Sparsifier
from winnow.sparsity import PrunableWeights

RANGES = {"density": "(0, 1)", "start": "moment", "end": "moment", "every": "duration"}
MOMENTS = ("start", "end")
SPARSE_FROM = "end"


class GradualMagnitude(Sparsifier):
    """density: share of the prunable weights kept from the moment `end` on; every: steps between changes."""

    def __init__(
        self, weights: PrunableWeights, *, density: float, end: str, start: str = "0ep", every: str = "100it"
    ) -> None:
        super().__init__(weights, density)
        self.start, self.end = weights.moments(start=start, end=end)
        self.every = weights.iterations(every)

    def density_at(self, iteration: int) -> float:
        """The kept share that the schedule asks for."""
        passed = min(max((iteration - self.start) / (self.end - self.start), 0.0), 1.0)
        return self.density + (1 - self.density) * (1 - passed) ** 3

    def before_step(self, iteration: int) -> None:
        """Prune to the schedule's density, if it is time."""
        if self.start < iteration <= self.end and ((iteration - self.start) % self.every == 0 or iteration == self.end):
            scores = torch.where(self.weights.mask > 0, self.weights.magnitudes(), -1.0)
            self.weights.keep(self.weights.highest(scores, self.weights.counts(self.density_at(iteration))))
