"""Hessian-free optimisation: Gauss-Newton steps by conjugate gradients, damped by Levenberg-Marquardt (Martens 2010,
ICML, "Deep learning via Hessian-free optimization"; Martens & Sutskever 2012, in Neural Networks: Tricks of the Trade).

    A = J' H J + (wd + lambda) I,   J = d logits / dw,  H the loss's Hessian by the logits   (Schraudolph 2002)
    q(d) = g' d + d' A d / 2,       g the gradient of f(w) = loss + wd |w|^2 / 2
    d    = CG's solution of A d = -g, started at `decay` times the last d
    w   <- w + t * lr * d,          t the first of 1, 1/2, 1/4, ..., 2^-8, or else 0, with f(w + t lr d) <= f(w)
    rho  = (f(w + lr d) - f(w)) / q(lr d);   rho < 1/4: lambda <- 3/2 lambda;   rho > 3/4: lambda <- 2/3 lambda

CG stops after i > k iterations once q has fallen by less than a share of k * 0.0005 over the last k = max(10, i/10)
(section 4.4 of Martens 2010), or after `cg_iterations`. Departures: gradient, products and f are all of one and the
same batch; no preconditioner; t by halving alone, instead of also looking through CG's earlier iterates. Clipping
falsifies g: better train without.

All vectors are masked: the problem without its pruned weights is solved, and a pruned weight stays zero. One lane at a
time, and only with a problem, whose `gauss_newton` gives the products.

Cost per step: one gradient, up to cg_iterations + 1 products (each counted as a gradient of the batch) and up to nine
losses (each a third). There are no other matrix products, so that `update_multiply_adds` is 0; CG's work on vectors, 6
multiply-adds per weight and iteration, is for LeNet-5 a third of one image's gradient. One tensor of state per weight
and 5 during CG. Linear layers, and on a CPU convolutions of few channels, have products of their own: for LeNet-5 and
1,024 images one takes as long as 1.2 gradients. Those of other networks go through the model's plain path, which takes
several times as long, and hold its graph during a step (for LeNet-5 0.33 MB an image; with
its own products a job of five lanes takes 0.6 GB in all).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.errors import UserError
from winnow.optimizers._contract import LaneOptimizer, check_not_negative, check_number, check_positive

RANGES = {"damping": "(0, inf)", "cg_iterations": "[1, inf)", "decay": "[0, 1]", "weight_decay": "[0, inf)"}
NEEDS = ("closure", "problem")
HALVINGS = 8
TOLERANCE = 0.0005


class HessianFree(LaneOptimizer):
    """Hessian-free optimisation of one lane of a problem; `step` takes the problem's closure.

    lr             a finite number >= 0; 1 is the method's own
    damping        lambda at the start, > 0
    cg_iterations  at most, per step: a whole number >= 1
    decay          share of the last step at which CG starts, in [0, 1]
    weight_decay   >= 0

    Anything else raises UserError naming the option, its value and the valid range.
    """

    lanes = False
    capturable = False
    keeps_zeros = True
    needs = frozenset(NEEDS)
    _problem: Any = None

    def __init__(
        self,
        params: ParamsT,
        lr: float,
        *,
        damping: float = 1.0,
        cg_iterations: int = 20,
        decay: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"damping": damping, "cg_iterations": cg_iterations, "decay": decay, "weight_decay": weight_decay}
        super().__init__(params, {"lr": lr, **options})

    def bind(self, problem: Any) -> None:
        """Take products and losses from `problem`."""
        self._problem = problem

    def _check(self, group: dict[str, Any]) -> None:
        check_positive("damping", group["damping"])
        check_number("cg_iterations", group["cg_iterations"], lambda n: n >= 1 and n == int(n), "a whole number >= 1")
        check_number("decay", group["decay"], lambda decay: 0 <= decay <= 1, "a number in [0, 1]")
        check_not_negative("weight_decay", group["weight_decay"])

    def _begin(self, group: dict[str, Any]) -> None:
        if len(self.param_groups) > 1:
            raise UserError("Hessian-free steps move all parameters at once: give them in one group, not in several.")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step on the problem's current batch; returns the closure's loss."""
        if self._problem is None or closure is None:
            raise UserError("Hessian-free steps need a problem (bind) and its closure: train through winnow's loop.")
        loss, group, handles = closure(), self.param_groups[0], self.param_groups[0]["params"]
        wd, lr, first = group["weight_decay"], group["lr"], self.state[handles[0]]
        damping = first.setdefault("damping", group["damping"])
        w = _flat(handles)
        g = _flat([handle.grad for handle in handles]).add_(w, alpha=wd)
        last = [self.state[handle].get("direction", torch.zeros_like(handle)) for handle in handles]
        product = self._problem.gauss_newton()

        def curvature(vector: Tensor) -> Tensor:
            found = product(self._named(vector))
            flat = torch.cat([found[self._problem.names[handle]].flatten() for handle in handles])
            return flat.add_(vector, alpha=wd + damping)

        d, curved = conjugate_gradients(curvature, g, _flat(last).mul_(group["decay"]), group["cg_iterations"])
        before = float(loss) + wd / 2 * float(w @ w)
        share, after = 1.0, self._loss(w + lr * d, wd)
        model = lr * float(g @ d) + lr**2 / 2 * float(d @ curved)
        rho = (after - before) / model if model < 0 else 0.0
        first["damping"] = damping * (2 / 3 if rho > 0.75 else 3 / 2 if not rho >= 0.25 else 1.0)
        for _ in range(HALVINGS):
            if after <= before:
                break
            share /= 2
            after = self._loss(w + share * lr * d, wd)
        if not after <= before:
            share = 0.0
        for handle, part in zip(handles, self._split(d), strict=True):
            handle.add_(part, alpha=share * lr)
            self.state[handle]["direction"] = part.clone()
        return loss

    def _loss(self, w: Tensor, wd: float) -> float:
        return float(self._problem.loss(self._named(w))) + wd / 2 * float(w @ w)

    def _split(self, vector: Tensor) -> list[Tensor]:
        """The vector's parts, in the shapes of the parameters."""
        handles = self.param_groups[0]["params"]
        parts = torch.split(vector, [handle.numel() for handle in handles])
        return [part.view_as(handle) for part, handle in zip(parts, handles, strict=True)]

    def _named(self, vector: Tensor) -> dict[str, Tensor]:
        """{name: [1, ...]}, as the problem wants it."""
        handles = self.param_groups[0]["params"]
        return {self._problem.names[h]: part[None] for h, part in zip(handles, self._split(vector), strict=True)}


def _flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], g: Tensor, start: Tensor, iterations: int
) -> tuple[Tensor, Tensor]:
    """(d, A d) with A d = -g as nearly as the stopping rule above asks for, from d = `start`; A positive definite."""
    d = start.clone()
    residual = -g - product(d) if bool(d.any()) else -g
    p, square, values = residual.clone(), float(residual @ residual), [float(_model(d, g, residual))]
    for i in range(1, iterations + 1):
        if not square > 0:  # solved, or not a number
            break
        along = product(p)
        curvature = float(p @ along)
        if not curvature > 0:
            break
        d.add_(p, alpha=square / curvature)
        residual.sub_(along, alpha=square / curvature)
        values.append(float(_model(d, g, residual)))
        k = max(10, i // 10)
        if i > k and values[i] < 0 and values[i] - values[i - k] > k * TOLERANCE * values[i]:
            break
        before, square = square, float(residual @ residual)
        p.mul_(square / before).add_(residual)
    return d, -g - residual


def _model(d: Tensor, g: Tensor, residual: Tensor) -> Tensor:
    """q(d) = g' d + d' A d / 2, from A d = -g - residual."""
    return (d @ (g - residual)) / 2
