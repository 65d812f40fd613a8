"""Gradient descent with momentum and coupled weight decay: w <- w - lr * d, the formulas of torch.optim.SGD.

The direction d is that of `_momentum`, with u = g + wd * w. Unlike torch's SGD it takes a rate per lane.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from winnow.optimizers._contract import broadcast
from winnow.optimizers._momentum import MomentumOptimizer, descend_, direction


class GD(MomentumOptimizer):
    """GD(params, lr, *, momentum=0, dampening=0, nesterov=False, weight_decay=0).

    lr: a float >= 0, or a tensor [L] for parameters [L, ...]; momentum in [0, 1); dampening in [0, 1];
    weight_decay >= 0; nesterov needs momentum > 0 and dampening 0. Anything else raises UserError.
    """

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        d = direction(gradient, parameter, self.state[parameter], self._scratch(parameter), group)
        descend_(parameter, d, broadcast(group["lr"], parameter))
