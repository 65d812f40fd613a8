"""L1 by proximal steps: after each step every weight is drawn towards zero by the same amount, and stops there.

    w <- sign(w') * max(|w'| - lr * strength, 0),   w' what the optimiser's step made of w

The soft threshold of ISTA (Beck & Teboulle 2009, SIAM J. Imaging Sciences 2, 183, equation 1.4) for the penalty
strength * |w|_1, with the step of any optimiser. How many weights that leaves is not set: evaluations count them, and
that is their density. At the moment `end` the projection takes over: exactly the k largest |w| of a lane are kept, the
mask stays, and the penalty ends, so that what is left trains without its bias.

Departures: with adaptive steps the threshold is the rate times strength for all weights, not in the metric of the
step; with momentum m, whose steps add up to 1 / (1 - m) gradients, the penalty is (1 - m) * strength. It acts on the
parameters: `schedule_free`, which computes them anew from its own sequences in each step, is left with the projection
alone; where averages are evaluated, they have more weights up to `end` than the iterate. Where an exact zero stays zero
(`eg` and its kin), none comes back. Optimiser state is left alone up to `end`, and then set to zero with what is
pruned. Cost: one pass over the weights per step, and one selection.
"""

from __future__ import annotations

import torch

from winnow.problem import Tensors
from winnow.sparsifiers._contract import Sparsifier
from winnow.sparsity import PrunableWeights
from winnow.training_job import Arrays

RANGES = {"density": "(0, 1)", "end": "moment", "strength": "(0, inf)"}
MOMENTS = ("end",)
SPARSE_FROM = "end"


class L1Proximal(Sparsifier):
    """density: share of the prunable weights kept from the moment `end` on; strength: of the penalty before."""

    def __init__(self, weights: PrunableWeights, *, density: float, end: str, strength: float) -> None:
        super().__init__(weights, density)
        (self.end,) = weights.moments(end=end)
        self.strength = strength

    def holds(self, iteration: int) -> bool:
        """Only after the moment `end`."""
        return iteration > self.end

    def before_step(self, iteration: int) -> None:
        """At `end`, keep the k largest for good."""
        if iteration == self.end:
            self.weights.keep(self.weights.highest(self.weights.magnitudes(), self.counts))

    def after_step(self, iteration: int, lr: float) -> None:
        """The soft threshold."""
        if iteration <= self.end:
            for value in self.weights.tensors():
                torch.ops.aten.softshrink.out(value, lr * self.strength, out=value)

    def masks(self, parameters: Tensors) -> Arrays:
        """Up to `end` the weights that are not zero."""
        if self.weights.held:
            return super().masks(parameters)
        return {name: (parameters[name] != 0).cpu().numpy() for name in self.weights.sparsify.names}
