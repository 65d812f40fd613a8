"""Training steps as a graph that the device replays: one launch in place of some hundred.

A step of a small network is hundreds of kernels of a few microseconds, and launching them one by one takes the host
longer than the GPU computes. A CUDA graph holds the whole step. Since a replay repeats the same calls on the same
memory, all in which steps differ lies on the device: the epoch's images in order, the rates of the steps to come, and
two counters. Replayed are steps with whole batches of an optimiser that is `capturable`; all others run as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from winnow.batches import Batches, Epoch
from winnow.lane_optimizers import Part
from winnow.training_job import TrainingJob

Program = Callable[[], None]
WARM_UP = 3  # steps before a capture: libraries make their handles and plans, optimisers their state


def recorder(device: torch.device) -> Callable[[Program], Program] | None:
    """What captures a step on this device, without running it, and returns its replay; None where nothing does."""
    return cuda_graph if device.type == "cuda" else None


def cuda_graph(step: Program) -> Program:
    """The replay of `step` as a CUDA graph, on the current device (`engine.make_current`)."""
    cuda: Any = torch.cuda  # parts of it carry no types
    graph = cuda.CUDAGraph()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*CUDA Graph is empty")  # the step ran on another device
        with cuda.graph(graph, stream=cuda.Stream()):
            step()
    replay: Program = graph.replay
    return replay


def _nothing() -> None:
    """The replay before the first capture."""


def of(job: TrainingJob, parts: Sequence[Part], batches: Batches) -> CapturedSteps | None:
    """The captured steps of a job; None where its device cannot capture, or its optimiser cannot be captured."""
    record, optimizer = recorder(job.device), parts[0].optimizer
    if record is None or job.sparsify or not (optimizer.lanes and optimizer.capturable) or "closure" in optimizer.needs:
        return None
    return CapturedSteps(job, parts[0], batches, record)


class CapturedSteps:
    """Steps of all lanes by one optimiser, replayed in runs that end with an epoch's last whole batch at the latest."""

    def __init__(self, job: TrainingJob, part: Part, batches: Batches, record: Callable[[Program], Program]) -> None:
        self.job, self.part, self.problem, self.batches, self.record = job, part, part.problem, batches, record
        self.gather = batches.gatherer()  # of its own: a replay writes where the captured step wrote
        self.warm_up, self.warm_size = 0, 0  # eager steps to come, of batches of this size
        self.size, self.epoch = 0, -1  # of the captured step; of the images that it reads
        self.replay: Program = _nothing
        self.counts = (0, 0)  # sample-gradients and closures of a step

    def room(self, iteration: int, end: int) -> int:
        """How many steps from `iteration` on can be replayed before `end`. Steps between two calls are warm-up."""
        step = self.job.timeline.at(iteration)
        whole = self.job.timeline.images // step.size
        if step.size > self.job.chunk or step.position >= whole:
            return 0
        if step.size != self.warm_size:
            self.warm_size, self.warm_up = step.size, WARM_UP
        self.warm_up -= 1
        return 0 if self.warm_up >= 0 else min(whole - step.position, end - iteration)

    def begin(self, iteration: int, rates: np.ndarray) -> None:
        """The next steps are those from `iteration` on, at `rates` [steps, L]."""
        step = self.job.timeline.at(iteration)
        drawn = self.batches.drawn(step.epoch)
        if step.size != self.size:
            self._allocate(step.size, drawn)
        if step.epoch != self.epoch:
            self.epoch = step.epoch
            self.drawn.copy_(drawn)
        self.position.fill_(step.position)
        self.counter.zero_()
        self.rates[: len(rates)].copy_(torch.from_numpy(rates))
        if step.size != self.size:
            self.size = step.size
            self._capture()

    def results(self, steps: int) -> tuple[Tensor, Tensor]:
        """(mean loss, right answers) of the steps since `begin`, [steps, L] each; counts their cost."""
        gradients, closures = self.counts
        self.problem.sample_gradients += steps * gradients
        self.problem.closures += steps * closures
        self.part.rate = None  # what the groups hold now, the host has not seen
        return self.losses[:steps].clone(), self.correct[:steps].clone()

    def _allocate(self, size: int, drawn: Epoch) -> None:
        """Room for the values that differ between steps of `size` images."""
        self.replay = _nothing  # its memory goes before the next one's comes
        device, lanes = self.job.device, len(self.job.seeds)
        steps = self.job.timeline.images // size
        self.drawn, self.epoch = drawn.empty_like(), -1
        self.position, self.counter = (torch.zeros(1, dtype=torch.int64, device=device) for _ in range(2))
        self.columns = torch.arange(size, device=device)
        self.rates, self.losses = (torch.zeros(steps, lanes, device=device) for _ in range(2))
        self.correct = torch.zeros(steps, lanes, dtype=torch.int64, device=device)

    def _capture(self) -> None:
        problem = self.problem
        before = problem.sample_gradients, problem.closures
        self.replay = self.record(self._step)
        self.counts = problem.sample_gradients - before[0], problem.closures - before[1]
        problem.sample_gradients, problem.closures = before

    def _step(self) -> None:
        """What `Trainer` does in a step, with every value that changes read from, and written to, the device."""
        order = self.drawn.images
        index = order.gather(1, (self.position * len(self.columns) + self.columns).expand(len(order), -1))
        self.problem.batch = self.gather(index, self.drawn.changes_of(index))
        rate = self.rates.index_select(0, self.counter)[0]
        for group in self.part.optimizer.param_groups:
            group["lr"].copy_(rate)
        loss = self.problem.closure()
        self.part.step()
        self.part.keep_zeros()
        self.losses.index_copy_(0, self.counter, loss[None].to(self.losses))
        self.correct.index_copy_(0, self.counter, self.problem.correct[None].to(self.correct))
        self.position.add_(1)
        self.counter.add_(1)
