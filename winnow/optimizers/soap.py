"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al. 2024, arXiv 2409.11321, algorithm 3).

    M = beta1 * M + (1 - beta1) * G                                (from 0, as V)
    L = beta3 * L + (1 - beta3) * G G',  R = beta3 * R + (1 - beta3) * G' G          (from the first step's G G', G' G)
    G~ = P' G Q,  M~ = P' M Q            P, Q the eigenvectors of L, R
    V = beta2 * V + (1 - beta2) * G~^2
    w <- (1 - lr * wd) * w - lr * P N Q',  N = M~ / (1 - beta1^t) / (sqrt(V / (1 - beta2^t)) + eps)

for weight matrices G, a convolution's filters being the rows of one matrix. At every `every`-th step a step of power
iteration brings P and Q up to date: P <- the orthogonal factor of L P by QR, after its columns, and V's rows, have been
sorted by the diagonal of P' L P (algorithm 4, and the published code, github.com/nikhilvyas/SOAP). A side longer than
`largest` keeps its own basis (P = I), and vectors move by AdamW. Departures: the very first step moves weights, too (in
the published code it only fills L and R), and bases change before a step instead of after it.

A step is dense even where G is not: the training loop masks pruned weights after each step. M is zero there; V is in
the rotated basis and has nothing to do with single weights.

Cost: one gradient; for an m x n matrix 4 m n (m + n) multiply-adds per step, and every `every` steps two QR
decompositions (LeNet-5: 62 million per step, as 74 images' gradients); state 2 m n + 2 m^2 + 2 n^2 (LeNet-5: 1.4 MB a
lane). Lanes are moved one after the other.
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
    broadcast,
    check_not_negative,
    check_number,
    check_positive,
    check_share,
    lane_shape,
    stacked,
)
from winnow.optimizers._momentum import descend_

RANGES = {
    "beta1": "[0, 1)",
    "beta2": "[0, 1)",
    "beta3": "[0, 1)",
    "eps": "(0, inf)",
    "every": "[1, inf)",
    "largest": "[0, inf)",
    "weight_decay": "[0, inf)",
}


