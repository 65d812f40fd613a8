"""The fast path of feed-forward networks: loss, gradient, evaluation, and the order of calls that keeps them safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import nll_loss as nll

from winnow.models._activations import Activation
from winnow.models._convolutions import Convolution, Convolutions
from winnow.models._dense import Dense
from winnow.models._small_convolutions import SmallConvolutions
from winnow.models._unfolded_convolutions import UnfoldedConvolutions

Tensors = Mapping[str, Tensor]


FEW = 16  # channels: up to here, measured on a CPU, products are faster than aten (by 7 to 45 % of a training step)


def on_cpu(device: torch.device) -> bool:
    """Whether convolutions walk the lanes one by one; by itself so that tests can try the other way without a GPU."""
    return device.type == "cpu"


class Workspace:
    """Buffers and passes for `lanes` lanes of up to `batch` images each; a smaller batch uses a part of the buffers.

    `dtype` is that of activations and matmuls; the output layer and the loss are float32 (float64 for float64), and so
    must parameters and gradients be. `correct` counts the right answers per lane [L] of the last `loss`. RuntimeError
    for calls out of order.
    """

    def __init__(
        self,
        convolutions: Mapping[str, Convolution],
        shape: tuple[int, int, int],
        names: Sequence[str],
        sizes: Sequence[int],
        activation: Activation,
        lanes: int,
        batch: int,
        device: torch.device,
        dtype: torch.dtype,
        training: bool,
    ) -> None:
        self.lanes, self.batch, self.training, self.dtype = lanes, batch, training, dtype
        self._convolutions: Convolutions | SmallConvolutions | UnfoldedConvolutions | None = None
        few = bool(convolutions) and max(layer.channels for layer in convolutions.values()) <= FEW
        if few and on_cpu(device):
            self._convolutions = SmallConvolutions(convolutions, shape, activation, lanes, batch, dtype, training)
        elif few and lanes > 1:
            self._convolutions = UnfoldedConvolutions(convolutions, shape, activation, dtype, training)
        elif convolutions:
            together = 1 if on_cpu(device) else lanes
            self._convolutions = Convolutions(convolutions, activation, together, dtype, training)
        self._dense = Dense(names, sizes, activation, lanes, batch, device, dtype, training)
        room = lanes * batch * sizes[0] if convolutions else 0
        self._room = torch.empty(room, device=device, dtype=dtype)
        self.correct = torch.zeros(lanes, device=device, dtype=torch.int64)
        self._pending: tuple[Tensors, Tensor, Tensor, Tensor, float] | None = None
        self.linear: Linearisation | None = None  # the one that holds

    @torch.no_grad()
    def loss(self, parameters: Tensors, inputs: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Mean cross-entropy per lane [L] of inputs [L, B, C, rows, columns] (float32, normalised), labels [L, B].

        smoothing: share of the mean over the classes of -log p in place of the label's (`Problem.label_smoothing`).
        Keeps what `backward` needs (parameters and inputs by reference); a second call before it raises RuntimeError.
        """
        x, logits = self._forward(parameters, inputs, labels)
        log_p = torch.log_softmax(logits, 2)
        self._pending = (parameters, x, log_p, labels, smoothing)
        self.correct = (log_p.argmax(2) == labels).sum(1)
        loss = nll(log_p.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape).mean(1)
        return loss.lerp_(log_p.mean((1, 2)).neg_(), smoothing) if smoothing else loss

    @torch.no_grad()
    def backward(self, gradients: Tensors) -> None:
        """Fill `gradients` (names, shapes and type of the parameters) with those of the last losses' sum over lanes."""
        if self._pending is None:
            raise RuntimeError("backward() needs a loss() before it, and only one")
        (parameters, x, error, labels, smoothing), self._pending = self._pending, None
        error.exp_()
        if smoothing:
            error.sub_(smoothing / error.shape[2])
        answers = labels[..., None]
        error.scatter_(2, answers, error.gather(2, answers).sub_(1 - smoothing))
        error.div_(labels.shape[1])  # (softmax - one-hot) / B
        self._backward(parameters, x, error, gradients)

    @torch.no_grad()
    def linearise(self, parameters: Tensors, inputs: Tensor, labels: Tensor) -> Linearisation | None:
        """The logits of inputs and labels as of `loss`, and their derivatives; None where there is no fast way to these
        in full precision."""
        if (
            not isinstance(self._convolutions, SmallConvolutions | None)
            or self.dtype != next(iter(parameters.values())).dtype
        ):
            return None
        x, logits = self._forward(parameters, inputs, labels)
        self.linear = Linearisation(self, parameters, x, logits)
        return self.linear

    def _forward(self, parameters: Tensors, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What the linear layers read, and logits; keeps what the passes backward need."""
        if not self.training:
            raise RuntimeError("this is an evaluation workspace: make one with training=True for loss()")
        if self._pending is not None:
            raise RuntimeError("loss() was called again before backward(): its activations would be overwritten")
        self._check(labels, self.lanes)
        self.linear = None
        x = self._below(parameters, inputs)
        return x, self._dense.forward(parameters, x)

    def _backward(self, parameters: Tensors, x: Tensor, error: Tensor, gradients: Tensors) -> None:
        """Fill `gradients` from `error`, dL/dlogits [L, B, classes]."""
        d = self._dense.backward(parameters, x, error, gradients, below=self._convolutions is not None)
        if self._convolutions is not None and d is not None:
            self._convolutions.backward(parameters, d, gradients)

    @torch.no_grad()
    def evaluate(self, parameters: Tensors, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Summed cross-entropy [L] (float64) and number of right answers [L] (int64).

        inputs [B, C, rows, columns] (float32, normalised) and labels [B] are shared by all lanes.
        """
        if self.training:
            raise RuntimeError("evaluate() would overwrite what backward() needs: use a workspace with training=False")
        labels = labels[None]
        self._check(labels, 1)
        x = self._below(parameters, inputs[None].expand(self.lanes, *inputs.shape))
        log_p = torch.log_softmax(self._dense.forward(parameters, x), 2)
        losses = nll(log_p.flatten(0, 1), labels.expand(self.lanes, -1).flatten(), reduction="none")
        return losses.view(self.lanes, -1).sum(1, dtype=torch.float64), (log_p.argmax(2) == labels).sum(1)

    def _check(self, labels: Tensor, lanes: int) -> None:
        if labels.shape[0] != lanes or not 1 <= labels.shape[1] <= self.batch:
            raise ValueError(f"labels are {tuple(labels.shape)}, the workspace is for {lanes} x (1 to {self.batch})")

    def _below(self, parameters: Tensors, inputs: Tensor) -> Tensor:
        """What the linear layers read, [L, B, features] in `dtype`."""
        if self._convolutions is None:
            return inputs.to(self.dtype).flatten(2)
        count = inputs.shape[1]
        size = self._room.numel() // (self.lanes * self.batch)
        x = self._room[: self.lanes * count * size].view(self.lanes, count, size)
        self._convolutions.forward(parameters, inputs, x)
        return x


class Linearisation:
    """Logits [L, B, classes] of a batch, and J = d logits / d parameters at the `parameters` that gave them.

    Holds until the workspace computes something else, after which it raises RuntimeError, or the parameters change.
    """

    def __init__(self, workspace: Workspace, parameters: Tensors, x: Tensor, logits: Tensor) -> None:
        self.logits = logits
        self._workspace, self._parameters, self._x = workspace, parameters, x

    @torch.no_grad()
    def derivative(self, direction: Tensors) -> Tensor:
        """J v [L, B, classes] of a `direction` v with the names and shapes of the parameters."""
        self._check()
        dx, convolutions = None, self._workspace._convolutions
        if isinstance(convolutions, SmallConvolutions):
            dx = torch.empty_like(self._x)
            convolutions.derivative(direction, dx)
        return self._workspace._dense.derivative(self._parameters, self._x, direction, dx)

    @torch.no_grad()
    def pull(self, error: Tensor) -> dict[str, Tensor]:
        """J' error, of errors [L, B, classes]."""
        self._check()
        found = {name: torch.empty_like(value) for name, value in self._parameters.items()}
        self._workspace._backward(self._parameters, self._x, error, found)
        return found

    def _check(self) -> None:
        if self._workspace.linear is not self:
            raise RuntimeError("this linearisation is gone: its workspace has computed something else since")
