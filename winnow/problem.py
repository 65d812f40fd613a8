"""The problem that an optimiser works on: one minibatch loss per lane, its gradient, and what lies behind it.

Every gradient in winnow is computed here, so that the order *mask, then clip* holds for every optimiser and every
sample-gradient is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from winnow.minibatch import Batch, Chunks, Sampler, chunks, images
from winnow.seeds import stream

Tensors = dict[str, Tensor]


class Problem:
    """Loss and gradient of lane-stacked parameters on the current batch.

    handles     {name: Parameter} that the optimiser steps: [L, ...], or one lane's view without the lane axis
    parameters  {name: tensor [L, ...]} sharing memory with the handles
    gradients   {name: tensor [L, ...]} sharing memory with the handles' `.grad`
    masks       {name: float tensor of 0 and 1, of the handle's shape}; empty when nothing is pruned
    visible     likewise, but masks through which the loss sees the parameters: gradients are those at visible * w, of
            all weights, and all move (the straight-through estimator of Bengio et al. 2013, arXiv 1308.3432)
    batch       the current one;  sampler: where it comes from, `epoch` and, of fixed batches, `index` [L] and `count`
    label_smoothing  e of the loss (1 - e) * cross-entropy + e * mean over the classes of -log p (Szegedy et al. 2016,
            arXiv 1512.00567, section 7)
    l2      strength s of the penalty s / 2 * |w|^2 over all parameters, a part of the loss that is minimised
    correct     right answers per lane [L] in the last gradient
    correction  changes the masked gradient in `.grad` before it is clipped, for optimisers that reduce its variance
    """

    def __init__(
        self,
        model: Any,
        handles: Mapping[str, torch.nn.Parameter],
        parameters: Tensors,
        gradients: Tensors,
        workspace: Any,
        seeds: list[int],
        clip: float | None,
        label_smoothing: float = 0.0,
        l2: float = 0.0,
    ) -> None:
        self.model, self.workspace, self.seeds, self.clip = model, workspace, seeds, clip
        self.handles, self.parameters, self.gradients = dict(handles), parameters, gradients
        self.label_smoothing, self.l2 = label_smoothing, l2
        self.names = {handle: name for name, handle in self.handles.items()}
        self.masks: Tensors = {}
        self.visible: Tensors = {}
        self.roles: dict[str, str] = model.roles
        self.fan_in: dict[str, int] = model.fan_in
        self.zero_initialised: frozenset[str] = model.zero_initialised
        self.batch: Batch | Chunks | None = None
        self.sampler: Sampler | None = None
        self.correction: Callable[[], None] | None = None
        self.sample_gradients = 0  # per lane
        self.closures = 0
        self.clipped = torch.zeros(len(seeds), device=next(iter(parameters.values())).device)
        self.correct = torch.zeros(len(seeds), device=self.clipped.device)

    def generator(self, lane: int, purpose: str) -> np.random.Generator:
        """The named random stream of a lane."""
        return stream(self.seeds[lane], purpose)

    def seen(self, parameters: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        """`parameters` (default: the current ones) as the loss sees them."""
        whole = self.parameters if parameters is None else parameters
        if not self.visible:
            return whole
        return {**whole, **{name: whole[name] * mask for name, mask in self.visible.items()}}

    def closure(self) -> Tensor:
        """Zero, forward, backward, mask, clip on the current batch: fills `.grad`, returns the loss per lane [L]."""
        loss = self.gradient()
        if self.correction is not None:
            correct = self.correct
            self.correction()
            self.correct = correct
            self._mask_(self.gradients)
        self.clip_()
        self.closures += 1
        return loss

    def gradient(
        self,
        parameters: Mapping[str, Tensor] | None = None,
        out: Tensors | None = None,
        batch: Batch | Chunks | None = None,
        masked: bool = True,
    ) -> Tensor:
        """Unclipped gradient at `parameters` (default: the current ones) into `out` (default: `.grad`).

        On `batch`, or the current one. If `masked`, zero for pruned weights and at the parameters as `seen`; else of
        all weights, at the parameters as they are. Returns the loss per lane [L]; counts the sample-gradients.
        """
        out = self.gradients if out is None else out
        parameters = self.parameters if parameters is None else parameters
        parameters = self.seen(parameters) if masked else parameters
        batch = self._batch(batch)
        with torch.no_grad():
            if isinstance(batch, Chunks):
                loss = self._sum(parameters, out, batch)
            else:
                loss = self.workspace.loss(parameters, *batch, self.label_smoothing)
                self.correct = self.workspace.correct
                self.workspace.backward(out)
            if self.l2:
                loss = loss + self._penalty(parameters)
                torch._foreach_add_(list(out.values()), [parameters[name] for name in out], alpha=self.l2)
            if masked:
                self._mask_(out)
        self.sample_gradients += images(batch)
        return loss

    def _sum(self, parameters: Mapping[str, Tensor], out: Tensors, batch: Chunks) -> Tensor:
        """Loss and, in `out`, gradient of a batch by those of its chunks."""
        part = {name: torch.empty_like(value) for name, value in out.items()}
        losses, correct = [], []
        for index, chunk in enumerate(batch):
            share = images(chunk) / images(batch)
            losses.append(share * self.workspace.loss(parameters, *chunk, self.label_smoothing))
            correct.append(self.workspace.correct)
            self.workspace.backward(part)
            if index:
                torch._foreach_add_(list(out.values()), list(part.values()), alpha=share)
            else:
                torch._foreach_copy_(list(out.values()), torch._foreach_mul(list(part.values()), share))
        self.correct = torch.stack(correct).sum(0)
        return torch.stack(losses).sum(0)

    def _mask_(self, gradients: Tensors) -> None:
        if self.masks:
            torch._foreach_mul_([gradients[name] for name in self.masks], list(self.masks.values()))

    def _penalty(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """That of `l2`, per lane [L]."""
        squares = [parameters[name].flatten(1).square().sum(1) for name in self.parameters]
        return torch.stack(squares).sum(0) * (self.l2 / 2)

    def clip_(self) -> None:
        """Scale each lane's gradient to norm `clip` at most, as torch.nn.utils.clip_grad_norm_ does for one model."""
        if self.clip is None:
            return
        norms = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in self.gradients.values()]
        norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)  # [L]
        scale = (self.clip / (norm + 1e-6)).clamp_(max=1.0)
        self.clipped += norm > self.clip
        for g in self.gradients.values():
            g.mul_(scale.view(-1, *[1] * (g.dim() - 1)))

    def outputs(self, parameters: Mapping[str, Tensor] | None = None, batch: Batch | None = None) -> Tensor:
        """Differentiable logits [L, B, C] on `batch`, or `chunk()`, through the model's plain path, at `parameters`
        (default: the current ones) as `seen`."""
        inputs, _ = self.chunk() if batch is None else batch
        logits: Tensor = self.model.logits(self.seen(parameters), inputs)
        return logits

    def loss(self, parameters: Mapping[str, Tensor], batch: Batch | Chunks | None = None) -> Tensor:
        """The loss per lane [L] at `parameters` as `seen`, without a gradient; counted as a third of one."""
        batch, parts, parameters = self._batch(batch), [], self.seen(parameters)
        with torch.no_grad():
            for inputs, labels in chunks(batch):
                linear = self._linearised(parameters, (inputs, labels))
                logits = linear.logits if linear else self.outputs(parameters, (inputs, labels))
                losses = torch.nn.functional.cross_entropy(
                    logits.flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=self.label_smoothing
                )
                parts.append(losses.view(labels.shape).mean(1) * (labels.shape[1] / images(batch)))
            penalty = self._penalty(parameters) if self.l2 else 0.0
        self.sample_gradients += -(-images(batch) // 3)
        return torch.stack(parts).sum(0) + penalty

    def gauss_newton(self, batch: Batch | Chunks | None = None) -> Callable[[Mapping[str, Tensor]], Tensors]:
        """v -> G v = (J' H J + l2) v at the current parameters as `seen`, {name: [L, ...]}, masked; J = d logits / d
        parameters.

        Products share the forward pass, but for those of a batch in chunks; they may be asked for until the next loss,
        gradient or other linearisation. Each costs about as much as a gradient, and is counted as one.
        """
        batch = self._batch(batch)
        if isinstance(batch, Chunks):
            return lambda vector: self._summed_product(vector, batch)
        return self._product(batch)

    def _linearised(self, parameters: Mapping[str, Tensor], batch: Batch) -> Any:
        """A batch's logits and their derivatives (`Linearisation`) by the model's workspace; None where it has none."""
        linearise = getattr(self.workspace, "linearise", None)
        return None if linearise is None else linearise(parameters, *batch)

    def _plain(self, batch: Batch) -> Any:
        """The same by the model's plain path; J v is the derivative of u' J by u along v (two backward passes make a
        forward-mode product)."""
        with torch.enable_grad():
            leaves = {name: value.detach().requires_grad_() for name, value in self.seen().items()}
            logits = self.model.logits(leaves, batch[0])
            u = torch.zeros_like(logits, requires_grad=True)
            pulled = torch.autograd.grad(logits, list(leaves.values()), u, create_graph=True)

        def derivative(direction: Mapping[str, Tensor]) -> Tensor:
            return torch.autograd.grad(pulled, u, [direction[name] for name in leaves], retain_graph=True)[0]

        def pull(error: Tensor) -> Tensors:
            columns = torch.autograd.grad(logits, list(leaves.values()), error, retain_graph=True)
            return dict(zip(leaves, columns, strict=True))

        return SimpleNamespace(logits=logits.detach(), derivative=derivative, pull=pull)

    def _summed_product(self, vector: Mapping[str, Tensor], batch: Chunks) -> Tensors:
        total: Tensors = {}
        for chunk in batch:
            for name, value in self._product(chunk)(vector).items():
                part = value * (images(chunk) / images(batch))
                total[name] = total[name] + part if name in total else part
        return total

    def _product(self, batch: Batch) -> Callable[[Mapping[str, Tensor]], Tensors]:
        linear = self._linearised(self.seen(), batch) or self._plain(batch)

        def product(vector: Mapping[str, Tensor]) -> Tensors:
            jv = linear.derivative(vector)
            found: Tensors = linear.pull(self.output_hessian_product(linear.logits, jv))
            if self.l2:
                found = {name: value + self.l2 * vector[name] for name, value in found.items()}
            for name, mask in self.masks.items():
                found[name] = found[name] * mask
            self.sample_gradients += images(batch)
            return found

        return product

    def layer_statistics(
        self, batch: Batch | None = None, uniform: Tensor | None = None
    ) -> dict[str, list[tuple[Tensor, Tensor]]]:
        """Per weight matrix, for each use of it: (inputs [L, B, in], gradient of the loss by its outputs [L, B, out]).

        The two factors that K-FAC (Martens & Grosse 2015, arXiv 1503.05671) multiplies; the loss is the mean over the
        batch (`chunk()`, unless another is given), per lane, without a penalty. With `uniform`, numbers in [0, 1)
        [L, B], the labels are drawn by them from the predictions, and not smoothed.
        """
        inputs, labels = self.chunk() if batch is None else batch
        names: list[str] = []
        seen: list[Tensor] = []
        outputs: list[Tensor] = []

        def tap(name: str, x: Tensor, y: Tensor) -> None:
            names.append(name)
            seen.append(x.detach())
            outputs.append(y)

        with torch.enable_grad():
            leaves = {name: value.detach().requires_grad_() for name, value in self.seen().items()}
            logits = self.model.logits(leaves, inputs, tap)
            if uniform is not None:
                labels = _drawn(logits.detach(), uniform)
            smoothing = self.label_smoothing if uniform is None else 0.0
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), reduction="sum", label_smoothing=smoothing
            )
            gradients = torch.autograd.grad(loss / labels.shape[1], outputs)
        self.sample_gradients += labels.shape[1]
        found: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in names}
        for name, x, gradient in zip(names, seen, gradients, strict=True):
            found[name].append((x, gradient))
        return found

    @staticmethod
    def output_hessian_product(logits: Tensor, vector: Tensor) -> Tensor:
        """Hessian of the mean cross-entropy with respect to the logits [L, B, C], times `vector` [L, B, C].

        H v = (p * v - p (p . v)) / B with p = softmax(logits) (Schraudolph 2002, Neural Computation 14, 1723).
        """
        p = logits.softmax(-1)
        pv = p * vector
        return (pv - p * pv.sum(-1, keepdim=True)) / logits.shape[1]

    def apply_masks(self, optimizer: torch.optim.Optimizer) -> None:
        """Set pruned weights, and optimiser state tensors of their parameter's shape, to exactly zero."""
        for name, mask in self.masks.items():
            handle = self.handles[name]
            handle.data.mul_(mask)
            for value in optimizer.state[handle].values() if handle in optimizer.state else ():
                if isinstance(value, Tensor) and value.shape == handle.shape:
                    value.mul_(mask)

    def chunk(self) -> Batch:
        """The current batch, or as much of it as is gathered at once: a sample of it."""
        return next(iter(chunks(self._batch(None))))

    def _batch(self, batch: Batch | Chunks | None) -> Batch | Chunks:
        batch = batch if batch is not None else self.batch
        if batch is None:
            raise RuntimeError("the problem has no current batch yet")
        return batch


