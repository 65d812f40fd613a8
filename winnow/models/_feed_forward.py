"""Feed-forward image classifiers: convolutional layers, then linear ones. A plug-in only names the layers.

Layers are called conv1, conv2, ... and fc1, fc2, ..., the last of them the output, with tensors `.weight` and `.bias`
as in torch.nn. `_convolutions.py`, `_dense.py` and `_feed_forward_workspace.py` hold the fast path; `logits` is the
readable one, differentiable to any order, in which a convolution is the linear map of every k x k patch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from winnow.errors import UserError
from winnow.models import _activations, _initialisers
from winnow.models._convolutions import Convolution
from winnow.models._feed_forward_workspace import Workspace

Tap = Callable[[str, Tensor, Tensor], None]


class FeedForward:
    """A network's shapes, initialisation and two implementations; it holds no weights.

    shape: (channels, rows, columns) of an image. Tensors carry a leading lane axis [L, ...] wherever weights are passed
    in. `multiply_adds` says per weight tensor how often an image uses each of its weights: once in a linear layer, once
    per position in a convolution; kept weights times this is what a sparse network computes. UserError for a wrong
    option, or an image that is too small.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        init: str,
        activation: str,
        convolutions: Sequence[Convolution],
        hidden: Sequence[int],
    ) -> None:
        self.shape, self.classes = shape, classes
        self._init = _initialisers.named(init)
        self._draws_biases = init in _initialisers.DRAWS_BIASES
        self.activation = _activations.named(activation)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.roles: dict[str, str] = {}
        self.fan_in: dict[str, int] = {}  # of a bias: that of the weights it stands beside
        self.multiply_adds: dict[str, int] = {}
        self.convolutions = {f"conv{i}": layer for i, layer in enumerate(convolutions, start=1)}
        channels, rows, columns = shape
        for name, layer in self.convolutions.items():
            uses = math.prod(max(n, 0) for n in layer.positions(rows, columns))
            self._declare(name, (layer.channels, channels, layer.size, layer.size), uses)
            channels, (rows, columns) = layer.channels, layer.outputs(rows, columns)
            if rows < 1 or columns < 1:
                raise UserError(
                    f"The images of shape {list(shape)} are too small for this model: nothing is left after {name}."
                )
        self.features = (channels, rows, columns)
        self.sizes = [channels * rows * columns, *hidden, classes]
        self.linear = [f"fc{i}" for i in range(1, len(self.sizes))]
        for name, below, above in zip(self.linear, self.sizes, self.sizes[1:], strict=False):
            self._declare(name, (above, below), 1)
        self.roles[f"{self.linear[-1]}.weight"] = "output"
        biases = frozenset(name for name, role in self.roles.items() if role == "bias")
        self.zero_initialised = frozenset() if self._draws_biases else biases

    def _declare(self, name: str, shape: tuple[int, ...], uses: int) -> None:
        self.roles[f"{name}.weight"] = "hidden" if self.shapes else "input"
        self.shapes[f"{name}.weight"], self.shapes[f"{name}.bias"] = shape, shape[:1]
        self.roles[f"{name}.bias"] = "bias"
        self.fan_in[f"{name}.weight"] = self.fan_in[f"{name}.bias"] = math.prod(shape[1:])
        self.multiply_adds[f"{name}.weight"] = uses

    def initialise(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw one lane's weights in float64 (round once, when they become float32)."""
        return {
            name: np.zeros(shape) if name in self.zero_initialised else self._init(generator, shape, self.fan_in[name])
            for name, shape in self.shapes.items()
        }

    def logits(self, parameters: Mapping[str, Tensor], inputs: Tensor, tap: Tap | None = None) -> Tensor:
        """Plain differentiable path: inputs [L, B, C, rows, columns] -> [L, B, classes].

        `tap(name, x, y)` is shown every linear map y = x W', with the name of W; the rows of x are images or, for a
        convolution, the patches of all images, and W is [channels out, patch].
        """

        def linear(name: str, x: Tensor) -> Tensor:
            y = x @ parameters[f"{name}.weight"].flatten(2).mT
            if tap is not None:
                tap(f"{name}.weight", x, y)
            return y + parameters[f"{name}.bias"][:, None]

        lanes, batch = inputs.shape[:2]
        a = inputs.flatten(0, 1)  # (L * B, C, rows, columns)
        for name, layer in self.convolutions.items():
            rows = a.shape[2] + 2 * layer.padding - layer.size + 1
            patches = functional.unfold(a, layer.size, padding=layer.padding).mT  # (L * B, positions, C k k)
            z = linear(name, patches.reshape(lanes, -1, patches.shape[2]))  # (L, B * positions, channels)
            z = z.view(lanes * batch, -1, layer.channels).mT.reshape(lanes * batch, layer.channels, rows, -1)
            a = self.activation.plain(functional.max_pool2d(z, 2) if layer.pool else z)
        a = a.reshape(lanes, batch, -1)
        for name in self.linear[:-1]:
            a = self.activation.plain(linear(name, a))
        return linear(self.linear[-1], a)

    def workspace(
        self, lanes: int, batch: int, device: torch.device, dtype: torch.dtype, training: bool = True
    ) -> Workspace:
        """Buffers for up to `batch` images of `lanes` lanes; activations and matmuls in `dtype`."""
        return Workspace(
            self.convolutions, self.shape, self.linear, self.sizes, self.activation,
            lanes, batch, device, dtype, training,
        )  # fmt: skip
