"""Stochastic gradient descent with momentum and coupled weight decay, under torch's name: it is `gd`.

    w <- w - lr * d,   d from a minibatch's gradient by `_momentum`   (Robbins & Monro 1951, Ann. Math. Stat. 22, 400)

In this package `gd` already follows the formulas of torch.optim.SGD on whatever batch it is given; `sgd` is the same
class for configs that use the field's name. Sources of momentum and cost are those of `gd`.
"""

from __future__ import annotations

from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.optimizers.gd import GD

RANGES = {"momentum": "[0, 1)", "dampening": "[0, 1]", "weight_decay": "[0, inf)"}
REQUIRES = {"nesterov": {True: {"momentum": "(0, 1)", "dampening": "[0, 0]"}}}


class SGD(GD):
    """Options and errors as of GD."""

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
        super().__init__(
            params, lr, momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=weight_decay
        )
