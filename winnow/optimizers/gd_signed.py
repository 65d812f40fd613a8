"""Gradient descent that may not cross zero: the control that separates "multiplicative" from "sign-keeping".

    w' = w - lr * d  as in `gd`;  where w' has not the sign of w, w <- sign(w) * 1e-18, else w <- w'

(`freeze_gd_signs` in the published code of Cornford et al. 2024, bioRxiv 2024.10.25.620272.) An exact zero has no sign
to keep and moves as in plain gradient descent: biases that start at zero train, and a masked weight, whose gradient and
momentum are zero, stays zero. Departure from the published code: a step that lands on zero exactly also counts as a
crossing, since the sign could flip in the step after it. Cost: that of `gd`, and 5 more operations per weight.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.optimizers._contract import broadcast
from winnow.optimizers._momentum import MomentumOptimizer, descend_, direction

SMALLEST = 1e-18
RANGES = {"momentum": "[0, 1)", "dampening": "[0, 1]", "weight_decay": "[0, inf)"}
REQUIRES = {"nesterov": {True: {"momentum": "(0, 1)", "dampening": "[0, 0]"}}}


class GDSigned(MomentumOptimizer):
    """Sign-keeping gradient descent; options and errors as of GD."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, momentum, dampening, nesterov, weight_decay)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        d = direction(gradient, parameter, self.state[parameter], self._scratch(parameter, 0), group)
        descend_keeping_signs_(parameter, d, broadcast(group["lr"], parameter), self._scratch(parameter, 1))


def descend_keeping_signs_(weights: Tensor, direction: Tensor, rate: float | Tensor, scratch: Tensor) -> None:
    """The equation above, in place; overwrites `scratch`. NaN stays NaN."""
    sign = torch.sign(weights, out=scratch)
    descend_(weights, direction, rate)
    crossed = (weights * sign <= 0).logical_and_(sign)
    torch.where(crossed, sign.mul_(SMALLEST), weights, out=weights)
