"""What every optimiser has: the vectors it works on, its options, and weight decay.

Weight decay d adds d w to the gradient, that of d/2 sum w^2, for weights but not for biases (Goodfellow, Bengio and
Courville (2016), Deep Learning, section 7.1.1).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from winnow.scratch.memory import zeros
from winnow.scratch.names import RANGES, check_number


class Optimizer:
    """Moves `parameters` along `gradient`, two vectors of one length that it holds; the first `decayed` are weights.

    Every optimiser takes every option and uses its own. A step overwrites the gradient. UserError for an option out of
    its range.
    """

    states: ClassVar[int] = 0  # vectors of state

    def __init__(
        self,
        parameters: np.ndarray,
        gradient: np.ndarray,
        decayed: int,
        *,
        learning_rate: float,
        weight_decay: float = 0.0,
        momentum: float = 0.9,
        beta: float = 0.9,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.learning_rate, self.weight_decay, self.momentum = learning_rate, weight_decay, momentum
        self.beta, self.beta1, self.beta2, self.epsilon = beta, beta1, beta2, epsilon
        for option, valid in RANGES.items():
            check_number(option, getattr(self, option), valid)
        self.parameters, self.gradient, self.decayed, self.t = parameters, gradient, decayed, 0
        *self.state, self.scratch = (zeros(parameters.shape, parameters.dtype) for _ in range(self.states + 1))

    def step(self) -> None:
        """One update by the gradient that the vector holds now."""
        self.t += 1
        if self.weight_decay:
            penalty = np.multiply(self.parameters[: self.decayed], self.weight_decay, out=self.scratch[: self.decayed])
            self.gradient[: self.decayed] += penalty
        self._begin()
        self._update(self.parameters, self.gradient, self.scratch, *self.state)

    def _begin(self) -> None:
        """Compute the scalars of step t."""

    def _update(self, w: np.ndarray, g: np.ndarray, scratch: np.ndarray, *state: np.ndarray) -> None:
        raise NotImplementedError
