"""Dynamic pruning with feedback: the loss sees the k largest weights, and its gradient moves all of them.

    w <- w - step(g),   g = the gradient of the loss at m * w, of all weights,   m: the k largest |w| of a lane

Lin et al. 2020 (Dynamic model pruning with feedback, arXiv 2006.07253, algorithm 1), with the step of any optimiser. A
pruned weight is not lost: it waits outside the network at its value, which goes on following its gradient, and comes
back as soon as it is among the largest. What is evaluated is m * w; from the moment `end` on the mask stays, and the
other weights are zero for good.

The optimiser moves the weights outside like all others, with momentum, decay, clipping and averages. A penalty (`l2`)
is a part of the loss, and so only on weights in the network. Where an exact zero stays zero (`eg` and its kin), weights
come back all the same: none is set to zero before `end`. Optimisers that compare losses (`l_bfgs`, `hessian_free`) are
refused: most of what they expect of a step is of weights that the loss does not see.

Departures: the mask is chosen anew in every step (`every`; the paper: in each 16th), and its density is the same from
the start (the paper: falling as in gradual pruning). Cost: a selection per choice, a pass over weights per gradient.
"""

from __future__ import annotations

from torch import Tensor

from winnow.sparsifiers._contract import Sparsifier
from winnow.sparsity import PrunableWeights
from winnow.training_job import Arrays

RANGES = {"density": "(0, 1)", "end": "moment", "every": "duration"}
MOMENTS = ("end",)
REFUSES = ("closure",)


class PruningWithFeedback(Sparsifier):
    """density: share of the prunable weights in the network; end: when the mask stops to change; every: steps between
    changes."""

    def __init__(self, weights: PrunableWeights, *, density: float, end: str, every: str = "1it") -> None:
        super().__init__(weights, density)
        (self.end,) = weights.moments(end=end)
        self.every = weights.iterations(every)

    def holds(self, iteration: int) -> bool:
        """Only after the moment `end`."""
        return iteration > self.end

    def begin(self) -> None:
        """Start with the largest."""
        self.weights.hide(self._largest())

    def resume(self, mask: Arrays, iteration: int) -> None:
        """Go on with the mask that was evaluated."""
        self.weights.load(mask, hide=not self.holds(iteration))

    def before_step(self, iteration: int) -> None:
        """Choose anew, if it is time; at `end` for good."""
        if iteration == self.end:
            self.weights.keep(self._largest())
        elif 0 < iteration < self.end and iteration % self.every == 0:
            self.weights.hide(self._largest())

    def _largest(self) -> Tensor:
        return self.weights.highest(self.weights.magnitudes(), self.counts)
