"""Iterative hard thresholding: after each step, the projection onto the vectors with k nonzero weights.

    w <- H_k(w - step),   H_k keeps the k largest |w| of a lane and sets the others to zero

Blumensath & Davies 2009 (Iterative hard thresholding for compressed sensing, Applied and Computational Harmonic
Analysis 27, 265), with the step of any optimiser in place of the gradient step. Gradients are dense: a weight outside
the support comes back when a single step carries it past the k-th magnitude. `every` n steps: only then, and before
every evaluation, is projected, and in between all weights train, which gives those outside n steps to come back.

Optimiser state (momentum, running means) of weights outside the support is set to zero with them, so that the support
alone has a memory, and averages of iterates are as sparse as the iterate. Where an exact zero stays zero (`eg` and its
kin), nothing comes back: the first projection decides, and this is magnitude pruning after `every` steps.

Cost per projection: one selection and one pass over the weights and their state.
"""

from __future__ import annotations

from winnow.sparsifiers._contract import Sparsifier
from winnow.sparsity import PrunableWeights

RANGES = {"density": "(0, 1)", "every": "duration"}


class IterativeHardThresholding(Sparsifier):
    """density: share of the prunable weights that may be nonzero; every: steps from one projection to the next."""

    def __init__(self, weights: PrunableWeights, *, density: float, every: str = "1it") -> None:
        super().__init__(weights, density)
        self.every = weights.iterations(every)

    def holds(self, iteration: int) -> bool:
        """Never: gradients are dense."""
        return False

    def after_step(self, iteration: int, lr: float) -> None:
        """Project, if it is time."""
        if iteration % self.every == 0:
            self.enforce()

    def enforce(self) -> None:
        """Project."""
        self.weights.keep(self.weights.highest(self.weights.magnitudes(), self.counts), hold=False)
