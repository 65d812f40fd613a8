"""The convolutional layers of a small network on an accelerator, forward and backward: patches, and batched products.

The library's grouped convolutions, which would take all lanes at once, are slow there for few channels. With the k x k
patches of an image as the columns of X and the filters of its lane as the rows of W,

    z = W X + b,   dW = sum over images of dz X',   db = sum of dz,   dX = W' dz,

and dX is added up where X was read (Chellapilla et al. 2006, "High performance convolutional neural networks for
document processing"). Lanes are taken together as far as their patches fit in ROOM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from winnow.models._activations import Activation
from winnow.models._convolutions import Convolution, spread

Tensors = Mapping[str, Tensor]
aten = torch.ops.aten
ROOM = 2**28  # values of a layer's patches


@dataclass
class Kept:
    """What a layer's backward pass needs: size of its input, patches, output, and of a pool its input and maxima."""

    size: tuple[int, int]
    patches: Tensor  # [L, B, patch, positions]
    a: Tensor  # [L * B, channels, rows, columns]
    pool: tuple[Tensor, Tensor] | None = None


class UnfoldedConvolutions:
    """Both passes of `layers`, {name: Convolution}, over images of `shape`, in `dtype`."""

    def __init__(
        self,
        layers: Mapping[str, Convolution],
        shape: tuple[int, int, int],
        activation: Activation,
        dtype: torch.dtype,
        training: bool,
    ) -> None:
        self._layers, self._f, self._dtype, self._training = layers, activation, dtype, training
        self._largest = 0  # values of an image's patches
        channels, rows, columns = shape
        for layer in layers.values():
            places = prod(layer.positions(rows, columns))
            self._largest = max(self._largest, channels * layer.size**2 * places)
            channels, (rows, columns) = layer.channels, layer.outputs(rows, columns)
        self._kept: list[tuple[slice, list[Kept]]] = []  # by lanes

    def forward(self, parameters: Tensors, inputs: Tensor, out: Tensor) -> None:
        """The last layer's outputs into `out` [L, B, features], of inputs [L, B, channels, rows, columns].

        In training, keeps what `backward` needs.
        """
        lanes, batch = inputs.shape[:2]
        together = max(1, ROOM // (batch * self._largest))
        for first in range(0, lanes, together):
            part = slice(first, min(first + together, lanes))
            x = inputs[part].to(self._dtype).flatten(0, 1)
            kept = []
            for name, layer in self._layers.items():
                one = self._layer(parameters, name, layer, part, x)
                x = one.a
                if self._training:
                    kept.append(one)
            out[part].copy_(x.view(out[part].shape))
            if self._training:
                self._kept.append((part, kept))

    def backward(self, parameters: Tensors, d: Tensor, gradients: Tensors) -> None:
        """Fill `gradients` from d = dL/da of the last layer [L, B, features], which is overwritten."""
        for part, kept in self._kept:
            self._backward(parameters, kept, part, d[part].reshape(kept[-1].a.shape), gradients)
        self._kept = []

    def _layer(self, parameters: Tensors, name: str, layer: Convolution, part: slice, x: Tensor) -> Kept:
        weight, bias = self._weight(parameters, name, part), parameters[f"{name}.bias"][part].to(self._dtype)
        size = (x.shape[2], x.shape[3])
        places = layer.positions(*size)
        patches = _patches(x, layer).view(len(weight), -1, weight.shape[2], prod(places))
        z = torch.matmul(weight[:, None], patches).add_(bias[:, None, :, None]).view(len(x), layer.channels, *places)
        if not layer.pool:
            return Kept(size, patches, self._f.apply_(z))
        a, maxima = aten.max_pool2d_with_indices(z, 2)
        return Kept(size, patches, self._f.apply_(a), (z, maxima))

    def _backward(self, parameters: Tensors, kept: Sequence[Kept], part: slice, d: Tensor, gradients: Tensors) -> None:
        for i, (name, layer) in reversed(list(enumerate(self._layers.items()))):
            one = kept[i]
            d = self._f.backward_(d, one.a)
            if one.pool is not None:
                d = spread(d, *one.pool)
            dz = d.view(*one.patches.shape[:2], layer.channels, -1)
            exact = gradients[f"{name}.weight"]
            dw = torch.matmul(dz, one.patches.mT).sum(1, dtype=exact.dtype)
            exact[part].copy_(dw.view_as(exact[part]))
            gradients[f"{name}.bias"][part].copy_(dz.sum((1, 3), dtype=exact.dtype))
            if i:
                columns = torch.matmul(self._weight(parameters, name, part).mT[:, None], dz).flatten(0, 1)
                d = functional.fold(columns, one.size, layer.size, padding=layer.padding)

    def _weight(self, parameters: Tensors, name: str, part: slice) -> Tensor:
        """[L, channels out, patch]."""
        return parameters[f"{name}.weight"][part].to(self._dtype).flatten(2)


def _patches(x: Tensor, layer: Convolution) -> Tensor:
    """The k x k patches of images [N, channels, rows, columns], [N, channels, k, k, rows, columns].

    One copy: `functional.unfold` launches a kernel for each image on a GPU.
    """
    padded = functional.pad(x, [layer.padding] * 4) if layer.padding else x
    windows = padded.unfold(2, layer.size, 1).unfold(3, layer.size, 1)  # (N, channels, rows, columns, k, k)
    return windows.permute(0, 1, 4, 5, 2, 3).contiguous()
