"""Exponentiated gradient along Adam's direction: `eg` with the d of `adam` in its exponent.

    m = beta1 * m + (1 - beta1) * u,   v = beta2 * v + (1 - beta2) * u^2,   u = g + wd * w             (from 0)
    d = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)                                            (t = 1, 2, ...)
    w <- w * exp(-lr * sign(w) * d)

A definition of this package. Its parts: EG for weights of either sign (Cornford et al. 2024, bioRxiv
2024.10.25.620272) and the direction of Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1). `madam` is its published
relative, which has no mean of gradients (beta1 = 0), but bounds on steps and weights. No sign flips and an exact zero
stays zero, so that a parameter that starts at zero never trains. Cost: one gradient, two tensors of state and one
exponential per weight.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.optimizers._bias_correction import correction
from winnow.optimizers._contract import LaneOptimizer, broadcast, check_not_negative, check_positive, check_share
from winnow.optimizers._multiplicative import multiply_

RANGES = {"beta1": "[0, 1)", "beta2": "[0, 1)", "eps": "(0, inf)", "weight_decay": "[0, inf)"}


class AdamEG(LaneOptimizer):
    """EG along Adam's direction; options and errors as of Adam."""

    keeps_zeros = True
    absorbing_zeros = True

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay})

    def _check(self, group: dict[str, Any]) -> None:
        for beta in ("beta1", "beta2"):
            check_share(beta, group[beta])
        check_positive("eps", group["eps"])
        check_not_negative("weight_decay", group["weight_decay"])

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, beta1, beta2 = self.state[parameter], group["beta1"], group["beta2"]
        if not state:
            state.update(
                count=parameter.new_zeros(()), mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter)
            )
        u = torch.add(gradient, parameter, alpha=group["weight_decay"], out=self._scratch(parameter, 0))
        count = state["count"].add_(1)
        mean = state["mean"].mul_(beta1).add_(u, alpha=1 - beta1)
        square = state["square"].mul_(beta2).addcmul_(u, u, value=1 - beta2)
        root = torch.div(square, correction(beta2, count), out=self._scratch(parameter, 1)).sqrt_().add_(group["eps"])
        d = torch.div(mean, correction(beta1, count), out=u).div_(root)
        sign = torch.sign(parameter, out=root)
        multiply_(parameter, d.mul_(sign), broadcast(group["lr"], parameter))
