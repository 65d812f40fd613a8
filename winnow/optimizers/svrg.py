"""SVRG: stochastic gradients whose noise a full gradient at a snapshot takes away (Johnson & Zhang 2013, NeurIPS 26).

    v = g_b(w) - g_b(s) + g(s),   w <- w - lr * (v + wd * w)

g_b is the gradient on the minibatch b, g that on all training images, s the weights of the last snapshot, taken at the
start of every `every` epochs (the paper's option I, m a multiple of an epoch; it advises 5 epochs for networks, after
some of SGD). v has the mean of g_b(w), and its variance goes to zero with w - s: with a constant rate the method
converges linearly where SGD stalls, if the loss is strongly convex and smooth.

Minibatches are those of any optimiser, drawn without replacement; the paper draws single images with replacement.
Clipping comes after the correction, to v. Cost: two gradients per step and one of all images per snapshot, so 3
sample-gradients per image and epoch (2 + 1 / every); two tensors of state per weight.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.duration import Duration
from winnow.errors import UserError
from winnow.optimizers._contract import wrong
from winnow.optimizers._variance_reduced import VarianceReduced

RANGES = {"every": "epochs", "weight_decay": "[0, inf)"}
NEEDS = ("problem",)


class SVRG(VarianceReduced):
    """SVRG on the parameters [L, ...] of a problem.

    lr            a finite number >= 0, or a tensor [L] of them
    every         epochs from one snapshot to the next, "2ep"
    weight_decay  >= 0

    Anything else raises UserError naming the option, its value and the valid range.
    """

    needs = frozenset(NEEDS)

    def __init__(self, params: ParamsT, lr: float | Tensor, *, every: str = "1ep", weight_decay: float = 0.0) -> None:
        super().__init__(params, lr, every=every, weight_decay=weight_decay)

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        try:
            every = Duration.parse(group["every"])
        except UserError:
            every = Duration(0, "ep")
        if every.unit != "ep" or every.count == 0:
            raise wrong("every", group["every"], "a whole number of epochs, at least '1ep'")

    @torch.no_grad()
    def _correct(self) -> None:
        problem, handles = self._problem, self._problem.handles
        state, every = self.state[next(iter(handles.values()))], Duration.parse(self.param_groups[0]["every"])
        period = problem.sampler.epoch // every.count
        if state.get("period") != period:
            # Nested, and of all weights, since the loop masks state, and which weights are pruned may change.
            state["period"], state["snapshot"] = period, {name: one.detach().clone() for name, one in handles.items()}
            state["full_gradient"] = {name: torch.zeros_like(one) for name, one in handles.items()}
            problem.gradient(out=state["full_gradient"], batch=problem.sampler.everything(), masked=False)
        there = {name: torch.empty_like(one) for name, one in handles.items()}
        problem.gradient(state["snapshot"], there, masked=False)
        for name, handle in handles.items():
            handle.grad.sub_(there[name]).add_(state["full_gradient"][name])