class SOAP(LaneOptimizer):
    """SOAP for ordinary parameters and a float rate, or for parameters [L, ...] and rates [L].

    lr            a finite number >= 0, or a tensor [L] of them
    beta1, beta2, beta3   in [0, 1): of the gradient's mean, its square, and of L and R
    eps           > 0
    every         steps between bases, a whole number >= 1
    largest       side of a matrix up to which it has a basis, a whole number >= 0
    weight_decay  >= 0, decoupled

    Anything else raises UserError naming the option, its value and the valid range.
    """

    capturable = False
    keeps_zeros = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        *,
        beta1: float = 0.95,
        beta2: float = 0.95,
        beta3: float = 0.95,
        eps: float = 1e-8,
        every: int = 10,
        largest: int = 10000,
        weight_decay: float = 0.0,
    ) -> None:
        betas = {"beta1": beta1, "beta2": beta2, "beta3": beta3, "eps": eps}
        super().__init__(params, {"lr": lr, **betas, "every": every, "largest": largest, "weight_decay": weight_decay})

    def update_multiply_adds(self) -> float:
        """Per side k with a basis, of a matrix with k * l weights: 4 k^2 l (G G' and three rotations) and, every
        `every` steps, k^3 + 4/3 k^3: L P, and its QR decomposition with the factor P (Golub & Van Loan, Matrix
        Computations, 4th ed., section 5.2.2). The first step's eigendecompositions, 4.5 k^3 (section 8.3.3), are left
        out: they are made once a run.
        """
        total = 0.0
        for group in self.param_groups:
            shapes = [lane_shape(parameter, group["lr"]) for parameter in group["params"]]
            for m, n in ((shape[0], math.prod(shape[1:])) for shape in shapes if len(shape) >= 2):
                for k in (k for k in (m, n) if k <= group["largest"]):
                    total += 4 * k * m * n + 7 / 3 * k**3 / group["every"]
        return total

    def _check(self, group: dict[str, Any]) -> None:
        for beta in ("beta1", "beta2", "beta3"):
            check_share(beta, group[beta])
        check_positive("eps", group["eps"])
        check_number("every", group["every"], lambda n: n >= 1 and n == int(n), "a whole number >= 1")
        check_number("largest", group["largest"], lambda n: n >= 0 and n == int(n), "a whole number >= 0")
        check_not_negative("weight_decay", group["weight_decay"])

    def _update_all(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        matrices = [p for p in parameters if len(lane_shape(p, group["lr"])) >= 2]
        for parameter in matrices:
            if parameter.grad is not None:
                self._update(parameter, parameter.grad, group)
        rest = [p for p in parameters if len(lane_shape(p, group["lr"])) < 2]
        options = {option: group[option] for option in ("beta1", "beta2", "eps", "weight_decay")}
        _fused.adam_(_fused.ADAMW, rest, self.state, group["lr"], **options)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rate = self.state[parameter], broadcast(group["lr"], parameter)
        of_lanes = stacked(parameter, group["lr"])
        if not state:
            # Nested, since the loop masks all state in the shape of the weights, and these are none of theirs.
            lanes = len(parameter) if of_lanes else 1
            state.update(steps=0, mean=torch.zeros_like(parameter), rotated=[{} for _ in range(lanes)])
        state["steps"] += 1
        state["mean"].lerp_(gradient, 1 - group["beta1"])
        update = self._scratch(parameter)
        views = (gradient, state["mean"], update)
        columns = [view.unbind() if of_lanes else (view,) for view in views]
        for one, g, mean, out in zip(state["rotated"], *columns, strict=True):
            # Copies, since the last bits of a product depend on where in memory a lane begins.
            step = _direction(g.flatten(1).clone(), mean.flatten(1).clone(), one, state["steps"], group)
            out.copy_(step.view_as(out))
        if group["weight_decay"] != 0:
            parameter.mul_(1 - rate * group["weight_decay"])
        descend_(parameter, update, rate)


def _direction(g: Tensor, mean: Tensor, held: dict[str, Tensor], steps: int, group: dict[str, Any]) -> Tensor:
    """P N Q' of one matrix [m, n]; brings L, R, P, Q and V in `held` up to date."""
    for side, matrix in (("left", g), ("right", g.mT)):
        if len(matrix) > group["largest"]:
            continue
        gram = matrix @ matrix.mT
        if steps == 1:
            held[side] = gram
            held[f"{side}_basis"] = torch.linalg.eigh(torch.nan_to_num(gram))[1].flip(1).contiguous()
            continue
        held[side].lerp_(gram, 1 - group["beta3"])
        if steps % group["every"] == 0:
            basis, order = _power_step(held[side], held[f"{side}_basis"])
            held[f"{side}_basis"] = basis
            held["square"] = held["square"].index_select(0 if side == "left" else 1, order)
    rotated = _rotate(g, held)
    if "square" not in held:
        held["square"] = torch.zeros_like(rotated)
    square = held["square"].mul_(group["beta2"]).addcmul_(rotated, rotated, value=1 - group["beta2"])
    root = (square / (1 - group["beta2"] ** steps)).sqrt_().add_(group["eps"])
    return _rotate(_rotate(mean, held).div_(1 - group["beta1"] ** steps) / root, held, back=True)


def _rotate(matrix: Tensor, held: dict[str, Tensor], back: bool = False) -> Tensor:
    """P' X Q, or P X Q' with `back`; a side without a basis stays as it is."""
    if "left_basis" in held:
        matrix = (held["left_basis"] if back else held["left_basis"].mT) @ matrix
    if "right_basis" in held:
        matrix = matrix @ (held["right_basis"].mT if back else held["right_basis"])
    return matrix


def _power_step(gram: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """The orthogonal factor of gram @ basis, and the order of falling eigenvalues into which columns were put first."""
    product = gram @ basis
    order = (basis * product).sum(0).argsort(descending=True, stable=True)
    return torch.linalg.qr(product[:, order])[0].contiguous(), order
