"""K-FAC: natural-gradient steps with a Kronecker product for each layer's Fisher matrix (Martens & Grosse 2015, arXiv
1503.05671; convolutions: Grosse & Martens 2016, arXiv 1602.01407).

    A = E[sum over t of a a'],   G = E[mean over t of g g']      per weight matrix, running means over batches
    u = dL/d[W b] + wd * [W b]
    v = (G + sqrt(lambda) / pi I)^-1  u  (A + pi sqrt(lambda) I)^-1,   lambda = damping + wd
    pi^2 = (tr A / size of A) / (tr G / size of G)
    m <- momentum * m + nu * v,   w <- w - lr * m,   nu = min(1, sqrt(kl_clip / (lr^2 sum of u v)))

a: inputs of a use of W and 1 for the bias; g: gradient of one image's log-likelihood by its outputs; t: the uses of W
on one image (positions of a convolution, time steps; one in a linear layer), taken to be uncorrelated. Running means
weigh what was there by min(1 - 1/k, statistics_decay) at the k-th batch (section 5 of 2015), pi is section 6.3's.
Labels are drawn from the model's predictions, by a stream per lane (`fisher: sampled`, section 5), or are the data's.
Departures: the block-diagonal form alone; a fixed lambda; lr, momentum and the bound nu (Ba, Grosse & Martens 2017,
ICLR, section 5) in place of re-scaling by the exact Fisher matrix (section 6.4). Parameters without statistics have
v = u.

v is dense even where u is not: the training loop masks pruned weights after each step. u, and with it the sum of u v,
is zero there.

Cost: one gradient per step, and in the first three steps and every `statistics_every` one more, which is counted, with
statistics (on the model's plain path). Every `inverse_every` steps the inverses, in float64. For LeNet-5 14 million
multiply-adds per step for v, 2 million per image of statistics and 13 million for inverses: by the defaults, with 64
images, 40 million per step, as 48 images' gradients. 1.3 MB of state a lane, and 0.2 MB per image during statistics:
batches of up to 20,000 images stay within 8 GiB.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.errors import UserError
from winnow.optimizers._contract import (
    LaneOptimizer,
    broadcast,
    check_not_negative,
    check_number,
    check_positive,
    check_share,
    wrong,
)
from winnow.optimizers._momentum import descend_
from winnow.seeds import stream

RANGES: dict[str, str | list[str]] = {
    "momentum": "[0, 1)",
    "damping": "(0, inf)",
    "statistics_decay": "[0, 1)",
    "statistics_every": "[1, inf)",
    "inverse_every": "[1, inf)",
    "kl_clip": "(0, inf)",
    "fisher": ["sampled", "empirical"],
    "weight_decay": "[0, inf)",
}
EAGER = 3  # steps at the start with statistics and inverses each


class KFAC(LaneOptimizer):
    """K-FAC on the parameters [L, ...] of a problem.

    lr                a finite number >= 0, or a tensor [L] of them
    momentum          in [0, 1)
    damping           lambda, > 0
    statistics_decay  in [0, 1)
    statistics_every  steps between statistics, a whole number >= 1
    inverse_every     steps between inverses, a whole number >= 1
    kl_clip           > 0, or None for nu = 1 (in config, where null leaves an option out: a large number). Where it
                      binds, nu is as 1 / lr, so that the rate and its schedule have no effect
    fisher            "sampled" or "empirical"
    weight_decay      >= 0

    Anything else raises UserError naming the option, its value and the valid range.
    """

    capturable = False
    keeps_zeros = False
    needs = frozenset({"problem", "layers"})
    _problem: Any = None

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        *,
        momentum: float = 0.9,
        damping: float = 0.01,
        statistics_decay: float = 0.95,
        statistics_every: int = 5,
        inverse_every: int = 20,
        kl_clip: float | None = 0.001,
        fisher: str = "sampled",
        weight_decay: float = 0.0,
    ) -> None:
        often = {"statistics_every": statistics_every, "inverse_every": inverse_every, "kl_clip": kl_clip}
        options = {"momentum": momentum, "damping": damping, "statistics_decay": statistics_decay, **often}
        super().__init__(params, {"lr": lr, **options, "fisher": fisher, "weight_decay": weight_decay})

    def bind(self, problem: Any) -> None:
        """Take the layers' statistics from `problem`."""
        self._problem = problem

    def update_multiply_adds(self) -> float:
        """Mean of the steps so far, 0 before the first: products for A, G and v, and per inverse of size n n^3 / 2, of
        which its Cholesky factor takes n^3 / 6 (Golub & Van Loan, Matrix Computations, 4th ed., section 4.2.5; the
        rest: LAPACK Working Note 41, appendix C). The gradient behind A and G is counted by the problem.
        """
        first = self.state[self.param_groups[0]["params"][0]]
        return float(first["work"] / first["steps"]) if "work" in first else 0.0

    def _check(self, group: dict[str, Any]) -> None:
        for option in ("momentum", "statistics_decay"):
            check_share(option, group[option])
        check_positive("damping", group["damping"])
        for option in ("statistics_every", "inverse_every"):
            check_number(option, group[option], lambda n: n >= 1 and n == int(n), "a whole number >= 1")
        if group["kl_clip"] is not None:
            check_number("kl_clip", group["kl_clip"], lambda bound: bound > 0, "a finite number > 0, or None")
        if group["fisher"] not in RANGES["fisher"]:
            raise wrong("fisher", group["fisher"], f"one of {', '.join(RANGES['fisher'])}")
        check_not_negative("weight_decay", group["weight_decay"])

    def _begin(self, group: dict[str, Any]) -> None:
        if len(self.param_groups) > 1:
            raise UserError("K-FAC moves all layers of a problem at once: give its parameters in one group.")

    def _update_all(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        if self._problem is None:
            raise UserError("K-FAC needs the statistics of a problem's layers (bind): train through winnow's loop.")
        first, names = self.state[parameters[0]], self._problem.names
        steps = first["steps"] = first.get("steps", 0) + 1
        if steps <= EAGER or steps % group["statistics_every"] == 0:
            self._observe(steps, group)
        if steps <= EAGER or steps % group["inverse_every"] == 0:
            self._invert(group)
        u = {names[p]: p.grad + group["weight_decay"] * p for p in parameters if p.grad is not None}
        v = self._preconditioned(u)
        scale = self._scale(u, v, group)
        for parameter in parameters:
            state, update = self.state[parameter], v[names[parameter]]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            held = state["momentum_buffer"].mul_(group["momentum"]).add_(update * broadcast(scale, update))
            descend_(parameter, held, broadcast(group["lr"], parameter))

    def _count(self, multiply_adds: float) -> None:
        """Add to the work of one lane in matrices."""
        first = self.state[self.param_groups[0]["params"][0]]
        first["work"] = first.get("work", 0.0) + multiply_adds

    def _observe(self, steps: int, group: dict[str, Any]) -> None:
        """Add the current batch to the running means of the factors."""
        problem, uniform = self._problem, None
        batch = problem.chunk()
        images = batch[1].shape[1]
        if group["fisher"] == "sampled":
            drawn = [stream(seed, "labels", steps).random(images) for seed in problem.seeds]
            uniform = torch.from_numpy(np.stack(drawn))
        for name, uses in problem.layer_statistics(batch, uniform).items():
            a = torch.cat([x for x, _ in uses], 1)  # [L, images * t, in]
            g = torch.cat([gradient for _, gradient in uses], 1)  # of the mean loss: 1 / images of an image's own
            if _bias(name) in problem.handles:
                a = torch.cat([a, a.new_ones(*a.shape[:2], 1)], 2)
            new = {"a": a.mT @ a / images, "g": g.mT @ g * (images * images / g.shape[1])}
            self._count(a.shape[1] * (a.shape[2] ** 2 + g.shape[2] ** 2))
            # Nested, since a factor may have the shape of the weights, of which the loop masks all state.
            factors = self.state[problem.handles[name]].setdefault("factors", {"count": 0})
            factors["count"] += 1
            weight = 1 - min(1 - 1 / factors["count"], group["statistics_decay"])
            for key, value in new.items():
                factors[key] = factors[key].lerp(value, weight) if key in factors else value

    def _invert(self, group: dict[str, Any]) -> None:
        root = (group["damping"] + group["weight_decay"]) ** 0.5
        for state in self.state.values():
            if "factors" in state:
                factors = state["factors"]
                traces = [factors[key].diagonal(dim1=1, dim2=2).mean(1).double() for key in ("a", "g")]
                tiny = torch.finfo(traces[0].dtype).tiny ** 0.25  # no division by zero where all is zero
                pi = (traces[0].clamp_min(tiny) / traces[1].clamp_min(tiny)).sqrt()
                factors["a_inverse"] = _damped_inverse(factors["a"], pi * root)
                factors["g_inverse"] = _damped_inverse(factors["g"], root / pi)
                self._count((factors["a"].shape[1] ** 3 + factors["g"].shape[1] ** 3) / 2)

    def _preconditioned(self, u: dict[str, Tensor]) -> dict[str, Tensor]:
        v = dict(u)
        for name, update in u.items():
            factors = self.state[self._problem.handles[name]].get("factors")
            if factors is None:
                continue
            joint = update.flatten(2)  # [L, out, in]
            if _bias(name) in u:
                joint = torch.cat([joint, u[_bias(name)][..., None]], 2)
            joint = factors["g_inverse"] @ joint @ factors["a_inverse"]
            self._count(joint[0].numel() * sum(joint.shape[1:]))
            if _bias(name) in u:
                joint, v[_bias(name)] = joint[..., :-1], joint[..., -1]
            v[name] = joint.reshape(update.shape)
        return v

    def _scale(self, u: dict[str, Tensor], v: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
        """The factor nu per lane [L]."""
        total = torch.stack([(u[name] * v[name]).flatten(1).sum(1) for name in u]).sum(0)
        if group["kl_clip"] is None:
            return torch.ones_like(total)
        rate = torch.as_tensor(group["lr"], dtype=total.dtype, device=total.device)
        found: Tensor = (group["kl_clip"] / (total * rate**2).clamp_min(group["kl_clip"])).sqrt()
        return found


def _bias(name: str) -> str:
    """The bias that is added to what a weight matrix gives: of fc1.weight fc1.bias, of weight_ih_l0 bias_ih_l0."""
    head, _, tail = name.rpartition("weight")
    return f"{head}bias{tail}"


def _damped_inverse(factor: Tensor, damping: Tensor) -> Tensor:
    """(factor + damping I)^-1 of [L, n, n] with damping [L], computed in float64; NaN where it is not definite."""
    damped = factor.double() + torch.diag_embed(damping[:, None].expand(factor.shape[:2]))
    root, failed = torch.linalg.cholesky_ex(damped)
    inverse = torch.where(failed[:, None, None] == 0, torch.cholesky_inverse(root), torch.nan)
    return inverse.to(factor.dtype).contiguous()  # as a checkpoint restores it: the layout decides last bits
