"""EG+-: every weight is a difference of two positive parts, each moved by exponentiated gradient.

    w = w_plus - w_minus,   w_plus <- w_plus * exp(-lr * d),   w_minus <- w_minus * exp(lr * d)

Kivinen & Warmuth 1997 (Exponentiated gradient versus gradient descent for linear predictors, Information and
Computation 132, 1), without the normalisation of the sum of all parts to a constant (EGU in place of EG). Both parts
start `offset` apart from the absolute value of the weight: w_plus = max(w, 0) + offset, w_minus = max(-w, 0) + offset.
The paper starts all parts at one value, for linear predictors that start at zero.

The product of the parts never changes, so that w and beta = 2 * sqrt(w_plus * w_minus) say all: the step is that of
`hypentropy` with a beta of each weight's own, and only beta is stored. With offset -> 0 it is `eg`. Weights cross zero.
Zeros: where a parameter starts all zero (a bias), both parts start at `offset`. A zero in a parameter that is not all
zero is taken for a pruned weight, both of its parts are zero, and it stays so.

Departure: the direction d is that of `_momentum`, with u = g + wd * w, where the paper has the gradient alone. Cost:
one gradient, one tensor of state per weight, two with momentum; two exponentials per weight.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.optimizers._contract import broadcast, check_number, stacked
from winnow.optimizers._hyperbolic import move_
from winnow.optimizers._momentum import MomentumOptimizer, direction

RANGES = {"offset": "[1e-15, inf)", "momentum": "[0, 1)", "dampening": "[0, 1]", "weight_decay": "[0, inf)"}
REQUIRES = {"nesterov": {True: {"momentum": "(0, 1)", "dampening": "[0, 0]"}}}


class EGPlusMinus(MomentumOptimizer):
    """EG+-. Options and errors as of GD, and

    offset  >= 1e-15: the smaller part of every weight at the start
    """

    absorbing_zeros = True  # of pruned weights: both parts are zero

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        *,
        offset: float = 0.01,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, momentum, dampening, nesterov, weight_decay, offset=offset)

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        check_number("offset", group["offset"], lambda offset: offset >= 1e-15, "a finite number >= 1e-15")

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if "beta" not in state:
            state["beta"] = _beta(parameter, group["offset"], stacked(parameter, group["lr"]))
        d = direction(gradient, parameter, state, self._scratch(parameter, 0), group)
        exponent = torch.mul(d, broadcast(group["lr"], parameter), out=self._scratch(parameter, 1))
        move_(parameter, exponent, state["beta"], self._scratch(parameter, 0), self._scratch(parameter, 2))


def _beta(weights: Tensor, offset: float, lanes: bool) -> Tensor:
    """2 * sqrt(w_plus * w_minus) at the start; 0 for a zero weight, unless all weights of its lane are zero."""
    rows = weights.reshape(len(weights) if lanes else 1, -1)
    moves = (rows != 0) | (rows == 0).all(1, keepdim=True)
    beta: Tensor = 2 * (rows.abs() + offset).mul_(offset).sqrt_() * moves
    return beta.view(weights.shape)
