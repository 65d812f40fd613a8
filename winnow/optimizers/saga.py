"""SAGA on fixed minibatches: stochastic gradients corrected by a table of the last one of every minibatch.

    v = g_b(w) - t_b + t,   t_b <- g_b(w),   w <- w - lr * (v + wd * w),   t = mean of t_c over all minibatches c

(Defazio, Bach & Lacoste-Julien 2014, arXiv 1407.0202, equation 1.) g_b is the gradient on the minibatch b; t weighs a
short minibatch by its images, and is the one before t_b is replaced. With a constant rate the method converges linearly
where SGD stalls, if the loss is strongly convex and smooth.

Departures: the paper draws one image at a time, with replacement; here the minibatches are drawn once, and their order
anew in every epoch, which makes the table small enough. Its entries start empty: a minibatch seen for the first time
moves w by its plain gradient, so that the first epoch is SGD's, and the mean is over those seen. Clipping comes after
the correction, to v.

Cost: one gradient per step and five passes over memory. State: one tensor of the weights' shape for every minibatch and
one more, 167 MB a lane for LeNet-5 on 60,000 images by 64 (938 minibatches of 44,426 weights; by single images
10.7 GB). Checkpoints hold it, too.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from winnow.minibatch import images
from winnow.optimizers._variance_reduced import VarianceReduced

RANGES = {"weight_decay": "[0, inf)"}
NEEDS = ("problem", "fixed_batches")


class SAGA(VarianceReduced):
    """SAGA on the parameters [L, ...] of a problem with fixed minibatches.

    lr            a finite number >= 0, or a tensor [L] of them
    weight_decay  >= 0

    Anything else raises UserError naming the option, its value and the valid range.
    """

    needs = frozenset(NEEDS)

    def __init__(self, params: ParamsT, lr: float | Tensor, *, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr, weight_decay=weight_decay)

    @torch.no_grad()
    def _correct(self) -> None:
        problem = self._problem
        handles, index, size = list(problem.handles.values()), problem.sampler.index, images(problem.batch)
        lanes = torch.arange(len(index), device=index.device)
        if "entries" not in self.state[handles[0]]:
            self._begin_table(handles, problem.sampler.count)
        entries = self.state[handles[0]]["entries"]
        known, count = entries["known"][lanes, index], entries["images"]
        share = known / count.clamp_min(1)  # 0 for the lanes in which the minibatch is new
        entries["known"][lanes, index] = 1
        entries["images"] = count + size * (1 - known)
        for handle in handles:
            state, gradient = self.state[handle]["gradients"], handle.grad
            change = gradient - state["table"][lanes, index]
            state["table"][lanes, index] = gradient
            torch.addcmul(change, state["sum"], share.view(-1, *[1] * (handle.dim() - 1)), out=gradient)
            state["sum"].add_(change, alpha=size)

    def _begin_table(self, handles: list[Tensor], count: int) -> None:
        # Nested, since the loop masks all state of a weight's shape, and which weights are pruned may change.
        for handle in handles:
            lanes = len(handle)
            table = handle.new_zeros((lanes, count, *handle.shape[1:]))
            self.state[handle]["gradients"] = {"table": table, "sum": torch.zeros_like(handle)}  # each times its images
        new = handles[0].new_zeros
        self.state[handles[0]]["entries"] = {"known": new((lanes, count)), "images": new(lanes)}
