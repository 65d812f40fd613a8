"""The convolutional layers of a feed-forward network, forward and backward: z = W * x + b, max-pool, a = f(z).

The convolutions are PyTorch's, called without autograd. `groups` lanes share a call, as groups of channels: one on a
CPU, where grouped convolutions are slow, all on an accelerator. A single lane's images lie channels last, which saves
the library reordering them and makes pools of many channels ten times faster. A pool that ties takes the first maximum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from winnow.models._activations import Activation

Tensors = Mapping[str, Tensor]
aten = torch.ops.aten


@dataclass(frozen=True)
class Convolution:
    """A layer of `channels` filters of size x size at stride 1; `pool`: a 2x2 max-pool follows."""

    channels: int
    size: int
    padding: int
    pool: bool

    def positions(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns of places at which a filter reads an image of this size; before the pool."""
        more = 2 * self.padding - self.size + 1
        return rows + more, columns + more

    def outputs(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns that are left of such an image, after the pool."""
        high, wide = self.positions(rows, columns)
        return high // (1 + self.pool), wide // (1 + self.pool)


def on_cpu(z: Tensor) -> bool:
    """Whether aten's backward pass of a pool serves; by itself so that tests can try the other one without a GPU."""
    return z.is_cpu


def spread(d: Tensor, z: Tensor, maxima: Tensor) -> Tensor:
    """dL/dz of a 2x2 max-pool of z with these maxima, from d = dL/da: each place of a window asks whether it was the
    one. The same bits in every run, which aten's kernel for GPUs, by atomic additions, does not promise."""
    (rows, columns), width, out = d.shape[2:], z.shape[3], torch.zeros_like(z)
    first = [2 * torch.arange(n, device=z.device) for n in (rows, columns)]
    corner = first[0][:, None] * width + first[1]
    for row, column in product(range(2), range(2)):
        place = out[:, :, row : 2 * rows : 2, column : 2 * columns : 2]
        torch.mul(d, maxima == corner + (row * width + column), out=place)
    return out


@dataclass
class Kept:
    """What a layer's backward pass needs: input, output, and of a pool its input (for the shape) and maxima."""

    x: Tensor
    a: Tensor
    pool: tuple[Tensor, Tensor] | None = None


class Convolutions:
    """Both passes of `layers`, {name: Convolution}; images are [B, groups * channels, rows, columns] in `dtype`."""

    def __init__(
        self, layers: Mapping[str, Convolution], activation: Activation, groups: int, dtype: torch.dtype, training: bool
    ) -> None:
        self._layers, self._f, self._groups, self._dtype, self._training = layers, activation, groups, dtype, training
        self._format = torch.channels_last if groups == 1 else torch.contiguous_format
        self._kept: list[tuple[slice, list[Kept]]] = []  # by lanes

    def forward(self, parameters: Tensors, inputs: Tensor, out: Tensor) -> None:
        """The last layer's outputs into `out` [L, B, features], of inputs [L, B, channels, rows, columns].

        In training, keeps what `backward` needs.
        """
        for first in range(0, len(inputs), self._groups):
            part = slice(first, first + self._groups)
            x = inputs[part].to(self._dtype).transpose(0, 1).flatten(1, 2)  # (B, groups * channels, rows, columns)
            a, kept = self._forward(_at(parameters, part), x.contiguous(memory_format=self._format))
            by_lane = a.view(len(a), self._groups, -1, *a.shape[2:]).transpose(0, 1)
            out[part].view_as(by_lane).copy_(by_lane)
            if self._training:
                self._kept.append((part, kept))

    def backward(self, parameters: Tensors, d: Tensor, gradients: Tensors) -> None:
        """Fill `gradients` from d = dL/da of the last layer [L, B, features], which is overwritten."""
        for part, kept in self._kept:
            above = d[part].transpose(0, 1).reshape(kept[-1].a.shape).contiguous(memory_format=self._format)
            self._backward(_at(parameters, part), kept, above, _at(gradients, part))
        self._kept = []

    def _forward(self, parameters: Tensors, x: Tensor) -> tuple[Tensor, list[Kept]]:
        kept = []
        for name, layer in self._layers.items():
            bias = parameters[f"{name}.bias"].flatten().to(self._dtype)
            z = functional.conv2d(x, self._weight(parameters, name), bias, padding=layer.padding, groups=self._groups)
            if layer.pool:
                a, maxima = aten.max_pool2d_with_indices(z, 2)
                one = Kept(x, self._f.apply_(a), (z, maxima))
            else:
                one = Kept(x, self._f.apply_(z))
            x = one.a
            if self._training:
                kept.append(one)
        return x, kept

    def _backward(self, parameters: Tensors, kept: Sequence[Kept], d: Tensor, gradients: Tensors) -> None:
        for i, (name, layer) in reversed(list(enumerate(self._layers.items()))):
            one = kept[i]
            d = self._f.backward_(d, one.a)
            if one.pool is not None:
                z, maxima = one.pool
                d = (
                    aten.max_pool2d_with_indices_backward(d, z, [2, 2], [2, 2], [0, 0], [1, 1], False, maxima)
                    if on_cpu(z)
                    else spread(d, z, maxima)
                )
            weight = self._weight(parameters, name)
            d, dw, db = aten.convolution_backward(
                d, one.x, weight, [len(weight)], [1, 1], [layer.padding] * 2, [1, 1], False, [0, 0], self._groups,
                [i > 0, True, True],
            )  # fmt: skip
            gradients[f"{name}.weight"].view_as(dw).copy_(dw)
            gradients[f"{name}.bias"].view_as(db).copy_(db)

    def _weight(self, parameters: Tensors, name: str) -> Tensor:
        """[groups * channels out, channels in, size, size]."""
        return parameters[f"{name}.weight"].flatten(0, 1).to(self._dtype)


def _at(tensors: Tensors, part: slice) -> dict[str, Tensor]:
    return {name: value[part] for name, value in tensors.items()}
