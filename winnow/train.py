"""The training loop, over lanes.

Order of a step, always: mask gradients, clip per lane, (weight decay, momentum, update: the optimiser's), mask where
the optimiser does not keep zeros by itself. Nothing inside an epoch reads a device value from the host; where the
device can, steps are replayed as a graph (`winnow/captured.py`). The loop stops at *marks*: iterations at which a
metrics row is due, the rewind point is taken, or an in-run pruning happens; state that survives a kill is offered to
the caller there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from winnow import captured, checkpoint, engine, evaluation, lane_optimizers, masks, sparsity
from winnow.batches import Batches
from winnow.captured import CapturedSteps
from winnow.data import Data, to_device
from winnow.divergence import Divergence
from winnow.minibatch import images, of_lanes
from winnow.problem import Tensors, stacked
from winnow.step_log import StepLog
from winnow.training_job import Arrays, InRunPruning, Outcome, TrainingJob


class Trainer:
    """Trains the lanes of one job; `state` and `restore` carry it over a kill with the same bits."""

    def __init__(self, job: TrainingJob, data: Data) -> None:
        self.job = job
        self.lanes = len(job.seeds)
        engine.make_current(job.device)
        held = to_device(data, job.device)
        self.batches = Batches(job, data, held["train_images"], held["train_labels"])
        self.evaluation = evaluation.Evaluation(job, data, held)
        self.workspace = job.model.workspace(self.lanes, job.chunk, job.device, job.dtype)
        self.iteration, self.origin, self.pruned = job.first, job.first, 0
        self.factor, self.mask = job.factor, job.mask
        self.rewind: Arrays = {}
        self.steps = StepLog()
        self.losses = torch.empty(0, self.lanes)  # of all steps, if they are kept
        self.outcome = Outcome(sample_gradients=[0] * self.lanes, ended=[None] * len(job.blocks))
        self.divergence = Divergence(job, data.classes)
        self.lowest: evaluation.PerLane = [None] * self.lanes  # validation loss so far
        self._begin(job.start)

    def _begin(self, weights: Arrays) -> None:
        """Put `weights` and the current mask in place, with fresh optimiser state."""
        job = self.job
        start = {name: torch.from_numpy(value).to(job.device) for name, value in weights.items()}
        self.problem = stacked(job.model, start, job.seeds, job.clip, self.workspace, job.label_smoothing, job.l2)
        self.problem.sampler = self.batches
        self.parts = lane_optimizers.make(job, self.problem, None if job.sparsify else self.mask)
        self.batches.fixed = "fixed_batches" in self.parts[0].optimizer.needs
        self.sparsifier = sparsity.make(job.sparsify, self.problem, self.parts) if job.sparsify else None
        if self.sparsifier is not None and self.mask is None:
            self.sparsifier.begin()
        elif self.sparsifier is not None:
            self.sparsifier.resume(self.mask, self.iteration)
        self.captured = captured.of(job, self.parts, self.batches)
        self.divergence.begin(self.problem.parameters)
        self.means = evaluation.TrainingMeans(self.lanes, job.device)

    # -- the loop -----------------------------------------------------------------------------------------------

    def run(
        self, on_mark: Callable[[Trainer], None] = lambda _: None, tick: Callable[[int], None] = lambda _: None
    ) -> Outcome:
        """Train to the end. `on_mark` is called after every metrics row, `tick(iteration)` after every step."""
        job = self.job
        if self.iteration == job.rewind and not self.rewind:
            self.rewind = self.weights()
        self._note_ends()
        if None not in self.outcome.ended and not self.outcome.rows:
            self._row()  # every lane diverged in the round before: say so
        while self.iteration < job.last and None in self.outcome.ended:
            end = self._next_mark()
            while self.iteration < end:
                if self.captured is not None and (steps := self.captured.room(self.iteration, end)):
                    self._replay(self.captured, steps, tick)
                else:
                    self._step()
                    tick(self.iteration)
            self.divergence.look(self.steps.losses(), self.problem.parameters, self.iteration)
            self._note_ends()
            self.means.add(self.steps)
            if job.step_losses:
                self.losses = torch.cat([self.losses, self.steps.losses().cpu()])
            self.steps.clear()
            if self.sparsifier is not None:
                self.sparsifier.enforce()
            if self.iteration == job.rewind:
                self.rewind = self.weights()
            row = job.timeline.due(self.iteration, job.evaluate_every)
            if row or self.iteration == job.last or self._due() is not None:
                self._row()
                if (due := self._due()) is not None:
                    self._prune(due)
                on_mark(self)
        outcome = self.outcome
        outcome.final = _arrays(self._evaluated())
        outcome.rewind, outcome.mask, outcome.diverged = self.rewind, self.mask, self.divergence.steps()
        outcome.update_multiply_adds = self.parts[0].optimizer.update_multiply_adds()
        outcome.step_losses = self.losses.numpy() if job.step_losses else None
        return outcome

    def _note_ends(self) -> None:
        """Note which blocks have diverged as a whole by now."""
        gone = self.divergence.gone
        for index, block in enumerate(self.job.blocks):
            if self.outcome.ended[index] is None and all(gone[block]):
                self.outcome.ended[index] = self.iteration

    def _next_mark(self) -> int:
        job = self.job
        marks = [job.timeline.following(self.iteration, job.evaluate_every), job.last, job.rewind or 0]
        marks += [pruning.iteration for pruning in job.prunings]
        return min(mark for mark in marks if mark > self.iteration)

    def _due(self) -> InRunPruning | None:
        prunings = self.job.prunings
        if self.pruned < len(prunings) and prunings[self.pruned].iteration == self.iteration:
            return prunings[self.pruned]
        return None

    def _step(self) -> None:
        batch = self.problem.batch = self.batches.at(self.iteration)
        factor = self._factor(self.iteration)
        if self.sparsifier is not None:
            self.sparsifier.before_step(self.iteration)
        if shared := "closure" not in self.parts[0].optimizer.needs:
            loss, correct = self.problem.closure(), self.problem.correct
        else:
            loss = torch.zeros(self.lanes, device=self.job.device)
            correct = torch.zeros_like(loss, dtype=torch.int64)
        for part in self.parts:
            if part.problem is not self.problem:
                part.problem.batch = of_lanes(batch, part.lanes)
            part.set_rate(factor)
            if shared:
                part.step()
            else:
                loss[part.lanes], correct[part.lanes] = part.step_by_closure()
            part.keep_zeros()
        self.iteration += 1
        if self.sparsifier is not None:
            self.sparsifier.after_step(self.iteration, float(self.job.rates[0] * factor))
        self.steps.add(loss, correct, images(batch))

    def _replay(self, graph: CapturedSteps, steps: int, tick: Callable[[int], None]) -> None:
        factors = [self._factor(self.iteration + step) for step in range(steps)]
        graph.begin(self.iteration, np.outer(factors, self.job.rates))
        for _ in range(steps):
            graph.replay()
            self.iteration += 1
            tick(self.iteration)
        self.steps.extend(*graph.results(steps), self.job.timeline.at(self.iteration - 1).size)

    def _factor(self, iteration: int) -> float:
        """The learning rate's factor; an in-run pruning starts the schedule anew."""
        return self.factor(iteration - self.origin if self.pruned else iteration)

    def _prune(self, due: InRunPruning) -> None:
        self.mask, weights = due.prune(self.weights(), self.rewind, self.mask)
        self.factor, self.origin = due.factor, self.iteration
        self.pruned += 1
        self._begin(weights)

    def _evaluated(self) -> Tensors:
        found = lane_optimizers.evaluation_parameters(self.parts, self.problem, self.divergence.step >= 0)
        return dict(self.problem.seen(found))

    # -- what it reports ----------------------------------------------------------------------------------------

    def weights(self) -> Arrays:
        """The current weights as float32 arrays [L, ...]."""
        return _arrays(self.problem.parameters)

    def _row(self) -> None:
        """One metrics row per lane, and the cost so far."""
        closures = [part.problem.closures or self.problem.closures for part in self.parts for _ in part.seeds]
        clipped = [n / max(of, 1) for n, of in zip(self.problem.clipped.tolist(), closures, strict=True)]
        parameters = self._evaluated()
        columns = {**self.means.columns(), **self.evaluation.validation(parameters), "clipped_share": clipped}
        columns |= self._test(parameters, columns["validation_loss"])
        if self.sparsifier is not None:
            self.mask = self.sparsifier.masks(parameters)
            self._check_masked(parameters, self.mask, self.sparsifier.most(self.iteration))
        density = masks.density(self.mask).tolist() if self.mask else [1.0] * self.lanes
        lr = (self.job.rates * self._factor(max(self.iteration - 1, self.job.first))).tolist()
        self._count()
        rows = evaluation.rows(self.job, self.iteration, lr, density, self.divergence.steps(), columns)
        costs = self.outcome.sample_gradients
        self.outcome.rows += [{**row, "sample_gradients": cost} for row, cost in zip(rows, costs, strict=True)]
        self.means.reset()

    def _check_masked(self, parameters: Tensors, mask: Arrays, most: int) -> None:
        """RuntimeError if a weight is evaluated that the mask, which a row's density counts, leaves out, or if a lane's
        has more than `most` of them."""
        alive = self.divergence.step < 0
        if (left := masks.kept(mask).max()) > most:
            raise RuntimeError(f"{left} weights are left at iteration {self.iteration}, but {most} are allowed")
        for name, keep in mask.items():
            outside = (parameters[name] != 0) & ~torch.from_numpy(keep).to(parameters[name].device)
            if bool(outside[alive].any()):
                raise RuntimeError(f"{name} has weights at iteration {self.iteration} that its mask leaves out")

    def _test(self, parameters: Tensors, losses: evaluation.PerLane) -> dict[str, evaluation.PerLane]:
        """The columns of the test images; empty for the lanes of a block that does not look at them now.

        A block looks where `test_every` says so, and where a lane's validation loss, of `losses`, is lower than ever
        before: its test accuracy there will be asked for.
        """
        job, at = self.job, self.iteration
        pairs = list(zip(losses, self.lowest, strict=True))
        lower = [loss is not None and (least is None or loss < least) for loss, least in pairs]
        self.lowest = [loss if new else least for (loss, least), new in zip(pairs, lower, strict=True)]
        due = at in (job.first, job.last) or job.timeline.due(at, job.test_every) or self._due() is not None
        blind = [block for block in job.blocks if not due and not any(lower[block])]
        nothing = self.evaluation.nothing("test")
        columns = self.evaluation.test(parameters) if len(blind) < len(job.blocks) else nothing
        for name, values in columns.items():
            for block in blind:
                values[block] = nothing[name][block]
        return columns

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
            "sample_gradients": self.outcome.sample_gradients, "diverged": self.divergence.step,
            "high": self.divergence.high, "parameters": self.problem.parameters, "rewind": _tensors(self.rewind),
            "lowest": self.lowest, "losses": self.losses, "ended": self.outcome.ended, "mask": _tensors(self.mask),
            "optimizers": [part.optimizer.state_dict() for part in self.parts],
        }  # fmt: skip
        return checkpoint.flatten(tree)

    def restore(self, value: dict[str, Any], arrays: Arrays) -> None:
        """Continue from a `state`."""
        tree = checkpoint.unflatten(value, arrays)
        self.iteration, self.pruned, self.origin = tree["iteration"], tree["pruned"], tree["origin"]
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
        self.divergence.begin(self.problem.parameters)
        device = self.job.device
        self.divergence.step, self.divergence.high = tree["diverged"].to(device), tree["high"].to(device)
        self.lowest, self.losses = tree["lowest"], tree["losses"]
        self.outcome.rows, self.outcome.sample_gradients = tree["rows"], tree["sample_gradients"]
        self.outcome.ended = tree["ended"]


def _arrays(tensors: Tensors) -> Arrays:
    return {name: value.detach().cpu().numpy().copy() for name, value in tensors.items()}


def _tensors(arrays: Arrays | None) -> Tensors | None:
    return None if arrays is None else {name: torch.from_numpy(value) for name, value in arrays.items()}
