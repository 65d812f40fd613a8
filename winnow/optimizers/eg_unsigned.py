"""Exponentiated gradient without the sign in its exponent: w <- w * exp(-lr * d), an ablation of `eg`.

The signed rule is that of Cornford et al. (2024, bioRxiv 2024.10.25.620272), whose published code has no unsigned one.
The direction d is that of `_momentum`, with u = g + wd * |sign(w)|: the decay, too, is without the sign, so that it
shrinks weights of either sign by exp(-lr * wd). A negative weight moves up its gradient. An exact zero stays zero and
no sign flips. Cost: that of `eg`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.optimizers._contract import broadcast
from winnow.optimizers._momentum import MomentumOptimizer, direction
from winnow.optimizers._multiplicative import multiply_

RANGES = {"momentum": "[0, 1)", "dampening": "[0, 1]", "weight_decay": "[0, inf)"}
REQUIRES = {"nesterov": {True: {"momentum": "(0, 1)", "dampening": "[0, 0]"}}}


class EGUnsigned(MomentumOptimizer):
    """EG without the sign; options and errors as of GD."""

    absorbing_zeros = True

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
        pull = torch.sign(parameter, out=self._scratch(parameter, 0)).abs_()
        d = direction(gradient, pull, self.state[parameter], self._scratch(parameter, 1), group)
        multiply_(parameter, pull.copy_(d), broadcast(group["lr"], parameter))
