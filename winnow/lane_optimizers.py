"""The optimisers of a job: one that moves all lanes at once, or one per lane where a method cannot be batched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from winnow import plugins
from winnow.problem import Problem, Tensors, lane_of
from winnow.training_job import Arrays, TrainingJob


@dataclass
class Part:
    """An optimiser, its problem and the lanes that it moves."""

    optimizer: Any
    problem: Problem
    lanes: slice
    base: Tensor  # the rate of each of these lanes, float64 (float32 on devices without) [lanes]
    common: float | None  # the rate of all of them, if it is one
    rate: float | None = None  # the factor that the groups' rates have, once it was set

    @property
    def seeds(self) -> list[int]:
        """The seeds of its lanes."""
        return self.problem.seeds

    def set_rate(self, factor: float) -> None:
        """Give every parameter group the lanes' rates times `factor`, in place where it is a tensor."""
        if factor == self.rate:
            return
        self.rate = factor
        for group in self.optimizer.param_groups:
            if self.common is None:
                group["lr"].copy_(self.base * factor)
            elif isinstance(group["lr"], Tensor):
                group["lr"].fill_(self.common * factor)
            else:
                group["lr"] = self.common * factor

    def step(self) -> None:
        """One step from the gradients in `.grad`."""
        step = type(self.optimizer).step
        if getattr(step, "hooked", False):  # torch's profiling around it, which costs as much as a layer of 100 units
            step = step.__wrapped__
        step(self.optimizer)

    def keep_zeros(self) -> None:
        """After a step: zero pruned weights and their state, where the optimiser does not keep them so."""
        if not self.optimizer.keeps_zeros:
            self.problem.apply_masks(self.optimizer)

    def step_by_closure(self) -> tuple[Tensor, Tensor]:
        """One step of an optimiser that calls the closure itself; (loss, right answers) of its first call, per lane."""
        first: list[tuple[Tensor, Tensor]] = []

        def closure() -> Tensor:
            loss = self.problem.closure()
            if not first:
                first.append((loss.clone(), self.problem.correct))
            return loss

        self.optimizer.step(closure)
        return first[0]


def make(job: TrainingJob, problem: Problem, mask: Arrays | None) -> list[Part]:
    """The parts of the problem of all lanes, with fresh optimisers, masked by `mask` and bound where they need it."""
    plugin = plugins.load_class("optimizers", job.optimizer["name"])
    options = {key: value for key, value in job.optimizer.items() if key != "name"}
    parts: list[Part] = []
    if plugin.lanes:
        base = torch.tensor(job.rates, dtype=torch.float32 if job.device.type == "mps" else torch.float64)
        base = base.to(job.device)
        optimizer = plugin(list(problem.handles.values()), lr=base.float(), **options)
        common = float(job.rates[0]) if len(set(job.rates.tolist())) == 1 else None
        parts.append(Part(optimizer, problem, slice(None), base, common))
    else:
        one = job.model.workspace(1, job.chunk, job.device, job.dtype)
        for lane in range(len(job.seeds)):
            own = lane_of(problem, lane, one)
            rate = float(job.rates[lane])
            optimizer = plugin(list(own.handles.values()), lr=rate, **options)
            parts.append(Part(optimizer, own, slice(lane, lane + 1), torch.tensor([rate]), rate))
    on = {name: torch.from_numpy(keep).to(job.device, torch.float32) for name, keep in (mask or {}).items()}
    set_masks(parts, problem, on)
    for part in parts:
        if part.optimizer.needs - {"closure"}:
            part.optimizer.bind(part.problem)
    return parts


def set_masks(parts: Sequence[Part], problem: Problem, masks: Tensors, hide: bool = False) -> None:
    """Mask the problem and its parts, by views, with `masks` of 0 and 1, from now on; `hide`: as `Problem.visible`."""
    none: Tensors = {}
    problem.masks, problem.visible = (none, masks) if hide else (masks, none)
    for lane, part in enumerate(parts):
        if part.problem is not problem:
            own = {name: keep[lane] for name, keep in masks.items()}
            part.problem.masks, part.problem.visible = (none, own) if hide else (own, none)
        part.problem.apply_masks(part.optimizer)


def evaluation_parameters(parts: Sequence[Part], problem: Problem, dead: Tensor) -> Tensors:
    """The weights to evaluate, {name: [L, ...]}: the current ones, or averages where the optimiser keeps some.

    dead [L]: lanes that diverged, whose averages did, too; theirs are the current ones, which are finite.
    """
    found = [part.optimizer.evaluation_parameters() for part in parts]
    if found[0] is None:
        return problem.parameters
    names = list(problem.handles)
    if parts[0].problem is problem:
        averages = dict(zip(names, found[0], strict=True))
    else:
        averages = {name: torch.stack([lane[i] for lane in found]) for i, name in enumerate(names)}
    now = problem.parameters
    return {name: torch.where(dead.view(-1, *[1] * (one.dim() - 1)), now[name], one) for name, one in averages.items()}
