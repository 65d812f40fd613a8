"""Muon: momentum, orthogonalised, for weight matrices; AdamW or SGD for everything else.

    m = mu * m + (1 - mu) * g  (from 0),   M = mu * m + (1 - mu) * g  with Nesterov, otherwise m
    w <- (1 - lr * wd) * w - lr * sqrt(max(1, rows / columns)) * O(M)

with O(M) near the closest orthogonal matrix to M (`_newton_schulz`), per lane; a convolution's filters are the rows of
one matrix. Jordan et al. 2024 (kellerjordan.github.io/posts/muon, and github.com/KellerJordan/Muon). Formulas and
defaults are those of torch.optim.Muon, but for weight decay, 0 where left out, and float32 instead of bfloat16. Which
weights count as matrices, says `matrices`:

    hidden  those of the problem's role "hidden"; without a problem, all with two axes or more
    linear  those with two axes, whatever their role: all linear layers, no convolution
    all     those with two axes or more

The rest moves by `auxiliary`: AdamW with Jordan's betas 0.9, 0.95 and eps 1e-10, or SGD with `momentum` and `nesterov`
as for the matrices and decoupled weight decay. Its rate is `auxiliary_lr`, scaled along with lr: auxiliary_lr * lr(now)
/ lr(at construction); lr itself where left out.

O(M) is dense even where M is not, so that a step moves pruned weights: `keeps_zeros` is False, and the training loop
masks them after each step. The momentum of a pruned weight stays zero, since its gradient is.

Cost: one gradient, one tensor of state per weight, and per matrix with sides r <= s 5 * (2 r^2 s + r^3) multiply-adds
(LeNet-5's fc1: 45 million, as much as 490 images forward and backward through that layer; all linear layers: 57
million, as 68 images' gradients).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.optimizers import _fused
from winnow.optimizers._contract import (
    LaneOptimizer,
    Problem,
    broadcast,
    check_not_negative,
    check_positive,
    check_share,
    lane_shape,
    stacked,
    wrong,
)
from winnow.optimizers._momentum import descend_, direction
from winnow.optimizers._newton_schulz import multiply_adds, orthogonalised

RANGES: dict[str, str | list[str]] = {
    "momentum": "[0, 1)",
    "weight_decay": "[0, inf)",
    "matrices": ["hidden", "linear", "all"],
    "auxiliary": ["adamw", "sgd"],
    "auxiliary_lr": "(0, inf)",
}
ADAMW = {"beta1": 0.9, "beta2": 0.95, "eps": 1e-10}


class Muon(LaneOptimizer):
    """Muon for ordinary parameters and a float rate, or for parameters [L, ...] and rates [L].

    lr            a finite number >= 0, or a tensor [L] of them
    momentum      in [0, 1)
    nesterov      true or false
    weight_decay  >= 0, decoupled
    matrices      "hidden", "linear" or "all"
    auxiliary     "adamw" or "sgd"
    auxiliary_lr  > 0; left out: lr

    Anything else raises UserError naming the option, its value and the valid range.
    """

    keeps_zeros = False
    needs = frozenset({"problem"})

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        *,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        matrices: str = "hidden",
        auxiliary: str = "adamw",
        auxiliary_lr: float | None = None,
    ) -> None:
        options = {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay, "matrices": matrices}
        super().__init__(params, {"lr": lr, **options, "auxiliary": auxiliary, "auxiliary_lr": auxiliary_lr})

    def bind(self, problem: Problem) -> None:
        """Learn from the problem which weights are hidden."""
        for parameter in (parameter for group in self.param_groups for parameter in group["params"]):
            self.state[parameter]["hidden"] = problem.roles[problem.names[parameter]] == "hidden"

    def update_multiply_adds(self) -> float:
        """Of the Newton-Schulz steps."""
        groups = self.param_groups
        shapes = [lane_shape(p, g["lr"]) for g in groups for p in g["params"] if self._is_matrix(p, g)]
        return float(sum(multiply_adds(shape[0], math.prod(shape[1:])) for shape in shapes))

    def _check(self, group: dict[str, Any]) -> None:
        check_share("momentum", group["momentum"])
        check_not_negative("weight_decay", group["weight_decay"])
        if not isinstance(group["nesterov"], bool):
            raise wrong("nesterov", group["nesterov"], "true or false")
        for option in ("matrices", "auxiliary"):
            if group[option] not in RANGES[option]:
                raise wrong(option, group[option], f"one of {', '.join(RANGES[option])}")
        if group["auxiliary_lr"] is not None:
            check_positive("auxiliary_lr", group["auxiliary_lr"])
            if not bool((torch.as_tensor(group["lr"]) > 0).all()):
                raise wrong("lr", group["lr"], "a rate > 0 with auxiliary_lr, which is scaled along with it")

    def _begin(self, group: dict[str, Any]) -> None:
        group["auxiliary_scale"] = 1.0 if group["auxiliary_lr"] is None else group["auxiliary_lr"] / group["lr"]

    def _is_matrix(self, parameter: Tensor, group: dict[str, Any]) -> bool:
        axes = len(lane_shape(parameter, group["lr"]))
        if group["matrices"] == "linear":
            return axes == 2
        return axes >= 2 and (group["matrices"] == "all" or bool(self.state[parameter].get("hidden", True)))

    def _update_all(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        rest = []
        for parameter in parameters:
            if parameter.grad is not None and self._is_matrix(parameter, group):
                self._update(parameter, parameter.grad, group)
            else:
                rest.append(parameter)
        rate = group["lr"] * group["auxiliary_scale"]
        if group["auxiliary"] == "adamw":
            _fused.adam_(_fused.ADAMW, rest, self.state, rate, **ADAMW, weight_decay=group["weight_decay"])
            return
        for parameter in rest:
            if parameter.grad is not None:
                options, own = {**group, "dampening": 0.0, "weight_decay": 0.0}, broadcast(rate, parameter)
                d = direction(parameter.grad, parameter, self.state[parameter], self._scratch(parameter), options)
                _decay_(parameter, own, group)
                descend_(parameter, d, own)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rate = self.state[parameter], broadcast(group["lr"], parameter)
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        update = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        if group["nesterov"]:
            update = torch.lerp(gradient, update, group["momentum"], out=self._scratch(parameter))
        lanes, rows = parameter.shape[:2] if stacked(parameter, group["lr"]) else (1, parameter.shape[0])
        matrices = update.reshape(lanes, rows, -1)
        scale = math.sqrt(max(1, rows / matrices.shape[2]))
        _decay_(parameter, rate, group)
        descend_(parameter, orthogonalised(matrices).reshape(parameter.shape), rate * scale)


def _decay_(weights: Tensor, rate: float | Tensor, group: dict[str, Any]) -> None:
    """w <- (1 - rate * wd) * w."""
    if group["weight_decay"] != 0:
        weights.mul_(1 - rate * group["weight_decay"])
