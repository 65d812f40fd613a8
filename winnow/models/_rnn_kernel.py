"""The RNN's recurrent layers, forward and backward, written out over buffers that the caller owns.

With z_t = W_ih x_t + W_hh h_{t-1} + b and h_t = tanh(z_t), the loss has by z_t the gradient d_t, backwards in time:

    d_t = (g_t + W_hh' d_{t+1}) * (1 - h_t^2),   g_t = W_ih' d_t of the layer above (the classifier: at the last t only)
    dW_hh = sum_t d_t h_{t-1}',   dW_ih = sum_t d_t x_t',   db_ih = db_hh = sum_t d_t

What makes it fast: activations are time-major [T, B, H], so that the input projections of all steps, g of all steps and
each weight gradient are one large matmul; a step's product is added to what its buffer holds and the non-linearity is
applied in place; h_{-1} = 0 and g_t = 0 cost nothing; a layer's activations, once used, make room for the gradient of
the layer below. On a CPU a call is for one lane (a batched matmul is slower there), elsewhere for all, with the lane
axis in front. On a CPU, too, tanh(z) = 2 sigmoid(2z) - 1 takes a fifth of the time of tanh (for bfloat16 half, through
float32: rounding the sigmoid would cost three bits); the factor 2 goes into the weights, where it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]
tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Kernel:
    """Both passes for `layers` layers in `dtype`. lanes: None for 2-D weights (one lane), else that many in front.

    Shapes, with `...` for the lane axis or nothing: x [..., T, B, features], states [..., T, B, hidden]; contiguous.
    """

    def __init__(
        self, layers: int, hidden: int, width: int, lanes: int | None, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.layers, self.dtype = layers, dtype
        self._mm: Callable[..., Tensor] = torch.mm if lanes is None else torch.bmm
        self._addmm: Callable[..., Tensor] = torch.addmm if lanes is None else torch.baddbmm
        self.through_sigmoid = lanes is None
        self._minus_one = torch.tensor(-1.0, device=device, dtype=torch.promote_types(dtype, torch.float32))
        stack = () if lanes is None else (lanes,)
        # Fresh memory costs page faults, so the weights' copies and the float32 step have their place.
        self._copies = {
            "input": torch.empty(*stack, hidden, width, device=device, dtype=dtype),
            "from_below": torch.empty(*stack, hidden, hidden, device=device, dtype=dtype),
            "recurrent": torch.empty(*stack, hidden, hidden, device=device, dtype=dtype),
        }
        self._step = torch.empty(0, device=device, dtype=torch.float32)

    def forward(self, weights: Weights, x: Tensor, states: Sequence[Tensor]) -> None:
        """Fill `states`, from the lowest layer up."""
        scale = 2 if self.through_sigmoid else 1
        for layer, state in enumerate(states):
            bias = weights[f"rnn.bias_ih_l{layer}"] + weights[f"rnn.bias_hh_l{layer}"]
            bias = bias.mul_(scale).to(self.dtype)[..., None, :]
            w_ih = self._weight("from_below" if layer else "input", weights[f"rnn.weight_ih_l{layer}"], scale).mT
            w_hh = self._weight("recurrent", weights[f"rnn.weight_hh_l{layer}"], scale).mT
            self._addmm(bias, x.flatten(-3, -2), w_ih, out=state.flatten(-3, -2))
            h = state.unbind(-3)
            self._tanh(h[0])
            for before, now in pairwise(h):
                self._addmm(now, before, w_hh, out=now)
                self._tanh(now)
            x = state

    def backward(
        self, weights: Weights, x: Tensor, states: Sequence[Tensor], delta: Tensor, d_top: Tensor, gradients: Weights
    ) -> None:
        """Fill the recurrent layers' `gradients` and use up `states`.

        d_top [..., B, hidden]: gradient of the loss by the top layer's last h; delta: room like a state.
        """
        delta[..., -1, :, :] = d_top
        for layer in reversed(range(self.layers)):
            state, is_top = states[layer], layer == self.layers - 1
            below = states[layer - 1] if layer else x
            w_hh = self._weight("recurrent", weights[f"rnn.weight_hh_l{layer}"])
            h, d = state.unbind(-3), delta.unbind(-3)
            tanh_backward(d[-1], h[-1], grad_input=d[-1])
            for t in reversed(range(len(h) - 1)):
                if is_top:
                    self._mm(d[t + 1], w_hh, out=d[t])
                else:
                    self._addmm(d[t], d[t + 1], w_hh, out=d[t])
                tanh_backward(d[t], h[t], grad_input=d[t])
            rows = delta.flatten(-3, -2)  # (..., T * B, H)
            later, earlier = delta[..., 1:, :, :].flatten(-3, -2), state[..., :-1, :, :].flatten(-3, -2)
            self._product(later.mT, earlier, gradients[f"rnn.weight_hh_l{layer}"])
            self._product(rows.mT, below.flatten(-3, -2), gradients[f"rnn.weight_ih_l{layer}"])
            bias = rows.sum(-2)
            gradients[f"rnn.bias_ih_l{layer}"].copy_(bias)
            gradients[f"rnn.bias_hh_l{layer}"].copy_(bias)
            if layer:
                w_ih = self._weight("from_below", weights[f"rnn.weight_ih_l{layer}"])
                self._mm(rows, w_ih, out=state.flatten(-3, -2))  # g of the layer below
                delta = state

    def _weight(self, place: str, weight: Tensor, scale: int = 1) -> Tensor:
        """The weight in `dtype`, times `scale`; valid until the next one for that place."""
        if scale == 1 and weight.dtype == self.dtype:
            return weight
        copy = self._copies[place].copy_(weight)
        return copy if scale == 1 else copy.mul_(scale)

    def _product(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        if out.dtype == self.dtype:
            self._mm(a, b, out=out)
        else:
            out.copy_(self._mm(a, b))

    def _tanh(self, z: Tensor) -> None:
        """In place; where `through_sigmoid`, z holds twice its value."""
        if not self.through_sigmoid:
            z.tanh_()
        elif self.dtype == torch.bfloat16:
            step = self._step.resize_(z.shape).copy_(z).sigmoid_()
            z.copy_(torch.add(self._minus_one, step, alpha=2, out=step))
        else:
            torch.add(self._minus_one, z.sigmoid_(), alpha=2, out=z)
