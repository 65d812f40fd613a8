"""Gradient descent with momentum and coupled weight decay: w <- w - lr * d, the formulas of torch.optim.SGD.

The direction d is that of `_momentum`, with u = g + wd * w: the gradient itself, heavy-ball momentum (Polyak 1964, USSR
Comput. Math. Math. Phys. 4, 1), or Nesterov's in the form of Sutskever et al. 2013 (ICML, section 2), with the rate
outside the momentum as in torch. Unlike torch's SGD it takes a rate per lane. Cost: one gradient, one tensor of state
per weight with momentum, else none; 2 to 8 operations per weight.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.optimizers._contract import broadcast
from winnow.optimizers._momentum import MomentumOptimizer, descend_, direction

RANGES = {"momentum": "[0, 1)", "dampening": "[0, 1]", "weight_decay": "[0, inf)"}
REQUIRES = {"nesterov": {True: {"momentum": "(0, 1)", "dampening": "[0, 0]"}}}


class GD(MomentumOptimizer):
    """Gradient descent for ordinary parameters and a float rate, or for parameters [L, ...] and rates [L].

    lr            a finite number >= 0, or a tensor [L] of them
    momentum      in [0, 1)
    dampening     in [0, 1]
    nesterov      needs momentum > 0 and dampening 0
    weight_decay  >= 0

    Anything else raises UserError naming the option, its value and the valid range.
    """

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
        d = direction(gradient, parameter, self.state[parameter], self._scratch(parameter), group)
        descend_(parameter, d, broadcast(group["lr"], parameter))
