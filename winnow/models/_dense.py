"""The linear layers of a feed-forward network, forward and backward, written out over buffers made once.

With a_0 = x, z_i = W_i a_{i-1} + b_i, a_i = f(z_i), and the last z the logits, the loss has by z_i the gradient d_i:

    d_{i-1} = (W_i' d_i) * f'(z_{i-1}),   dW_i = d_i a_{i-1}',   db_i = d_i,   each summed over the batch

All lanes go through one batched matmul, also on a CPU: at these sizes it is as fast as one call per lane, and saves the
calls. Activations, and all matmuls but the last layer's, are in `dtype`; logits, parameters and gradients in float32
(float64 for float64).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from winnow import engine
from winnow.models._activations import Activation

Tensors = Mapping[str, Tensor]


class Dense:
    """Both passes of the layers called `names` between layers of `sizes` units, for up to `batch` images per lane."""

    def __init__(
        self,
        names: Sequence[str],
        sizes: Sequence[int],
        activation: Activation,
        lanes: int,
        batch: int,
        device: torch.device,
        dtype: torch.dtype,
        training: bool,
    ) -> None:
        self._names, self._f = names, activation
        self._lanes, self._hidden, self.dtype = lanes, sizes[1:-1], dtype
        self._buffers = [
            [torch.empty(lanes * batch * n, device=device, dtype=dtype) for n in self._hidden]
            for _ in ("activations", "deltas")[: 1 + training]
        ]
        self._placed: dict[int, list[list[Tensor]]] = {}  # by number of images
        self._matrix_sizes = [m * n for m, n in pairwise(sizes)]
        below = pairwise(sizes[:-1])
        low = dtype not in (torch.float32, torch.float64)
        self._copies = [torch.empty(lanes, n, m, device=device, dtype=dtype) for m, n in below] if low else []
        self._views = _Views(names)

    def forward(self, parameters: Tensors, x: Tensor) -> Tensor:
        """Logits [L, B, classes] of x [L, B, inputs] in `dtype`."""
        count = x.shape[1]
        *layers, (weight, turned, bias) = self._views(parameters)
        with engine.SizedMatmuls() as sized:
            for i, ((below, down, shift), a) in enumerate(zip(layers, self._place(count)[0], strict=True)):
                if self._copies:
                    down, shift = self._copies[i].copy_(below).mT, shift.to(self.dtype)
                sized(count * self._matrix_sizes[i])
                x = self._f.apply_(torch.baddbmm(shift, x, down, out=a))
            sized(count * self._matrix_sizes[-1])
            return torch.baddbmm(bias, x.to(weight.dtype), turned)

    def backward(
        self, parameters: Tensors, x: Tensor, error: Tensor, gradients: Tensors, below: bool = False
    ) -> Tensor | None:
        """Fill `gradients` from `error`, dL/dlogits [L, B, classes]; with `below`, dL/dx [L, B, inputs] in `dtype`.

        For the parameters and x of the last `forward`.
        """
        count = x.shape[1]
        activations, deltas = self._place(count)
        weights = [weight for weight, _, _ in self._views(parameters)]
        last, top, d = self._names[-1], activations[-1], deltas[-1]
        with engine.SizedMatmuls() as sized:
            sized(count * self._matrix_sizes[-1])
            torch.bmm(error.mT, top.to(error.dtype), out=gradients[f"{last}.weight"])
            self._product(error, weights[-1], d)
            torch.sum(error, 1, out=gradients[f"{last}.bias"])
            for i in reversed(range(len(activations))):
                self._f.backward_(d, activations[i])
                name, under, weight = self._names[i], activations[i - 1] if i else x, (self._copies or weights)[i]
                sized(count * self._matrix_sizes[i])
                self._product(d.mT, under, gradients[f"{name}.weight"])
                torch.sum(d, 1, dtype=error.dtype, out=gradients[f"{name}.bias"])
                if i:
                    d = torch.bmm(d, weight, out=deltas[i - 1])
                elif below:
                    return torch.bmm(d, weight)
        return None

    def derivative(self, parameters: Tensors, x: Tensor, direction: Tensors, dx: Tensor | None) -> Tensor:
        """The derivative of the logits [L, B, classes] along `direction` (as parameters) and, if given, dx of x.

        For the parameters and x of the last `forward`, if all is of one type:

            d_i = (V_i a_{i-1} + W_i d_{i-1} + v_i) * f'(z_i),   d_0 = dx, and for the logits without f'
        """

        def along(name: str, turned: Tensor, x: Tensor, d: Tensor | None) -> Tensor:
            dz = torch.baddbmm(direction[f"{name}.bias"][:, None], x, direction[f"{name}.weight"].mT)
            return dz if d is None else dz.baddbmm_(d, turned)

        d, (*below, last) = dx, (turned for _, turned, _ in self._views(parameters))
        for name, turned, a in zip(self._names[:-1], below, self._place(x.shape[1])[0], strict=True):
            x, d = a, self._f.backward_(along(name, turned, x, d), a)
        return along(self._names[-1], last, x, d)

    def _product(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        if out.dtype == a.dtype:
            torch.bmm(a, b, out=out)
        else:
            out.copy_(torch.bmm(a, b))

    def _place(self, count: int) -> list[list[Tensor]]:
        """The first parts of the layers' buffers, [L, count, units]: activations and, in training, deltas."""
        if count not in self._placed:
            self._placed[count] = [
                [
                    a[: self._lanes * count * n].view(self._lanes, count, n)
                    for a, n in zip(kind, self._hidden, strict=True)
                ]
                for kind in self._buffers
            ]
        return self._placed[count]


class _Views:
    """(weight [L, n, m], the same turned [L, m, n], bias [L, 1, n]) of each layer, made once for the same tensors."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = [(f"{name}.weight", f"{name}.bias") for name in names]
        self._held: list[Tensor] = []
        self._made: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, parameters: Tensors) -> list[tuple[Tensor, Tensor, Tensor]]:
        found = [parameters[name] for pair in self._names for name in pair]
        if not self._held or not all(map(operator.is_, found, self._held)):
            self._held = found
            self._made = [
                (weight, weight.mT, bias[:, None]) for weight, bias in zip(found[::2], found[1::2], strict=True)
            ]
        return self._made
