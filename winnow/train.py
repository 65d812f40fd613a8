"""The training loop, over lanes.

Order of a step, always: mask gradients, clip per lane, (weight decay, momentum, update: the optimiser's), mask. Nothing
inside an epoch reads a device value from the host. The loop stops at *marks*: iterations at which a metrics row is due,
the rewind point is taken, or an in-run pruning happens; state that survives a kill is offered to the caller there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from winnow import checkpoint, masks, plugins
from winnow.data import Data, normalise, order, to_device
from winnow.problem import Problem, Tensors, lane_of, stacked

Arrays = dict[str, np.ndarray]
EVALUATION_BATCH = 1000
DIVERGED_FACTOR, DIVERGED_STEPS = 10.0, 100  # loss above 10 times uniform guessing, for 100 steps


@dataclass(frozen=True)
class InRunPruning:
    """At `iteration`, `prune(weights, rewind, mask)` gives new (mask, weights); `factor`: the schedule from there."""

    iteration: int
    prune: Callable[[Arrays, Arrays, Arrays | None], tuple[Arrays, Arrays]]
    factor: Callable[[int], float]


@dataclass(frozen=True)
class Job:
    """Everything that decides the result of one training run.

    start   {name: float32 [L, ...]}, already masked;  mask {name: bool [L, ...]} of the pruned tensors, or None
    first   iteration at which the run starts (a rewound run: its rewind point), last: where it ends
    factor  the learning rate's factor at an iteration;  rewind: iteration whose weights are kept, or None
    """

    model: Any
    optimizer: dict[str, Any]
    lr: float
    factor: Callable[[int], float]
    start: Arrays
    mask: Arrays | None
    seeds: list[int]
    train: np.ndarray
    validation: np.ndarray
    first: int
    last: int
    per_epoch: int
    evaluate_every: int
    rewind: int | None
    batch_size: int
    clip: float | None
    dtype: torch.dtype
    device: torch.device
    dead: tuple[int, ...] = ()  # seeds that diverged in the round before: frozen from the start
    prunings: tuple[InRunPruning, ...] = ()


@dataclass
class Outcome:
    """What a run leaves: metrics rows (schema "metrics"), float32 arrays [L, ...], and its cost."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    final: Arrays = field(default_factory=dict)
    rewind: Arrays = field(default_factory=dict)
    mask: Arrays | None = None
    diverged: list[int | None] = field(default_factory=list)
    sample_gradients: list[int] = field(default_factory=list)


@dataclass
class _Part:
    """An optimiser, its problem and the lanes that it moves: all of them, or one where it cannot be batched."""

    optimizer: Any
    problem: Problem
    lanes: slice

    @property
    def seeds(self) -> list[int]:
        """The seeds of its lanes."""
        return self.problem.seeds

    def step_by_closure(self) -> tuple[Tensor, Tensor]:
        """One step of an optimiser that calls the closure itself; (loss, right answers) of its first call, per lane."""
        first: list[tuple[Tensor, Tensor]] = []

        def closure() -> Tensor:
            loss = self.problem.closure()
            if not first:
                first.append((loss.clone(), self.problem.workspace.correct))
            return loss

        self.optimizer.step(closure)
        return first[0]


