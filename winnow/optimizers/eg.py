"""Exponentiated gradient for weights of either sign: w <- w * exp(-lr * sign(w) * d).

Cornford et al. 2024, bioRxiv 2024.10.25.620272; after Kivinen & Warmuth 1997 (Information and Computation 132, 1; there
the unnormalised EGU, for positive weights). The direction d is that of `_momentum`, with u = g + wd * sign(w), so that
decay alone is a factor exp(-lr * wd). No clamp, no normalisation. A sign never flips and an exact zero is absorbing;
what becomes of parameters that *start* at zero is the zero policy:

    as_is   they stay zero
    split   b = b_plus + b_minus (see `_split`), EG on both parts with the gradient of b; needs fan_in and a generator
    gd      plain gradient descent at the rate bias_lr, scaled along with lr: bias_lr * lr(now) / lr(at construction)

Cost: one gradient, one tensor of state per weight with momentum, else none (`split` biases have two more); one
exponential per weight.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.random import Generator
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.errors import UserError
from winnow.optimizers import _split
from winnow.optimizers._contract import Problem, broadcast, check_number, stacked, wrong
from winnow.optimizers._momentum import MomentumOptimizer, descend_, direction
from winnow.optimizers._multiplicative import multiply_

RANGES: dict[str, str | list[str]] = {
    "momentum": "[0, 1)",
    "dampening": "[0, 1]",
    "weight_decay": "[0, inf)",
    "zero_policy": ["as_is", "split", "gd"],
    "bias_lr": "(0, inf)",
    "fan_in": "[1, inf)",
}
REQUIRES: dict[str, dict[str | bool, dict[str, str | None]]] = {
    "nesterov": {True: {"momentum": "(0, 1)", "dampening": "[0, 0]"}},
    "zero_policy": {"gd": {"bias_lr": "(0, inf)"}, "as_is": {"bias_lr": None}, "split": {"bias_lr": None}},
}
PARTS = ("positive", "negative")


class EG(MomentumOptimizer):
    """Exponentiated gradient. Options as of GD, and

    zero_policy  "as_is", "split" or "gd"
    bias_lr      rate > 0 of the parameters that start at zero, for "gd" (required there, refused elsewhere)
    fan_in       for "split" without a problem: inputs per unit, an integer >= 1; also as an option of each group
    generator    for "split" without a problem: the numpy Generator to draw from

    A parameter starts at zero if the problem says so; without a problem, if its group's option `zero_initialised` is
    true or, where that is left out, if it is exactly zero at construction. Wrong options raise UserError.
    """

    absorbing_zeros = True
    _generator: Generator | None = None

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        zero_policy: str = "as_is",
        bias_lr: float | None = None,
        fan_in: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(generator, Generator | None):
            raise wrong("generator", generator, "a numpy.random.Generator")
        self._generator = generator
        zeros = {"zero_policy": zero_policy, "bias_lr": bias_lr, "fan_in": fan_in, "zero_initialised": None}
        super().__init__(params, lr, momentum, dampening, nesterov, weight_decay, **zeros)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._set_needs()

    def bind(self, problem: Problem) -> None:
        """Learn from the problem which parameters start at zero and, for "split", draw their parts, lane by lane."""
        rate = self.param_groups[0]["lr"]  # all groups have the same lanes
        lanes = rate.numel() if isinstance(rate, Tensor) else 1
        generators = [problem.generator(lane, "split") for lane in range(lanes)]
        for group in self.param_groups:
            if group["zero_policy"] == "as_is":
                continue
            for parameter in group["params"]:
                name, state = problem.names[parameter], self.state[parameter]
                state["zero_initialised"] = name in problem.zero_initialised
                if not state["zero_initialised"]:
                    for part in PARTS:
                        state.pop(part, None)
                elif group["zero_policy"] == "split" and PARTS[0] not in state:
                    one_each = list(parameter.data) if stacked(parameter, group["lr"]) else [parameter.data]
                    self._split(parameter, one_each, problem.fan_in[name], generators)

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        policy, bias_lr, fan_in, named = (group[k] for k in ("zero_policy", "bias_lr", "fan_in", "zero_initialised"))
        if policy not in RANGES["zero_policy"]:
            raise wrong("zero_policy", policy, f"one of {', '.join(RANGES['zero_policy'])}")
        if policy == "gd":
            check_number("bias_lr", bias_lr, lambda lr: lr > 0, "a finite number > 0 (zero_policy 'gd' needs it)")
            if not bool((torch.as_tensor(group["lr"]) > 0).all()):
                raise wrong(
                    "lr", group["lr"], "a rate > 0 with zero_policy 'gd', whose bias_lr is scaled along with it"
                )
        elif bias_lr is not None:
            raise wrong("bias_lr", bias_lr, f"to leave it out with zero_policy {policy!r}: only 'gd' uses it")
        if fan_in is not None:
            check_number("fan_in", fan_in, lambda n: n >= 1 and n == int(n), "an integer >= 1")
        if named not in (None, True, False):
            raise wrong("zero_initialised", named, "true, false or nothing")

    def _begin(self, group: dict[str, Any]) -> None:
        self._set_needs()
        if group["zero_policy"] == "gd":
            group["bias_scale"] = group["bias_lr"] / group["lr"]
        for parameter in group["params"] if group["zero_policy"] != "as_is" else ():
            named = group["zero_initialised"]
            if named is False or (named is None and bool(parameter.any())):
                continue
            self.state[parameter]["zero_initialised"] = True
            if group["zero_policy"] == "split" and self._generator is not None:
                if group["fan_in"] is None:
                    raise wrong("fan_in", None, "an integer >= 1 (zero_policy 'split' needs it)")
                self._split(parameter, [parameter.data], group["fan_in"], [self._generator])

    def _set_needs(self) -> None:
        plain = all(group["zero_policy"] == "as_is" for group in self.param_groups)
        self.needs = frozenset() if plain else frozenset({"problem"})

    def _split(self, parameter: Tensor, lanes: list[Tensor], fan_in: int, generators: list[Generator]) -> None:
        for key, drawn in zip(PARTS, _split.draw_(lanes, fan_in, generators), strict=True):
            self.state[parameter][key] = drawn.view(parameter.shape)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state.get("zero_initialised"):
            self._multiply(parameter, gradient, state, group)
        elif group["zero_policy"] == "gd":
            d = direction(gradient, parameter, state, self._scratch(parameter), group)
            descend_(parameter, d, broadcast(group["lr"] * group["bias_scale"], parameter))
        else:
            if PARTS[0] not in state:
                raise UserError(
                    "The optimiser option 'zero_policy' is 'split' and a parameter starts at zero, but there is "
                    "nothing to draw its parts from; valid is to pass `fan_in` and `generator`, or to bind a problem."
                )
            for part in PARTS:
                self._multiply(state[part], gradient, state, group, key=f"momentum_buffer_{part}")
            torch.add(state[PARTS[0]], state[PARTS[1]], out=parameter)

    def _multiply(
        self,
        weights: Tensor,
        gradient: Tensor,
        state: dict[str, Any],
        group: dict[str, Any],
        key: str = "momentum_buffer",
    ) -> None:
        sign = torch.sign(weights, out=self._scratch(weights, 0))
        d = direction(gradient, sign, state, self._scratch(weights, 1), group, key)
        multiply_(weights, sign.mul_(d), broadcast(group["lr"], weights))
