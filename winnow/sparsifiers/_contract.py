"""What every sparsifier has in common: when the training loop calls it, and the defaults.

The loop builds one per job, on the prunable weights of all its lanes (`winnow.sparsity.PrunableWeights`), and calls

    begin()                    before the first step
    before_step(iteration)     the batch of the step is there, its gradient is not: masks change here, so that an
                               evaluation comes before the change and tells of what was trained
    after_step(iteration, lr)  `iteration` steps are done; lr: the rate of the last one
    enforce()                  before every evaluation

A sparsifier has no state but the mask: all else follows from the iteration. A run that was killed goes on with
`resume` from an evaluation, in place of `begin`.
"""

from __future__ import annotations

from winnow.problem import Tensors
from winnow.sparsity import PrunableWeights
from winnow.training_job import Arrays


class Sparsifier:
    """Base of the plug-ins: a mask that never changes."""

    def __init__(self, weights: PrunableWeights, density: float) -> None:
        self.weights, self.density = weights, density
        self.counts = weights.counts(density)

    def holds(self, iteration: int) -> bool:
        """Whether, after an evaluation at `iteration`, pruned weights have no gradient until the mask changes."""
        return True

    def most(self, iteration: int) -> int:
        """Weights that a lane may have at an evaluation after `iteration` steps: the loop ends training at one more."""
        return sum(self.counts) if iteration > self.weights.sparse_from else self.weights.mask.shape[1]

    def begin(self) -> None:
        """Start with all weights."""
        self.weights.keep(self.weights.mask, self.holds(0))

    def resume(self, mask: Arrays, iteration: int) -> None:
        """Go on with the mask that `masks` gave at an evaluation."""
        if self.holds(iteration):
            self.weights.load(mask)

    def before_step(self, iteration: int) -> None:
        """Change the mask, where that is due."""

    def after_step(self, iteration: int, lr: float) -> None:
        """Act on the weights that a step left."""

    def enforce(self) -> None:
        """Make the mask true of all lanes: one that diverged has gone back to older weights."""
        self.weights.apply()

    def masks(self, parameters: Tensors) -> Arrays:
        """The mask of the weights that are evaluated, `parameters`."""
        return self.weights.arrays()
