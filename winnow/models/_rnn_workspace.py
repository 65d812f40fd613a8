"""The RNN's fast path: buffers that are allocated once, and the order of calls that keeps them safe."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from winnow.models._rnn_kernel import Kernel


def on_cpu(device: torch.device) -> bool:
    """Whether lanes are walked one by one; by itself so that the tests can try the other way without a GPU."""
    return device.type == "cpu"


class Workspace:
    """Buffers and passes for `lanes` lanes of up to `batch` images each; a smaller batch uses a part of the buffers.

    `dtype` is that of activations and matmuls; the classifier and the loss are float32 (float64 for float64), and so
    must parameters and gradients be. `correct` counts the right answers per lane [L] of the last `loss`. RuntimeError
    for calls out of order.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        hidden: int,
        layers: int,
        lanes: int,
        batch: int,
        device: torch.device,
        dtype: torch.dtype,
        training: bool,
    ) -> None:
        self.lanes, self.batch, self.training = lanes, batch, training
        self.hidden, self.layers = hidden, layers
        self.steps, self.width = shape[1], shape[0] * shape[2]
        self.dtype, self.exact = dtype, torch.promote_types(dtype, torch.float32)
        self.one_by_one = on_cpu(device)
        together = 1 if self.one_by_one else lanes
        self._kernel = Kernel(layers, hidden, self.width, None if self.one_by_one else lanes, device, dtype)
        # Evaluation needs only the layer at work and the one below it, and on a CPU those of one lane.
        kept, states = (lanes, layers) if training else (together, min(layers, 2))
        rows = self.steps * batch
        self._inputs = torch.empty((lanes if training else 1) * rows * self.width, device=device, dtype=dtype)
        self._states = [torch.empty(kept * rows * hidden, device=device, dtype=dtype) for _ in range(states)]
        self._delta = torch.empty(together * rows * hidden if training else 0, device=device, dtype=dtype)
        self._classes = torch.arange(classes, device=device)
        self.correct = torch.zeros(lanes, device=device, dtype=torch.int64)
        self._pending: tuple[Mapping[str, Tensor], Tensor, Tensor, float] | None = None

    @torch.no_grad()
    def loss(self, parameters: Mapping[str, Tensor], inputs: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Mean cross-entropy per lane [L] of inputs [L, B, C, rows, columns] (float32, normalised), labels [L, B].

        smoothing: share of the mean over the classes of -log p in place of the label's (`Problem.label_smoothing`).
        Keeps what `backward` needs (the parameters by reference); a second call before it raises RuntimeError.
        """
        if not self.training:
            raise RuntimeError("this is an evaluation workspace: make one with training=True for loss()")
        if self._pending is not None:
            raise RuntimeError("loss() was called again before backward(): its activations would be overwritten")
        self._check(labels, self.lanes)
        count = labels.shape[1]
        x = self._place(self._inputs, self.lanes, count, self.width)
        self._load(x, inputs)
        states = [self._place(state, self.lanes, count, self.hidden) for state in self._states]
        for lane in self._groups():
            self._kernel.forward(_at(parameters, lane), x[lane], [state[lane] for state in states])
        log_p = self._log_probabilities(parameters, states[-1][:, -1])
        self._pending = (parameters, log_p, labels, smoothing)
        self.correct = (log_p.argmax(2) == labels).sum(1)
        loss = -log_p.gather(2, labels[..., None]).mean((1, 2))
        return loss.lerp_(log_p.mean((1, 2)).neg_(), smoothing) if smoothing else loss

    @torch.no_grad()
    def backward(self, gradients: Mapping[str, Tensor]) -> None:
        """Fill `gradients` (names, shapes and type of the parameters) with those of the last losses' sum over lanes."""
        if self._pending is None:
            raise RuntimeError("backward() needs a loss() before it, and only one")
        (parameters, error, labels, smoothing), self._pending = self._pending, None
        count = labels.shape[1]
        x = self._place(self._inputs, self.lanes, count, self.width)
        states = [self._place(state, self.lanes, count, self.hidden) for state in self._states]
        delta = self._place(self._delta, 1 if self.one_by_one else self.lanes, count, self.hidden)
        top = states[-1][:, -1].to(self.exact)  # (L, B, H)
        target = (labels[..., None] == self._classes).to(self.exact)
        if smoothing:
            target.mul_(1 - smoothing).add_(smoothing / error.shape[2])
        error.exp_().sub_(target).div_(count)  # (softmax - one-hot) / B, (L, B, classes)
        torch.bmm(error.mT, top, out=gradients["output.weight"])
        torch.sum(error, 1, out=gradients["output.bias"])
        d_top = torch.bmm(error, parameters["output.weight"])
        for lane in self._groups():
            mine = [state[lane] for state in states]
            room = delta[0] if self.one_by_one else delta
            self._kernel.backward(_at(parameters, lane), x[lane], mine, room, d_top[lane], _at(gradients, lane))

    @torch.no_grad()
    def evaluate(self, parameters: Mapping[str, Tensor], inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Summed cross-entropy [L] (float64) and number of right answers [L] (int64).

        inputs [B, C, rows, columns] (float32, normalised) and labels [B] are shared by all lanes.
        """
        if self.training:
            raise RuntimeError("evaluate() would overwrite what backward() needs: use a workspace with training=False")
        labels = labels[None]
        self._check(labels, 1)
        count = labels.shape[1]
        x = self._place(self._inputs, 1, count, self.width)
        self._load(x, inputs[None])
        two = [self._place(s, 1 if self.one_by_one else self.lanes, count, self.hidden) for s in self._states]
        states = [two[layer % len(two)] for layer in range(self.layers)]
        if self.one_by_one:
            x, states = x[0], [state[0] for state in states]
        else:
            x = x.expand(self.lanes, -1, -1, -1)
        top = torch.empty(self.lanes, count, self.hidden, device=x.device, dtype=self.dtype)
        for lane in self._groups():
            self._kernel.forward(_at(parameters, lane), x, states)
            top[lane] = states[-1][..., -1, :, :]
        log_p = self._log_probabilities(parameters, top)
        losses = -log_p.gather(2, labels.expand(self.lanes, -1)[..., None]).sum((1, 2), dtype=torch.float64)
        return losses, (log_p.argmax(2) == labels).sum(1)

    def _check(self, labels: Tensor, lanes: int) -> None:
        if labels.shape[0] != lanes or not 1 <= labels.shape[1] <= self.batch:
            raise ValueError(f"labels are {tuple(labels.shape)}, the workspace is for {lanes} x (1 to {self.batch})")

    def _groups(self) -> list[int] | list[slice]:
        """Indices of the lane axis: each lane by itself, or all at once."""
        return list(range(self.lanes)) if self.one_by_one else [slice(None)]

    def _place(self, buffer: Tensor, lanes: int, count: int, width: int) -> Tensor:
        """The contiguous first part of a buffer, [lanes, T, count, width]."""
        return buffer[: lanes * self.steps * count * width].view(lanes, self.steps, count, width)

    def _load(self, x: Tensor, inputs: Tensor) -> None:
        """Copy [L, B, C, rows, columns] to time-major x [L, T, B, C * columns], rounding to its dtype."""
        x.view(*x.shape[:3], inputs.shape[2], -1).copy_(inputs.permute(0, 3, 1, 2, 4))

    def _log_probabilities(self, parameters: Mapping[str, Tensor], top: Tensor) -> Tensor:
        """Log-softmax of the classifier, [L, B, classes]."""
        logits = torch.baddbmm(parameters["output.bias"][:, None], top.to(self.exact), parameters["output.weight"].mT)
        return torch.log_softmax(logits, 2)


def _at(tensors: Mapping[str, Tensor], lane: int | slice) -> dict[str, Tensor]:
    return {name: value[lane] for name, value in tensors.items()}
