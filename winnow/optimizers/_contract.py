"""What every optimiser plug-in has in common: the contract's defaults, the walk over parameters, a rate per lane.

Two ways of use, told apart by the rate of a parameter group alone. A float (or a 0-dimensional tensor): ordinary
parameters in anybody's training code. A tensor [L]: lane-stacked parameters [L, ...], where lane i moves at rate lr[i]
and no lane sees another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from winnow.errors import UserError


class Problem(Protocol):
    """The part of the training loop's problem object that optimisers of this package use."""

    names: Mapping[Tensor, str]
    roles: Mapping[str, str]
    zero_initialised: frozenset[str]
    fan_in: Mapping[str, int]

    def generator(self, lane: int, purpose: str) -> np.random.Generator: ...


class LaneOptimizer(torch.optim.Optimizer):
    """Base of the plug-ins: a subclass writes `_update` (one parameter, in place) or `_update_all`, and `_check` for
    its own options.

    `lr` of a group is read anew at every step, so schedules may replace it or, under a captured CUDA graph, write into
    it (then it must be a tensor on the parameters' device). Nothing in `step` reads a value back to the host. State is
    made in the first step, which therefore has to run before a graph is captured.
    """

    lanes: ClassVar[bool] = True
    capturable: ClassVar[bool] = True
    keeps_zeros: ClassVar[bool] = False  # a weight stays zero where it, its gradient and its state are
    absorbing_zeros: ClassVar[bool] = False  # a weight that is exactly zero stays so whatever its gradient
    needs: frozenset[str] = frozenset()
    _memory: dict[tuple[Any, ...], Tensor] | None = None  # scratch memory: not state, never saved

    def bind(self, problem: Problem) -> None:
        """Take what this optimiser wants from the problem (names, roles, fan-in, generators, gradients).

        The training loop calls it once, after construction and before the first step, where `needs` names anything but
        "closure" (which says that `step` calls the closure itself).
        """

    def masks_changed(self) -> None:
        """Other weights than before are pruned, and state of a parameter's shape is zero there: forget what other
        state holds of them. Called where masks change within a run.
        """

    def evaluation_parameters(self) -> list[Tensor] | None:
        """Tensors to evaluate instead of the parameters, in the order of the parameter groups; None: the parameters."""
        return None

    def update_multiply_adds(self) -> float:
        """Mean multiply-adds of a step for one lane, beyond the gradients that the problem counts: of products of
        matrices and their decompositions, each as often as it is made. Work on single weights does not count.
        """
        return 0.0

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, checking its options: a wrong one raises UserError with its name, value and valid range."""
        super().add_param_group(param_group)
        try:
            self._check_rate(self.param_groups[-1])
            self._check(self.param_groups[-1])
            self._begin(self.param_groups[-1])
        except UserError:
            del self.param_groups[-1]
            raise

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As in torch, and rates and step counts, too, move to the parameters' device."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            device = group["params"][0].device
            for held in (group, *(self.state[parameter] for parameter in group["params"] if parameter in self.state)):
                held.update({key: value.to(device) for key, value in held.items() if isinstance(value, Tensor)})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step from the gradients in `.grad`; a closure, if given, is called first and its loss returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._update_all([parameter for parameter in group["params"] if parameter.grad is not None], group)
        return loss

    def _update_all(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Update those parameters of a group that have a gradient: one by one, unless a subclass can do better."""
        for parameter in parameters:
            if parameter.grad is not None:
                self._update(parameter, parameter.grad, group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        raise NotImplementedError

    def _check(self, group: dict[str, Any]) -> None:
        """Raise UserError for a wrong option of the group."""

    def _begin(self, group: dict[str, Any]) -> None:
        """Prepare the parameters of a group that has been found correct."""

    def _check_rate(self, group: dict[str, Any]) -> None:
        rate = group["lr"]
        valid = "a finite number >= 0, or a tensor [L] of them for parameters [L, ...]"
        if not self.lanes:
            valid = "a finite number >= 0, for one lane at a time"
        if not isinstance(rate, Tensor) or not self.lanes:
            check_number("lr", rate, lambda lr: lr >= 0, valid)
            return
        if rate.dim() > 1 or not rate.is_floating_point() or not bool((torch.isfinite(rate) & (rate >= 0)).all()):
            raise wrong("lr", rate, valid)
        for parameter in group["params"]:
            if rate.numel() > 1 and (parameter.dim() == 0 or len(parameter) != rate.numel()):
                raise UserError(
                    f"The optimiser option 'lr' holds {rate.numel()} rates, one per lane, but a parameter has shape "
                    f"{list(parameter.shape)}; valid is a leading axis of {rate.numel()}."
                )

    def _scratch(self, like: Tensor, index: int = 0) -> Tensor:
        """Uninitialised memory in the shape of `like`, shared by all parameters: valid until asked for again."""
        if self._memory is None:
            self._memory = {}
        key = (like.shape, like.dtype, like.device, index)
        if key not in self._memory:
            own = [p.numel() for group in self.param_groups for p in group["params"]]
            shared = (like.dtype, like.device, index)
            if shared not in self._memory or self._memory[shared].numel() < like.numel():
                self._memory[shared] = torch.empty(max(own), dtype=like.dtype, device=like.device)
            self._memory[key] = self._memory[shared][: like.numel()].view(like.shape)
        return self._memory[key]


def stacked(parameter: Tensor, rate: float | Tensor) -> bool:
    """Whether the rate makes the leading axis of the parameter a lane axis."""
    return isinstance(rate, Tensor) and rate.dim() == 1 and parameter.dim() > 0 and len(parameter) == rate.numel()


def lane_shape(parameter: Tensor, rate: float | Tensor) -> torch.Size:
    """The parameter's shape in one lane."""
    return parameter.shape[1:] if stacked(parameter, rate) else parameter.shape


def broadcast(rate: float | Tensor, parameter: Tensor) -> float | Tensor:
    """The rate in a form that multiplies the parameter: a float, or a tensor [L, 1, ...] of its type and device."""
    if not isinstance(rate, Tensor):
        return rate
    rate = rate.to(device=parameter.device, dtype=parameter.dtype)
    return rate.view(-1, *[1] * (parameter.dim() - 1)) if rate.dim() == 1 and parameter.dim() > 0 else rate.view(())


def check_number(option: str, value: object, within: Callable[[float], bool], valid: str) -> None:
    """UserError unless the value is a finite number that `within` accepts; `valid` says which those are."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and within(value)):  # type: ignore[arg-type]
        raise wrong(option, value, valid)


def check_share(option: str, value: object) -> None:
    """UserError unless the value, the weight of the past in a running mean, is a number in [0, 1)."""
    check_number(option, value, lambda share: 0 <= share < 1, "a number in [0, 1)")


def check_positive(option: str, value: object) -> None:
    """UserError unless the value is a finite number > 0."""
    check_number(option, value, lambda number: number > 0, "a finite number > 0")


def check_not_negative(option: str, value: object) -> None:
    """UserError unless the value is a finite number >= 0."""
    check_number(option, value, lambda number: number >= 0, "a finite number >= 0")


def wrong(option: str, value: object, valid: str) -> UserError:
    """The error for an option's wrong value."""
    return UserError(f"The optimiser option {option!r} is {value!r}; valid is {valid}.")
