"""Dynamic sparse training: a sparse network from the start, whose weakest weights make room for others.

Every n steps (`every`) before t1 (`end`), of the k weights of a lane

    drop the a(t) * k smallest magnitudes,   a(t) = fraction / 2 * (1 + cos(pi * t / t1))
    grow as many of the others: those with the largest gradient of the loss by dense weights, or random ones

RigL, Evci et al. 2020 (Rigging the lottery, arXiv 1911.11134, algorithm 1); with `growth: random` SET, Mocanu et al.
2018 (Nature Communications 9, 2383), with RigL's a(t). The mask at the start is random, of equal density in all tensors
(`global`: in expectation). New weights start at zero with no optimiser state; one that is dropped and grown again at
once keeps its value, as in the published code.

Departures: an update does not take the place of a step, but comes before it, on the same batch; with the scope
`global` all tensors compete, so that their densities settle by themselves, where the paper sets them for good.

Where an exact zero stays zero (`eg` and its kin), a new weight would never train. There it starts at the smallest
magnitude among the weights that were not dropped, with the sign in which the loss falls, in which multiplicative steps
make it larger; a random one with a random sign.

Cost of an update: one gradient of the batch, which is counted, and two selections (random growth: no gradient).
"""

from __future__ import annotations

import math

import torch

from winnow.sparsifiers._contract import Sparsifier
from winnow.sparsity import PrunableWeights

RANGES: dict[str, str | list[str]] = {
    "density": "(0, 1)",
    "end": "moment",
    "every": "duration",
    "fraction": "(0, 1]",
    "growth": ["gradient", "random"],
}
MOMENTS = ("end",)


class DynamicSparse(Sparsifier):
    """density: share of the prunable weights; end: when the mask stops to change; every: steps between changes;
    fraction: share of the kept weights that the first change may replace; growth: "gradient" or "random"."""

    def __init__(
        self,
        weights: PrunableWeights,
        *,
        density: float,
        end: str,
        every: str = "100it",
        fraction: float = 0.3,
        growth: str = "gradient",
    ) -> None:
        super().__init__(weights, density)
        (self.end,) = weights.moments(end=end)
        self.every, self.fraction, self.growth = weights.iterations(every), fraction, growth

    def begin(self) -> None:
        """Draw the first mask."""
        self.weights.keep(self.weights.highest(self.weights.uniform(0), self.counts))

    def before_step(self, iteration: int) -> None:
        """Drop and grow, if it is time."""
        if iteration % self.every or not 0 < iteration < self.end:
            return
        weights, old = self.weights, self.weights.mask.clone()
        share = self.fraction / 2 * (1 + math.cos(math.pi * iteration / self.end))
        replaced = [math.floor(share * count) for count in self.counts]
        left = [count - new for count, new in zip(self.counts, replaced, strict=True)]
        stay = weights.highest(torch.where(old > 0, weights.magnitudes(), -1.0), left)
        if self.growth == "gradient":
            direction = weights.dense_gradient().neg_()
            scores = direction.abs()
        else:
            scores = weights.uniform(iteration)
            direction = 0.5 - scores.mul(2**10).frac()  # the sign by digits that the choice does not depend on
        grown = weights.highest(torch.where(stay > 0, -1.0, scores), replaced)
        weights.keep(torch.maximum(stay, grown))
        weights.wake(grown * (1 - old), direction, stay)
