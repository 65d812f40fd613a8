"""PyTorch's fused kernels, one pass over memory each, called once for a common rate and, for rates [L] on a CPU, once
per lane. On an accelerator, where calls cost more than memory, one call moves a copy of all lanes at rate 1.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import torch
from torch import Tensor

from winnow.optimizers._contract import broadcast

# What torch.optim's classes call with fused=True; their types allow no union of rates.
ADAM: Any = torch._fused_adam_
ADAMW: Any = torch._fused_adamw_
ADAGRAD: Any = torch._fused_adagrad_
_ONE = torch.ones(())


def state_of(states: MutableMapping[Any, Any], parameters: list[Tensor], *names: str) -> list[list[Tensor]]:
    """[steps, first named tensors, ...] of the parameters, made (zero) where missing; the steps count this one."""
    for parameter in parameters:
        state = states[parameter]
        if "step" not in state:
            state["step"] = torch.zeros((), device=parameter.device)
            state.update({name: torch.zeros_like(parameter) for name in names})
    columns = [[states[parameter][name] for parameter in parameters] for name in ("step", *names)]
    if all(step.is_cpu for step in columns[0]):
        for step in columns[0]:
            step.add_(_ONE)  # half the time of the call below, as is a tensor compared with a number
    else:
        torch._foreach_add_(columns[0], 1)
    return columns


def by_lane(kernel: Callable[..., None], rate: float | Tensor, steps: list[Tensor], *columns: list[Tensor]) -> None:
    """Call kernel(*columns, steps, lr=rate) on all lanes at once where the rate is common, otherwise lane by lane.

    columns: the parameters, then what else the kernel takes of each.
    """
    if not isinstance(rate, Tensor) or rate.numel() == 1:
        kernel(*columns, steps, lr=rate if not isinstance(rate, Tensor) else rate.view(()))
        return
    if not on_cpu(rate):
        at_once(kernel, rate, steps, *columns)
        return
    lanes = [list(zip(*(tensor.unbind() for tensor in column), strict=True)) for column in columns]
    for lane, one_rate in enumerate(rate.unbind()):
        kernel(*(list(column[lane]) for column in lanes), steps, lr=one_rate)


def on_cpu(rate: Tensor) -> bool:
    """Whether lanes are walked one by one; by itself so that tests can try the other way without a GPU."""
    return rate.is_cpu


def at_once(kernel: Callable[..., None], rate: Tensor, steps: list[Tensor], *columns: list[Tensor]) -> None:
    """One call for all lanes: w + lr * (w(1) - w), w(1) being what the kernel makes of w at the rate 1.

    Exact in real numbers, since each kernel's step is linear in the rate.
    """
    parameters, *others = columns
    moved = torch._foreach_add(parameters, 0)
    kernel(list(moved), *others, steps, lr=1.0)
    for parameter, end in zip(parameters, moved, strict=True):
        parameter.lerp_(end, broadcast(rate, parameter))


def adam_(
    kernel: Any,
    parameters: list[Tensor],
    states: MutableMapping[Any, Any],
    rate: float | Tensor,
    *,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """One step of Adam (kernel ADAM) or AdamW (ADAMW), by the equations in their files."""
    if not parameters:
        return
    steps, means, squares = state_of(states, parameters, "mean", "square")
    options = {"beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay}

    def call(*lists: list[Tensor], lr: float | Tensor) -> None:
        *columns, counts = lists
        kernel(*columns, [], counts, lr=lr, **options, amsgrad=False, maximize=False)

    by_lane(call, rate, steps, parameters, gradients_of(parameters), means, squares)


def gradients_of(parameters: list[Tensor]) -> list[Tensor]:
    """Their gradients, which must be there."""
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
