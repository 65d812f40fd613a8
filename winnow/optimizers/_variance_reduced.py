"""What SVRG and SAGA share: plain steps along a gradient from which the problem lets them take the noise.

    w <- w - lr * (v + wd * w)

v stands in `.grad`: the problem calls `_correct` on the minibatch's masked gradient, before it is clipped, since the
noise of gradients that were clipped apart does not cancel.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.errors import UserError
from winnow.optimizers._contract import LaneOptimizer, broadcast, check_not_negative
from winnow.optimizers._momentum import descend_


class VarianceReduced(LaneOptimizer):
    """Base of the plug-ins: a subclass writes `_correct`."""

    capturable = False
    keeps_zeros = True
    _problem: Any = None

    def __init__(self, params: ParamsT, lr: float | Tensor, **options: Any) -> None:
        super().__init__(params, {"lr": lr, **options})

    def bind(self, problem: Any) -> None:
        """Take the part of correcting gradients from `problem`."""
        self._problem, problem.correction = problem, self._correct

    def _check(self, group: dict[str, Any]) -> None:
        check_not_negative("weight_decay", group["weight_decay"])

    def _update_all(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        if self._problem is None:
            raise UserError(
                f"{type(self).__name__} needs a problem with all its minibatches (bind): train through winnow's loop."
            )
        super()._update_all(parameters, group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        if group["weight_decay"] != 0:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        descend_(parameter, gradient, broadcast(group["lr"], parameter))

    def _correct(self) -> None:
        """Turn the minibatch's gradient in `.grad` into the estimate v, in place."""
        raise NotImplementedError
