"""The convolutional layers of a small network on a CPU, forward and backward: lanes, and chunks of images, one by one.

They go through the same buffers (`_toeplitz.py`), which so stay in the cache and do not grow with the batch. What the
backward pass needs is kept for each image, except X: gathering it anew takes no longer than reading it from memory.
In workspaces for a few images, where time is that of the calls, all lanes go through together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import torch
from torch import Tensor

from winnow.models._activations import Activation
from winnow.models._convolutions import Convolution
from winnow.models._toeplitz import ToeplitzLayer, Views

Tensors = Mapping[str, Tensor]
CHUNK = 64  # images
TOGETHER = 64  # images of all lanes: up to here, measured, that is faster (LeNet-5, five lanes of one image: by 40 %)


class SmallConvolutions:
    """Both passes of `layers`, {name: Convolution}, over images of `shape`, up to `batch` of them in each lane."""

    def __init__(
        self,
        layers: Mapping[str, Convolution],
        shape: tuple[int, int, int],
        activation: Activation,
        lanes: int,
        batch: int,
        dtype: torch.dtype,
        training: bool,
    ) -> None:
        self._f, self._lanes, self._batch, self._training = activation, lanes, batch, training
        chunk, paddings = min(batch, CHUNK), [layer.padding for layer in layers.values()]
        self._together = lanes if lanes * batch <= TOGETHER else 1
        at_once = self._together * chunk
        self._chunk, kept = chunk, lanes * batch if training else at_once
        self._gone = lanes * batch > at_once  # whether X of the forward pass is, when a pass needs it again
        self._used = False  # whether a pass after the forward one has overwritten X
        self._padding = paddings[0]
        self._read = read = (shape[0], shape[1] + 2 * paddings[0], shape[2] + 2 * paddings[0])
        self._layers: dict[str, ToeplitzLayer] = {}
        for (name, one), above in zip(layers.items(), [*paddings[1:], 0], strict=True):
            layer = ToeplitzLayer(
                one.channels, one.size, one.pool, read, above, lanes, self._together, kept, at_once, dtype, training
            )
            self._layers[name], read = layer, layer.padded
        self._images = torch.empty(kept * prod(self._read), dtype=dtype)
        self._places: dict[tuple[int, int, int], tuple[Tensor, list[Views]]] = {}  # by lane, place, number of images

    def forward(self, parameters: Tensors, inputs: Tensor, out: Tensor) -> None:
        """The last layer's outputs into `out` [L, B, features], of inputs [L, B, channels, rows, columns].

        In training, keeps what `backward` needs; else the lanes' inputs must be the same.
        """
        self._used = False
        for name, layer in self._layers.items():
            layer.set_weights(parameters[f"{name}.weight"])
        for lanes, part, images, views in self._chunks(inputs.shape[1]):
            if new := self._training or lanes.start == 0:
                if self._padding:
                    images.zero_()
                p, (_, high, wide) = self._padding, self._read
                images[:, :, p : high - p, p : wide - p].copy_(inputs[lanes, part].permute(0, 2, 3, 4, 1))
            for i, ((name, layer), v) in enumerate(zip(self._layers.items(), views, strict=True)):
                layer.forward(v, parameters[f"{name}.bias"][lanes], self._f, gather=new or i > 0)
            out[lanes, part].copy_(views[-1].a[0].flatten(1, 3).mT)

    def backward(self, parameters: Tensors, d: Tensor, gradients: Tensors) -> None:
        """Fill `gradients` from d = dL/da of the last layer [L, B, features]; as often as it is wanted."""
        again, self._used = self._gone or self._used, True
        for name in self._layers:
            gradients[f"{name}.weight"].zero_()
            gradients[f"{name}.bias"].zero_()
        for lanes, part, _, views in self._chunks(d.shape[1]):
            views[-1].d[0].flatten(1, 3).copy_(d[lanes, part].mT)
            for i, (name, layer) in reversed(list(enumerate(self._layers.items()))):
                dw, db = (gradients[f"{name}.{kind}"][lanes] for kind in ("weight", "bias"))
                layer.backward(views[i], dw, db, self._f, gather=again, propagate=i > 0)

    def derivative(self, direction: Tensors, out: Tensor) -> None:
        """The derivative of the last layer's outputs along `direction` (as parameters) into `out` [L, B, features]."""
        self._used = True
        for lanes, part, _, views in self._chunks(out.shape[1]):
            for i, ((name, layer), v) in enumerate(zip(self._layers.items(), views, strict=True)):
                dw, db = (direction[f"{name}.{kind}"][lanes] for kind in ("weight", "bias"))
                layer.derivative(v, dw, db, self._f, propagate=i > 0)
            out[lanes, part].copy_(views[-1].d[0].flatten(1, 3).mT)

    def _chunks(self, count: int) -> Iterator[tuple[slice, slice, Tensor, list[Views]]]:
        """(lanes, some of their `count` images, those batch-last with borders, each layer's views)."""
        for first in range(0, count, self._chunk):
            part = slice(first, min(first + self._chunk, count))
            for lane in range(0, self._lanes, self._together):
                place = lane * self._batch + first * self._together if self._training else 0
                key = (lane, place, part.stop - first)
                if key not in self._places:
                    self._places[key] = self._place(*key)
                yield slice(lane, lane + self._together), part, *self._places[key]

    def _place(self, lane: int, place: int, count: int) -> tuple[Tensor, list[Views]]:
        size, lanes = prod(self._read), slice(lane, lane + self._together)
        images = self._images[place * size :][: self._together * count * size].view(-1, *self._read, count)
        views: list[Views] = []
        a = d = images
        for layer in self._layers.values():
            views.append(layer.views(lanes, place, a, d))
            a, d = views[-1].a[0], views[-1].d[0]
        return images, views