class Trainer:
    """Trains the lanes of one job; `state` and `restore` carry it over a kill with the same bits."""

    def __init__(self, job: Job, data: Data) -> None:
        self.job, self.data = job, data
        self.lanes = len(job.seeds)
        held = to_device(data, job.device)
        self.train_images, self.train_labels = held["train_images"], held["train_labels"]
        self.test_images, self.test_labels = held["test_images"], held["test_labels"]
        self.validation = torch.from_numpy(np.ascontiguousarray(job.validation)).to(job.device)
        shape = (self.lanes, job.batch_size, *self.train_images.shape[1:])
        self.inputs = torch.empty(shape, dtype=torch.float32, device=job.device)
        self.evaluation = job.model.workspace(self.lanes, EVALUATION_BATCH, job.device, job.dtype, training=False)
        self.workspace = job.model.workspace(self.lanes, job.batch_size, job.device, job.dtype)
        self.iteration, self.origin, self.pruned = job.first, job.first, 0
        self.factor, self.mask = job.factor, job.mask
        self.rewind: Arrays = {}
        self.outcome = Outcome(sample_gradients=[0] * self.lanes)
        dead = [job.first if seed in job.dead else -1 for seed in job.seeds]
        self.diverged = torch.tensor(dead, dtype=torch.int64, device=job.device)
        self.high = torch.zeros(self.lanes, dtype=torch.int64, device=job.device)
        self.high_loss = DIVERGED_FACTOR * math.log(data.classes)
        self.permutation: tuple[int, Tensor] | None = None
        self._begin(job.start)

    # -- set-up -------------------------------------------------------------------------------------------------

    def _begin(self, weights: Arrays) -> None:
        """Put `weights` and the current mask in place, with fresh optimiser state."""
        job = self.job
        start = {name: torch.from_numpy(value).to(job.device) for name, value in weights.items()}
        self.problem = stacked(job.model, start, job.seeds, job.clip, self.workspace)
        make = plugins.load_class("optimizers", job.optimizer["name"])
        options = {key: value for key, value in job.optimizer.items() if key != "name"}
        self.parts: list[_Part] = []
        if make.lanes:
            lr: Any = torch.full((self.lanes,), job.lr, dtype=torch.float32, device=job.device)
            optimizer = make(list(self.problem.handles.values()), lr=lr, **options)
            self.parts.append(_Part(optimizer, self.problem, slice(None)))
        else:
            one = job.model.workspace(1, job.batch_size, job.device, job.dtype)
            for lane in range(self.lanes):
                own = lane_of(self.problem, lane, one)
                optimizer = make(list(own.handles.values()), lr=job.lr, **options)
                self.parts.append(_Part(optimizer, own, slice(lane, lane + 1)))
        self._set_masks()
        for part in self.parts:
            if part.optimizer.needs - {"closure"}:
                part.optimizer.bind(part.problem)
        self.safe = {name: value.clone() for name, value in self.problem.parameters.items()}
        self.loss_sum = torch.zeros(self.lanes, dtype=torch.float64, device=job.device)
        self.correct = torch.zeros(self.lanes, dtype=torch.int64, device=job.device)
        self.seen = 0

    def _set_masks(self) -> None:
        on = {n: torch.from_numpy(m).to(self.job.device, torch.float32) for n, m in (self.mask or {}).items()}
        self.problem.masks = on
        for lane, part in enumerate(self.parts):
            if part.problem is not self.problem:
                part.problem.masks = {name: mask[lane] for name, mask in on.items()}
            part.problem.apply_masks(part.optimizer)

    # -- the loop -----------------------------------------------------------------------------------------------

    def run(
        self, on_mark: Callable[[Trainer], None] = lambda _: None, tick: Callable[[int], None] = lambda _: None
    ) -> Outcome:
        """Train to the end. `on_mark` is called after every metrics row, `tick(iteration)` after every step."""
        job = self.job
        if self.iteration == job.rewind and not self.rewind:
            self.rewind = self.weights()
        if not (self.diverged < 0).any() and not self.outcome.rows:
            self._row()  # every lane diverged in the round before: say so
        while self.iteration < job.last and (self.diverged < 0).any():
            end = self._next_mark()
            while self.iteration < end:
                self._step()
                tick(self.iteration)
            self._freeze_diverged()
            if self.iteration == job.rewind:
                self.rewind = self.weights()
            if self.iteration % job.evaluate_every == 0 or self.iteration == job.last or self._due() is not None:
                self._row()
                if (due := self._due()) is not None:
                    self._prune(due)
                on_mark(self)
        outcome = self.outcome
        outcome.final, outcome.rewind, outcome.mask = self.reported(), self.rewind, self.mask
        outcome.diverged = [None if step < 0 else step for step in self.diverged.tolist()]
        return outcome

    def _next_mark(self) -> int:
        job, every = self.job, self.job.evaluate_every
        marks = [(self.iteration // every + 1) * every, job.last, job.rewind or 0]
        marks += [pruning.iteration for pruning in job.prunings]
        return min(mark for mark in marks if mark > self.iteration)

    def _due(self) -> InRunPruning | None:
        prunings = self.job.prunings
        if self.pruned < len(prunings) and prunings[self.pruned].iteration == self.iteration:
            return prunings[self.pruned]
        return None

    def _batch(self) -> tuple[Tensor, Tensor]:
        job = self.job
        epoch, position = divmod(self.iteration, job.per_epoch)
        if self.permutation is None or self.permutation[0] != epoch:
            drawn = np.stack([order(seed, epoch, job.train) for seed in job.seeds])
            self.permutation = (epoch, torch.from_numpy(drawn).to(job.device))
        index = self.permutation[1][:, position * job.batch_size : (position + 1) * job.batch_size]
        out = self.inputs[:, : index.shape[1]]
        return normalise(self.train_images[index], self.data.mean, self.data.std, out=out), self.train_labels[index]

    def _step(self) -> None:
        inputs, labels = self.problem.batch = self._batch()
        lr = self.job.lr * self.factor(self._position(self.iteration))
        if shared := "closure" not in self.parts[0].optimizer.needs:
            loss, correct = self.problem.closure(), self.workspace.correct
        else:
            loss, correct = torch.zeros_like(self.problem.clipped), torch.zeros_like(self.correct)
        for part in self.parts:
            part.problem.batch = inputs[part.lanes], labels[part.lanes]
            for group in part.optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(lr)
                else:
                    group["lr"] = lr
            if shared:
                part.optimizer.step()
            else:
                loss[part.lanes], correct[part.lanes] = part.step_by_closure()
            part.problem.apply_masks(part.optimizer)
        self.iteration += 1
        self.seen += labels.shape[1]
        self.loss_sum += loss * labels.shape[1]
        self.correct += correct
        self.high = torch.where(loss > self.high_loss, self.high + 1, 0)
        bad = (~torch.isfinite(loss) | (self.high >= DIVERGED_STEPS)) & (self.diverged < 0)
        self.diverged = torch.where(bad, self.iteration, self.diverged)

    def _position(self, iteration: int) -> int:
        """Where the schedule stands: an in-run pruning starts it anew."""
        return iteration - self.origin if self.pruned else iteration

    def _freeze_diverged(self) -> None:
        """At a mark, a diverged lane goes back to its last finite weights, and stays there.

        Weights that became infinite although every loss was finite count as diverged at the mark itself.
        """
        parameters = self.problem.parameters
        for value in parameters.values():
            bad = ~torch.isfinite(value).flatten(1).all(1) & (self.diverged < 0)
            self.diverged = torch.where(bad, self.iteration, self.diverged)
        dead = self.diverged >= 0
        for name, value in parameters.items():
            value.copy_(torch.where(dead.view(-1, *[1] * (value.dim() - 1)), self.safe[name], value))
            self.safe[name].copy_(value)

    def _prune(self, due: InRunPruning) -> None:
        self.mask, weights = due.prune(self.weights(), self.rewind, self.mask)
        self.factor, self.origin = due.factor, self.iteration
        self.pruned += 1
        self._begin(weights)

    # -- what it reports ----------------------------------------------------------------------------------------

    def weights(self) -> Arrays:
        """The current weights as float32 arrays [L, ...]."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.problem.parameters.items()}

    def _evaluation_parameters(self) -> Tensors:
        found = [part.optimizer.evaluation_parameters() for part in self.parts]
        if found[0] is None:
            return self.problem.parameters
        names = list(self.problem.handles)
        if self.parts[0].problem is self.problem:
            return dict(zip(names, found[0], strict=True))
        return {name: torch.stack([lane[i] for lane in found]) for i, name in enumerate(names)}

    def reported(self) -> Arrays:
        """The weights that evaluation uses (averages, where the optimiser keeps some), float32 [L, ...]."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self._evaluation_parameters().items()}

    def _evaluate(self, images: Tensor, labels: Tensor, index: Tensor | None) -> tuple[list[float], list[float]]:
        count = len(labels) if index is None else len(index)
        parameters = self._evaluation_parameters()
        loss = torch.zeros(self.lanes, dtype=torch.float64, device=labels.device)
        correct = torch.zeros(self.lanes, dtype=torch.int64, device=labels.device)
        with torch.no_grad():
            for begin in range(0, count, EVALUATION_BATCH):
                part: Any = slice(begin, min(begin + EVALUATION_BATCH, count))
                part = part if index is None else index[part]
                inputs = normalise(images[part], self.data.mean, self.data.std)
                batch_loss, batch_correct = self.evaluation.evaluate(parameters, inputs, labels[part])
                loss += batch_loss
                correct += batch_correct
        return (loss / count).tolist(), (correct.double() / count).tolist()

    def _row(self) -> None:
        job = self.job
        nothing: tuple[list[Any], list[Any]] = ([None] * self.lanes, [None] * self.lanes)
        test = self._evaluate(self.test_images, self.test_labels, None)
        held = self._evaluate(self.train_images, self.train_labels, self.validation) if len(job.validation) else nothing
        trained = ((self.loss_sum / max(self.seen, 1)).tolist(), (self.correct.double() / max(self.seen, 1)).tolist())
        closures = [part.problem.closures or self.problem.closures for part in self.parts for _ in part.seeds]
        clipped = [n / max(of, 1) for n, of in zip(self.problem.clipped.tolist(), closures, strict=True)]
        density = masks.density(self.mask).tolist() if self.mask else [1.0] * self.lanes
        diverged = self.diverged.tolist()
        lr = job.lr * self.factor(self._position(max(self.iteration - 1, job.first)))
        for lane, seed in enumerate(job.seeds):
            values = {
                "train_loss": trained[0][lane], "train_accuracy": trained[1][lane],
                "validation_loss": held[0][lane], "validation_accuracy": held[1][lane],
                "test_loss": test[0][lane], "test_accuracy": test[1][lane], "clipped_share": clipped[lane],
            }  # fmt: skip
            dead = diverged[lane] >= 0
            epoch = self.iteration / job.per_epoch
            self.outcome.rows.append({
                "seed": seed, "epoch": int(epoch) if epoch.is_integer() else epoch, "iteration": self.iteration,
                "lr": lr, "density": density[lane],
                **{key: None if dead or not _finite(value) else value for key, value in values.items()},
                "diverged_step": diverged[lane] if dead else None,
            })  # fmt: skip
        self._count()
        self.loss_sum.zero_()
        self.correct.zero_()
        self.seen = 0

    def _count(self) -> None:
        for part in self.parts:
            for lane in range(self.lanes)[part.lanes]:
                own = part.problem.sample_gradients if part.problem is not self.problem else 0
                self.outcome.sample_gradients[lane] += self.problem.sample_gradients + own
        for problem in {self.problem, *(part.problem for part in self.parts)}:
            problem.sample_gradients = problem.closures = 0
        self.problem.clipped.zero_()

    # -- surviving a kill ---------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """(JSON value, arrays) from which `restore` continues with the same bits; valid right after a metrics row."""
        tree = {
            "iteration": self.iteration, "origin": self.origin, "pruned": self.pruned, "rows": self.outcome.rows,
            "sample_gradients": self.outcome.sample_gradients, "diverged": self.diverged, "high": self.high,
            "parameters": self.problem.parameters, "rewind": _tensors(self.rewind), "mask": _tensors(self.mask),
            "optimizers": [part.optimizer.state_dict() for part in self.parts],
        }  # fmt: skip
        return checkpoint.flatten(tree)

    def restore(self, value: dict[str, Any], arrays: Arrays) -> None:
        """Continue from a `state`."""
        tree = checkpoint.unflatten(value, arrays)
        self.pruned, self.origin = tree["pruned"], tree["origin"]
        self.mask = {n: t.numpy() for n, t in tree["mask"].items()} if tree["mask"] is not None else None
        self.rewind = {n: t.numpy() for n, t in (tree["rewind"] or {}).items()}
        if self.pruned:
            self.factor = self.job.prunings[self.pruned - 1].factor
        self._begin({name: value.numpy() for name, value in tree["parameters"].items()})
        for part, saved in zip(self.parts, tree["optimizers"], strict=True):
            part.optimizer.load_state_dict(saved)
            part.problem.apply_masks(part.optimizer)
        # Binding may have moved parameters that start at zero; the checkpoint has the last word.
        for name, value_ in tree["parameters"].items():
            self.problem.parameters[name].copy_(value_)
            self.safe[name].copy_(value_)
        self.iteration = tree["iteration"]
        self.diverged, self.high = tree["diverged"].to(self.job.device), tree["high"].to(self.job.device)
        self.outcome.rows, self.outcome.sample_gradients = tree["rows"], tree["sample_gradients"]


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _tensors(arrays: Arrays | None) -> Tensors | None:
    return None if arrays is None else {name: torch.from_numpy(value) for name, value in arrays.items()}
