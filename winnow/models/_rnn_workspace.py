"""The RNN's fast path: forward and backward written out over reused buffers.

With z_t = W_ih x_t + W_hh h_{t-1} + b and h_t = tanh(z_t), the loss has by z_t the gradient d_t, backwards in time:

    d_t = (g_t + W_hh' d_{t+1}) * (1 - h_t^2),   g_t = W_ih' d_t of the layer above (the classifier: at the last t only)
    dW_hh = sum_t d_t h_{t-1}',   dW_ih = sum_t d_t x_t',   db_ih = db_hh = sum_t d_t

What makes it fast: activations are time-major [T, B, H], so that the input projections of all steps, g of all steps and
each weight gradient are one large matmul; a step's product is added to what its buffer holds and the non-linearity is
applied in place; h_{-1} = 0 and g_t = 0 cost nothing; buffers are allocated once, and a layer's activations, once used,
hold the gradient of the layer below. On a CPU lanes are walked one by one (a batched matmul is slower there), elsewhere
they are the batch of `bmm`. There, too, tanh(z) = 2 sigmoid(2z) - 1 is a quarter of the time of tanh; the factor 2 goes
into the weights, where it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor

tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Workspace:
    """Buffers and passes for `lanes` lanes of up to `batch` images each; a smaller batch uses a part of the buffers.

    `dtype` is that of activations and matmuls; the classifier and the loss are float32 (float64 for float64), and so
    must parameters and gradients be. RuntimeError for calls out of order.
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
        self.in_lanes = device.type == "cpu"
        self.through_sigmoid = self.in_lanes and dtype != torch.bfloat16
        self._mm: Callable[..., Tensor] = torch.mm if self.in_lanes else torch.bmm
        self._addmm: Callable[..., Tensor] = torch.addmm if self.in_lanes else torch.baddbmm
        together = 1 if self.in_lanes else lanes
        rows = self.steps * batch
        # Evaluation needs only the layer at work and the one below it, and on a CPU those of one lane.
        kept, buffers = (lanes, layers) if training else (together, min(layers, 2))
        self._inputs = torch.empty((lanes if training else 1) * rows * self.width, device=device, dtype=dtype)
        self._states = [torch.empty(kept * rows * hidden, device=device, dtype=dtype) for _ in range(buffers)]
        self._delta = torch.empty(together * rows * hidden if training else 0, device=device, dtype=dtype)
        self._classes = torch.arange(classes, device=device)
        self._minus_one = torch.tensor(-1.0, device=device, dtype=dtype)
        self._pending: tuple[Mapping[str, Tensor], Tensor, Tensor] | None = None

    @torch.no_grad()
    def loss(self, parameters: Mapping[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy per lane [L] of inputs [L, B, C, rows, columns] (float32, normalised), labels [L, B].

        Keeps what `backward` needs; a second call before it raises RuntimeError.
        """
        if not self.training:
            raise RuntimeError("this is an evaluation workspace: make one with training=True for loss()")
        if self._pending is not None:
            raise RuntimeError("loss() was called again before backward(): its activations would be overwritten")
        self._check(labels, self.lanes)
        count = labels.shape[1]
        x = self._load_inputs(inputs, self.lanes)  # (L, T, B, features)
        states = [self._view(state, self.lanes, count) for state in self._states]  # (L, T, B, H) each
        for lane in self._groups():
            self._forward({name: value[lane] for name, value in parameters.items()}, x[lane], [s[lane] for s in states])
        log_p = self._log_probabilities(parameters, states[-1][:, -1])  # (L, B, C)
        loss = -log_p.gather(2, labels[..., None]).mean((1, 2))
        self.correct = (log_p.argmax(2) == labels).sum(1)  # right answers per lane [L] of the last loss()
        self._pending = (parameters, log_p, labels)
        return loss

    @torch.no_grad()
    def backward(self, gradients: Mapping[str, Tensor]) -> None:
        """Fill `gradients` (shapes of the parameters) with those of the sum of the last losses over lanes."""
        if self._pending is None:
            raise RuntimeError("backward() needs a loss() before it, and only one")
        (parameters, error, labels), self._pending = self._pending, None
        count = labels.shape[1]
        x = self._inputs[: self.lanes * self.steps * count * self.width]
        x = x.view(self.lanes, self.steps, count, self.width)
        states = [self._view(state, self.lanes, count) for state in self._states]
        top = states[-1][:, -1].to(self.exact)
        error.exp_().sub_((labels[..., None] == self._classes).to(error.dtype)).div_(
            count
        )  # softmax - one-hot, (L, B, C)
        torch.bmm(error.mT, top, out=gradients["output.weight"])
        torch.sum(error, 1, out=gradients["output.bias"])
        d_top = torch.bmm(error, parameters["output.weight"])  # (L, B, H)
        for lane in self._groups():
            self._backward(
                {name: value[lane] for name, value in parameters.items()},
                x[lane],
                [state[lane] for state in states],
                d_top[lane],
                {name: value[lane] for name, value in gradients.items()},
            )

    @torch.no_grad()
    def evaluate(self, parameters: Mapping[str, Tensor], inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Summed cross-entropy [L] (float64) and right answers [L] (int64).

        inputs [B, C, rows, columns] (float32, normalised) and labels [B] are shared by all lanes.
        """
        if self.training:
            raise RuntimeError("evaluate() would overwrite what backward() needs: use a workspace with training=False")
        labels = labels[None]
        self._check(labels, 1)
        count = labels.shape[1]
        x = self._load_inputs(inputs[None], 1)
        together = 1 if self.in_lanes else self.lanes
        states = [self._view(self._states[i % len(self._states)], together, count) for i in range(self.layers)]
        top = torch.empty(self.lanes, count, self.hidden, device=labels.device, dtype=self.dtype)
        for lane in self._groups():
            here = 0 if isinstance(lane, int) else lane
            below = x[0] if isinstance(lane, int) else x.expand(self.lanes, -1, -1, -1)
            self._forward({name: value[lane] for name, value in parameters.items()}, below, [s[here] for s in states])
            top[lane] = states[-1][here][..., -1, :, :]
        log_p = self._log_probabilities(parameters, top)
        right = (log_p.argmax(2) == labels).sum(1)
        return -log_p.gather(2, labels.expand(self.lanes, -1)[..., None]).sum((1, 2), dtype=torch.float64), right

    def _check(self, labels: Tensor, lanes: int) -> None:
        if labels.shape[0] != lanes or not 1 <= labels.shape[1] <= self.batch:
            raise ValueError(f"labels are {tuple(labels.shape)}, the workspace is for {lanes} x (1 to {self.batch})")

    def _groups(self) -> list[int] | list[slice]:
        return list(range(self.lanes)) if self.in_lanes else [slice(None)]

    def _view(self, buffer: Tensor, lanes: int, count: int) -> Tensor:
        return buffer[: lanes * self.steps * count * self.hidden].view(lanes, self.steps, count, self.hidden)

    def _load_inputs(self, inputs: Tensor, lanes: int) -> Tensor:
        """Copy [L, B, C, rows, columns] to time-major [L, T, B, C * columns] in the workspace's dtype."""
        count = inputs.shape[1]
        x = self._inputs[: lanes * self.steps * count * self.width].view(lanes, self.steps, count, -1)
        x.view(lanes, self.steps, count, inputs.shape[2], -1).copy_(inputs.permute(0, 3, 1, 2, 4))
        return x

    def _log_probabilities(self, parameters: Mapping[str, Tensor], top: Tensor) -> Tensor:
        logits = torch.baddbmm(parameters["output.bias"][:, None], top.to(self.exact), parameters["output.weight"].mT)
        return torch.log_softmax(logits, 2)

    def _tanh(self, z: Tensor) -> None:
        if self.through_sigmoid:  # z holds 2z
            torch.add(self._minus_one, z.sigmoid_(), alpha=2, out=z)
        else:
            z.tanh_()

    def _forward(self, parameters: Mapping[str, Tensor], x: Tensor, states: list[Tensor]) -> None:
        """Fill `states` [..., T, B, H] of one lane (or of all, with the lane axis in front)."""
        scale = 2 if self.through_sigmoid else 1
        for layer, state in enumerate(states):
            kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            w_ih, w_hh, b_ih, b_hh = (parameters[f"rnn.{kind}_l{layer}"] for kind in kinds)
            w_ih, w_hh, bias = ((scale * value).to(self.dtype) for value in (w_ih, w_hh, b_ih + b_hh))
            self._addmm(bias[..., None, :], x.flatten(-3, -2), w_ih.mT, out=state.flatten(-3, -2))
            h = state.unbind(-3)
            self._tanh(h[0])
            for before, now in pairwise(h):
                self._addmm(now, before, w_hh.mT, out=now)
                self._tanh(now)
            x = state

    def _backward(
        self,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: list[Tensor],
        d_top: Tensor,
        gradients: Mapping[str, Tensor],
    ) -> None:
        """Fill the recurrent layers' gradients from d_top = dloss/dh at the last step of the top layer [..., B, H]."""
        delta = self._delta[: states[-1].numel()].view_as(states[-1])
        delta[..., -1, :, :] = d_top
        for layer in reversed(range(self.layers)):
            state, is_top = states[layer], layer == self.layers - 1
            below = states[layer - 1] if layer else x
            w_hh = parameters[f"rnn.weight_hh_l{layer}"].to(self.dtype)
            h, d = state.unbind(-3), delta.unbind(-3)
            tanh_backward(d[-1], h[-1], grad_input=d[-1])
            for t in reversed(range(self.steps - 1)):
                if is_top:
                    self._mm(d[t + 1], w_hh, out=d[t])
                else:
                    self._addmm(d[t], d[t + 1], w_hh, out=d[t])
                tanh_backward(d[t], h[t], grad_input=d[t])
            rows = delta.flatten(-3, -2)  # (..., T * B, H)
            later, earlier = delta[..., 1:, :, :].flatten(-3, -2), state[..., :-1, :, :].flatten(-3, -2)
            gradients[f"rnn.weight_hh_l{layer}"].copy_(self._mm(later.mT, earlier))
            gradients[f"rnn.weight_ih_l{layer}"].copy_(self._mm(rows.mT, below.flatten(-3, -2)))
            for kind in ("bias_ih", "bias_hh"):
                gradients[f"rnn.{kind}_l{layer}"].copy_(rows.sum(-2))
            if layer:
                w_ih = parameters[f"rnn.weight_ih_l{layer}"].to(self.dtype)
                self._mm(rows, w_ih, out=state.flatten(-3, -2))  # the state is used up: it holds g of the layer below
                delta = state