def _drawn(logits: Tensor, uniform: Tensor) -> Tensor:
    """Labels [L, B]: the first class at which the predictions' sum [L, B, C] exceeds `uniform`."""
    sums = logits.double().softmax(-1).cumsum(-1)
    return (sums <= uniform.to(sums)[..., None]).sum(-1).clamp_(max=logits.shape[-1] - 1)


def stacked(
    model: Any,
    start: Tensors,
    seeds: list[int],
    clip: float | None,
    workspace: Any,
    label_smoothing: float = 0.0,
    l2: float = 0.0,
) -> Problem:
    """The problem of all lanes at once: each handle is a parameter [L, ...] that starts at a copy of `start`."""
    handles = {name: torch.nn.Parameter(tensor.clone()) for name, tensor in start.items()}
    gradients = {name: torch.zeros_like(handle) for name, handle in handles.items()}
    for name, handle in handles.items():
        handle.grad = gradients[name]
    parameters = {name: handle.data for name, handle in handles.items()}
    return Problem(model, handles, parameters, gradients, workspace, seeds, clip, label_smoothing, l2)


def lane_of(problem: Problem, lane: int, workspace: Any) -> Problem:
    """One lane of a stacked problem: handles without the lane axis, on the stacked problem's memory."""
    handles = {name: torch.nn.Parameter(tensor[lane]) for name, tensor in problem.parameters.items()}
    for name, handle in handles.items():
        handle.grad = problem.gradients[name][lane]
    one = slice(lane, lane + 1)
    parameters = {name: tensor[one] for name, tensor in problem.parameters.items()}
    gradients = {name: tensor[one] for name, tensor in problem.gradients.items()}
    part = Problem(
        problem.model, handles, parameters, gradients, workspace, [problem.seeds[lane]], problem.clip,
        problem.label_smoothing, problem.l2,
    )  # fmt: skip
    part.clipped = problem.clipped[one]
    return part
