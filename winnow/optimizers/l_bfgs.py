"""L-BFGS: steps by an inverse Hessian from the last pairs of moves and changes of gradient (Liu & Nocedal 1989,
Mathematical Programming 45, 503).

    s_k = w_{k+1} - w_k,   y_k = g_{k+1} - g_k,   rho_k = 1 / (y_k' s_k)
    H_{k+1} = (I - rho_k s_k y_k') H_k (I - rho_k y_k s_k') + rho_k s_k s_k'    over the last `history_size` pairs,
    from H = (s'y / y'y) I,   w <- w - t * H g

by the two-loop recursion (Nocedal & Wright 2006, algorithms 7.4 and 7.5). The steps are torch.optim.LBFGS's, up to
`max_iter` of them on each batch; t is lr, or starts at lr in a search for the strong Wolfe conditions. In the very
first step t is scaled by min(1, 1 / |g|_1). Weight decay is L2: part of the loss and the gradient.

A pair whose two gradients come from different batches holds more noise than curvature (Berahas et al. 2016, arXiv
1605.06049). Such pairs are left out, unless `across_steps`: for training where every step has the same batch. Clipping
of gradients spoils pairs and line search: better train without.

Cost per step: `max_iter` gradients of the batch without line search, up to 5/4 of that and one more with it, and the
recursions (LeNet-5 with 4 iterations and 10 pairs: 7 million multiply-adds, as 8 images' gradients); 2 * history_size +
4 numbers of state per weight (LeNet-5 with 10 pairs: 4.3 MB a lane). One lane at a time. A pruned weight stays zero,
since it is in all of s and y, which are combinations of masked gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from winnow.errors import UserError
from winnow.optimizers._contract import LaneOptimizer, check_not_negative, check_number, wrong

RANGES: dict[str, str | list[str]] = {
    "max_iter": "[2, inf)",
    "history_size": "[1, inf)",
    "line_search": ["none", "strong_wolfe"],
    "weight_decay": "[0, inf)",
}
NEEDS = ("closure",)


class LBFGS(LaneOptimizer, torch.optim.LBFGS):
    """L-BFGS for ordinary parameters in one group and a closure that fills their gradients and returns the loss.

    lr            a finite number >= 0
    max_iter      iterations per step, a whole number >= 2: the first only begins a pair
    history_size  pairs kept, a whole number >= 1
    line_search   "none" or "strong_wolfe"
    across_steps  true: pairs may span two steps, which should then see the same batch
    weight_decay  >= 0

    Anything else raises UserError naming the option, its value and the valid range.
    """

    lanes = False
    capturable = False
    keeps_zeros = True
    needs = frozenset(NEEDS)

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        *,
        max_iter: int = 4,
        history_size: int = 10,
        line_search: str = "strong_wolfe",
        across_steps: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        own = {"line_search": line_search, "across_steps": across_steps, "weight_decay": weight_decay}
        group = {"params": list(params), "lr": lr, "max_iter": max_iter, "history_size": history_size, **own}
        self._check_rate(group)
        self._check(group)  # before torch's own constructor computes with them
        search = None if line_search == "none" else line_search
        most = max(5 * max_iter // 4, max_iter + 1)  # torch's 5/4 alone would cut short steps of 2 or 3 iterations
        super().__init__([group], lr, max_iter, most, history_size=history_size, line_search_fn=search)
        self.defaults.update(own)

    def _check(self, group: dict[str, Any]) -> None:
        check_number("max_iter", group["max_iter"], lambda n: n >= 2 and n == int(n), "a whole number >= 2")
        check_number("history_size", group["history_size"], lambda n: n >= 1 and n == int(n), "a whole number >= 1")
        if group["line_search"] not in RANGES["line_search"]:
            raise wrong("line_search", group["line_search"], f"one of {', '.join(RANGES['line_search'])}")
        if not isinstance(group["across_steps"], bool):
            raise wrong("across_steps", group["across_steps"], "true or false")
        check_not_negative("weight_decay", group["weight_decay"])

    def _begin(self, group: dict[str, Any]) -> None:
        if len(self.param_groups) > 1:
            raise UserError("L-BFGS moves all parameters by one rate: give them in one group, not in several.")

    def update_multiply_adds(self) -> float:
        """Of the two-loop recursion with a full history: 4 * history_size * weights in each of `max_iter` iterations
        (Nocedal & Wright 2006, section 7.2), an inner product and a sum of vectors per pair and loop.
        """
        group = self.param_groups[0]
        weights = sum(parameter.numel() for parameter in group["params"])
        return float(4 * group["history_size"] * weights * group["max_iter"])

    def masks_changed(self) -> None:
        """Forget all pairs: they are those of another problem, and would move pruned weights."""
        self.state.clear()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to `max_iter` iterations on the closure's batch; returns the loss of its first call."""
        if closure is None:
            raise UserError("L-BFGS computes several gradients per step: give step() a closure that returns the loss.")
        group = self.param_groups[0]
        parameters, state = group["params"], self.state[group["params"][0]]
        if not group["across_steps"] and "d" in state:
            state["d"] = torch.zeros_like(state["d"])  # s = 0: torch does not store this pair
        first: list[Any] = []

        def total() -> Any:
            loss = closure()
            first.append(loss)
            for parameter in parameters if group["weight_decay"] != 0 else ():
                if parameter.grad is not None:
                    parameter.grad.add_(parameter.detach(), alpha=group["weight_decay"])
                    loss = loss + group["weight_decay"] / 2 * parameter.detach().square().sum()
            return loss

        torch.optim.LBFGS.step(self, total)  # type: ignore[no-untyped-call]
        return first[0]
