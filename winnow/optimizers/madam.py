"""Madam, multiplicative Adam: factors whose exponent is the gradient over the root of its running square.

    v = beta2 * v + (1 - beta2) * u^2                                                                  (from 0)
    d = clamp(u / sqrt(v / (1 - beta2^t)), -g_bound, g_bound),   0 / 0 = 0                             (t = 1, 2, ...)
    w <- clamp(w * exp(-lr * sign(w) * d), -bound, bound),       bound = p_scale * rms of the weights at the start

Bernstein et al. 2020 (Learning compositional functions via multiplicative weight updates, arXiv 2006.14560), algorithm
1, with the bias correction, the names and the defaults of the published code (recommended lr: 0.01, then decayed). No
sign flips and an exact zero stays zero, so that a parameter that starts at zero never trains. The rms is that of each
tensor and lane. Departures: u = g + wd * w, as in `adam`, where the paper has no weight decay; zeros do not count in
the rms, so that pruned tensors keep the bound of dense ones; a gradient of NaN gives NaN. Cost: one gradient, one
tensor of state and one exponential per weight.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.optimizers._bias_correction import correction
from winnow.optimizers._contract import (
    LaneOptimizer,
    broadcast,
    check_not_negative,
    check_positive,
    check_share,
    stacked,
)
from winnow.optimizers._multiplicative import multiply_

RANGES = {"beta2": "[0, 1)", "g_bound": "(0, inf)", "p_scale": "(0, inf)", "weight_decay": "[0, inf)"}


class Madam(LaneOptimizer):
    """Madam for ordinary parameters and a float rate, or for parameters [L, ...] and rates [L].

    lr            a finite number >= 0, or a tensor [L] of them
    beta2         in [0, 1)
    g_bound       > 0: the largest |d|
    p_scale       > 0: the largest weight, in units of the rms at the start
    weight_decay  >= 0

    Anything else raises UserError naming the option, its value and the valid range.
    """

    keeps_zeros = True
    absorbing_zeros = True

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        *,
        beta2: float = 0.999,
        g_bound: float = 10.0,
        p_scale: float = 3.0,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"beta2": beta2, "g_bound": g_bound, "p_scale": p_scale, "weight_decay": weight_decay}
        super().__init__(params, {"lr": lr, **options})

    def _check(self, group: dict[str, Any]) -> None:
        check_share("beta2", group["beta2"])
        check_positive("g_bound", group["g_bound"])
        check_positive("p_scale", group["p_scale"])
        check_not_negative("weight_decay", group["weight_decay"])

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, beta2 = self.state[parameter], group["beta2"]
        if not state:
            rms = _rms(parameter, stacked(parameter, group["lr"]))
            state.update(
                count=parameter.new_zeros(()),
                square=torch.zeros_like(parameter),
                bound=broadcast(group["p_scale"] * rms, parameter),
            )
        u = torch.add(gradient, parameter, alpha=group["weight_decay"], out=self._scratch(parameter, 0))
        count, square, bound = state["count"].add_(1), state["square"], state["bound"]
        square.mul_(beta2).addcmul_(u, u, value=1 - beta2)
        root = torch.div(square, correction(beta2, count), out=self._scratch(parameter, 1)).sqrt_()
        d = u.div_(root.clamp_min_(torch.finfo(root.dtype).tiny)).clamp_(-group["g_bound"], group["g_bound"])
        sign = torch.sign(parameter, out=root)
        multiply_(parameter, d.mul_(sign), broadcast(group["lr"], parameter))
        parameter.clamp_(-bound, bound)


def _rms(weights: Tensor, lanes: bool) -> Tensor:
    """Root of the mean square of the weights that are not zero, per lane [L] or [1]; 0 where all are."""
    rows = weights.reshape(len(weights) if lanes else 1, -1)
    return (rows.square().sum(1) / (rows != 0).sum(1).clamp_min(1)).sqrt()
