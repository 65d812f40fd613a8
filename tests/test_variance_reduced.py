"""SVRG and SAGA: against float64 formulas on the same minibatches, masked, per lane; what variance reduction is for."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optimizer_checks import close, make, weights
from torch import Tensor

from winnow import data as datasets
from winnow import plugins
from winnow.errors import UserError
from winnow.minibatch import Batch, Chunks
from winnow.problem import Problem, stacked
from winnow.setting import Setting
from winnow.spec import TrainSpec
from winnow.train import Trainer

NAMES = ("svrg", "saga")
IMAGES, BATCH, DECAY = 22, 4, 0.1  # six minibatches, the last of two images


class Fixed:
    """The same minibatches in every epoch, of lane l in the order `orders[epoch][l]`, the short one last."""

    def __init__(self, lanes: int, epochs: int, shape: tuple[int, ...]) -> None:
        random = np.random.default_rng(7)
        self.images = torch.from_numpy(random.normal(0, 1, (lanes, IMAGES, *shape)))
        self.labels = torch.from_numpy(random.integers(0, 3, (lanes, IMAGES)))
        self.count, self.full = -(-IMAGES // BATCH), IMAGES // BATCH
        drawn = [[[*random.permutation(self.full), self.full] for _ in range(lanes)] for _ in range(epochs)]
        self.orders = torch.from_numpy(np.array(drawn))
        self.step = 0

    @property
    def epoch(self) -> int:
        return self.step // self.count

    @property
    def index(self) -> Tensor:
        return self.orders[self.epoch][:, self.step % self.count]

    def gather(self, index: Tensor) -> Batch:
        lanes = torch.arange(len(index))[:, None]
        return self.images[lanes, index], self.labels[lanes, index]

    def at(self, lane: int, batch: int) -> Batch:
        part = slice(batch * BATCH, (batch + 1) * BATCH)
        return self.images[lane : lane + 1, part], self.labels[lane : lane + 1, part]

    def now(self) -> Batch:
        lanes = [self.at(lane, int(batch)) for lane, batch in enumerate(self.index)]
        return torch.cat([x for x, _ in lanes]), torch.cat([y for _, y in lanes])

    def everything(self) -> Chunks:
        return Chunks(self.gather, torch.arange(IMAGES).expand(len(self.images), -1), 9)


class Softmax:
    """Logits W x + b, whose loss is convex, with the gradients of autograd; model and workspace in one."""

    roles = {"weight": "output", "bias": "bias"}  # noqa: RUF012
    fan_in = {"weight": 6, "bias": 6}  # noqa: RUF012
    zero_initialised = frozenset({"bias"})

    def logits(self, parameters: Any, inputs: Tensor) -> Tensor:
        found: Tensor = inputs.flatten(2) @ parameters["weight"].mT + parameters["bias"][:, None]
        return found

    def loss(self, parameters: Any, inputs: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        with torch.enable_grad():
            self.leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
            logits = self.logits(self.leaves, inputs)
            each = torch.nn.functional.cross_entropy(logits.mT, labels, reduction="none", label_smoothing=smoothing)
            losses = each.mean(1)
            self.total = losses.sum()
        self.correct = (logits.argmax(2) == labels).sum(1)
        return losses.detach()

    def backward(self, out: Any) -> None:
        found = torch.autograd.grad(self.total, list(self.leaves.values()))
        for name, gradient in zip(self.leaves, found, strict=True):
            out[name].copy_(gradient)


def softmax_regression(lanes: int, epochs: int, masked: bool = False) -> tuple[Problem, Fixed]:
    """In float64 (with weight decay strongly convex), from random weights."""
    sampler, model = Fixed(lanes, epochs, (1, 2, 3)), Softmax()
    shapes = {"weight": (3, 6), "bias": (3,)}
    start = {name: weights(lanes, *shape, dtype=torch.float64).detach() for name, shape in shapes.items()}
    problem = stacked(model, start, list(range(lanes)), None, model)
    problem.sampler = sampler
    if masked:
        keep = torch.rand(problem.handles["weight"].shape, generator=torch.Generator().manual_seed(3)) < 0.5
        problem.masks = {"weight": keep.double()}
        problem.handles["weight"].data.mul_(keep)
    return problem, sampler


def drive(problem: Problem, sampler: Fixed, optimizer: Any, steps: int) -> list[dict[str, Tensor]]:
    """The weights after each step, in the training loop's order."""
    trace = []
    for _ in range(steps):
        problem.batch = sampler.now()
        problem.closure()
        optimizer.step()
        trace.append({name: value.detach().clone() for name, value in problem.handles.items()})
        sampler.step += 1
    return trace


def bound(name: str, problem: Problem, rates: list[float], **option: Any) -> Any:
    rate = torch.tensor(rates, dtype=torch.float64)
    optimizer = make(name, list(problem.handles.values()), rate, **{"weight_decay": DECAY, **option})
    if name in NAMES:
        optimizer.bind(problem)
    return optimizer


class Slow:
    """One lane in the paper's words: its weights a flat vector, its gradients by autograd, all of its history kept."""

    def __init__(self, problem: Problem, sampler: Fixed, lane: int, rate: float, every: int) -> None:
        self.problem, self.sampler, self.lane, self.rate, self.every = problem, sampler, lane, rate, every
        one = {name: value[lane].detach().clone() for name, value in problem.parameters.items()}
        self.shapes = {name: value.shape for name, value in one.items()}
        self.w = self.flat(one)
        masks = {name: torch.ones_like(value) for name, value in one.items()}
        self.keep = self.flat(masks | {name: mask[lane] for name, mask in problem.masks.items()})
        self.table: dict[int, Tensor] = {}

    @staticmethod
    def flat(tensors: dict[str, Tensor]) -> Tensor:
        return torch.cat([value.flatten() for value in tensors.values()])

    def gradient(self, w: Tensor, batch: Batch) -> Tensor:
        w = w.clone().requires_grad_()
        parts = w.split([shape.numel() for shape in self.shapes.values()])
        named = {name: part.view(1, *shape) for part, (name, shape) in zip(parts, self.shapes.items(), strict=True)}
        logits = self.problem.model.logits(named, batch[0])[0]
        return torch.autograd.grad(torch.nn.functional.cross_entropy(logits, batch[1][0]), w)[0] * self.keep

    def everything(self, w: Tensor) -> Tensor:
        lane = slice(self.lane, self.lane + 1)
        return self.gradient(w, (self.sampler.images[lane], self.sampler.labels[lane]))

    def svrg(self, step: int) -> Tensor:
        if step % (self.every * self.sampler.count) == 0:
            self.snapshot, self.mean = self.w, self.everything(self.w)
        batch = self.sampler.at(self.lane, self.which(step))
        return self.gradient(self.w, batch) - self.gradient(self.snapshot, batch) + self.mean

    def saga(self, step: int) -> Tensor:
        which = self.which(step)
        batch = self.sampler.at(self.lane, which)
        g = v = self.gradient(self.w, batch)
        if which in self.table:
            sizes = {b: self.sampler.at(self.lane, b)[1].shape[1] for b in self.table}
            mean = sum(sizes[b] * t for b, t in self.table.items()) / sum(sizes.values())
            v = g - self.table[which] + mean
        self.table[which] = g
        return v

    def which(self, step: int) -> int:
        epoch, position = divmod(step, self.sampler.count)
        return int(self.sampler.orders[epoch][self.lane, position])

    def run(self, name: str, steps: range, clip: float | None = None) -> Tensor:
        for step in steps:
            v = getattr(self, name)(step)
            if clip is not None:
                v = v * min(1.0, clip / (float(v.norm()) + 1e-6))
            self.w = self.w - self.rate * (v + DECAY * self.w)
        return self.w


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize(("name", "option"), [("svrg", {}), ("svrg", {"every": "2ep"}), ("saga", {})], ids=str)
def test_follows_its_formula_per_lane(name: str, option: dict[str, Any], clip: float | None, masked: bool) -> None:
    rates, steps = [0.5, 0.1], 27
    problem, sampler = softmax_regression(2, 5, masked)
    problem.clip = clip
    every = int(option.get("every", "1ep").removesuffix("ep"))
    slow = [Slow(problem, sampler, lane, rate, every) for lane, rate in enumerate(rates)]
    last = drive(problem, sampler, bound(name, problem, rates, **option), steps)[-1]
    for lane, one in enumerate(slow):
        expected = one.run(name, range(steps), clip)
        close(Slow.flat({n: value[lane] for n, value in last.items()}), expected, 1e-11)
        assert torch.all(expected[one.keep == 0] == 0)
    for mask_name, mask in problem.masks.items():
        assert torch.all(last[mask_name][mask == 0] == 0)


def test_saga_that_begins_within_an_epoch_takes_the_mean_of_what_it_saw() -> None:
    """As after a rewind point between epochs: a minibatch may come again before all have been seen."""
    problem, sampler = softmax_regression(2, 5)
    slow = [Slow(problem, sampler, lane, 0.5, 1) for lane in (0, 1)]
    sampler.step = 4
    last = drive(problem, sampler, bound("saga", problem, [0.5, 0.5]), 9)[-1]
    for lane, one in enumerate(slow):
        close(Slow.flat({n: value[lane] for n, value in last.items()}), one.run("saga", range(4, 13)), 1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_every_gradient_is_counted_and_none_changes_what_the_step_reports(name: str) -> None:
    problem, sampler = softmax_regression(2, 3)
    plain, other = softmax_regression(2, 3)
    optimizer = bound(name, problem, [0.5, 0.5])
    loss = None
    for sampler.step in range(12):
        other.step = sampler.step
        problem.batch = plain.batch = sampler.now()
        for handle, same in zip(problem.handles.values(), plain.handles.values(), strict=True):
            same.data.copy_(handle)
        loss = problem.closure()
        close(loss, plain.closure(), 1e-12)
        assert torch.equal(problem.correct, plain.correct)
        optimizer.step()
    assert problem.sample_gradients == {"svrg": 3, "saga": 1}[name] * 2 * IMAGES
    assert problem.closures == 12


def distances(name: str, rate: float, epochs: int, **option: Any) -> list[float]:
    """Distance from the minimum after every epoch (the first lane)."""
    problem, sampler = softmax_regression(1, epochs)
    slow = Slow(problem, sampler, 0, 0.0, 1)
    best = slow.w
    for _ in range(4000):
        best = best - 0.3 * (slow.everything(best) + DECAY * best)
    trace = drive(problem, sampler, bound(name, problem, [rate], **option), epochs * sampler.count)
    ends = trace[sampler.count - 1 :: sampler.count]
    return [float((Slow.flat({n: value[0] for n, value in w.items()}) - best).norm()) for w in ends]


@pytest.mark.parametrize("name", NAMES)
def test_it_converges_linearly_where_sgd_stalls(name: str) -> None:
    """Strongly convex, at a constant rate: the error falls by a factor in every ten epochs, to the last digits."""
    sgd, reduced = distances("sgd", 0.5, 90), distances(name, 0.5, 90)
    assert min(sgd[40:]) > 1e-3
    assert reduced[-1] < 1e-9
    assert all(later < 0.2 * earlier for earlier, later in zip(reduced[9:79:10], reduced[19:89:10], strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_variance_of_the_estimates_falls(name: str) -> None:
    """At the same weights, over all minibatches: that of plain gradients stays, that of the estimates goes."""
    problem, sampler = softmax_regression(1, 40)
    optimizer, spread = bound(name, problem, [0.2]), {}
    for epoch in range(40):
        plain, reduced = [], []
        for position in range(sampler.full):
            sampler.step = epoch * sampler.count + position
            problem.batch = sampler.now()
            problem.gradient()
            plain.append(Slow.flat(problem.gradients).clone())
            problem.closure()
            reduced.append(Slow.flat(problem.gradients).clone())
            optimizer.step()
        spread[epoch] = [float(torch.stack(found).var(0).sum()) for found in (plain, reduced)]
    assert spread[39][0] > 0.3 * spread[1][0]
    assert spread[39][1] < 1e-4 * spread[39][0]


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_estimates_follow_a_mask_that_changes(name: str, hidden: bool) -> None:
    """In mid-epochs weights are pruned, then others, and some grow again: v has the mean of the masked gradient; or the
    loss sees other weights, and v has the mean of the gradient by all."""
    problem, sampler = softmax_regression(1, 5)
    optimizer = bound(name, problem, [0.3])
    drive(problem, sampler, optimizer, 2 * sampler.count + 1)
    for seed in (3, 4):
        keep = torch.rand(problem.handles["weight"].shape, generator=torch.Generator().manual_seed(seed)) < 0.6
        if hidden:
            problem.visible = {"weight": keep.double()}
        else:
            problem.masks = {"weight": keep.double()}
        problem.apply_masks(optimizer)
        for weights_ in drive(problem, sampler, optimizer, sampler.count):
            assert hidden or torch.all(weights_["weight"][~keep] == 0)
    first = sampler.step - sampler.step % sampler.count
    mean = 0.0
    for step in range(first, first + sampler.count):
        sampler.step = step
        before = {handle: copy.deepcopy(state) for handle, state in optimizer.state.items()}
        problem.batch = sampler.now()
        problem.closure()
        mean = mean + Slow.flat(problem.gradients) * problem.batch[1].shape[1] / IMAGES
        optimizer.state.update(before)
    problem.gradient(batch=sampler.everything())
    close(mean, Slow.flat(problem.gradients), 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_lanes_do_not_see_each_other(name: str) -> None:
    """The other lane at another rate, and not a number: the same bits."""
    traces = []
    for rate, broken in ((0.1, False), (0.4, True)):
        problem, sampler = softmax_regression(2, 3)
        if broken:
            next(iter(problem.handles.values())).data[1] = torch.nan
        traces.append(drive(problem, sampler, bound(name, problem, [0.2, rate]), 14))
    for one, other in zip(*traces, strict=True):
        assert all(torch.equal(one[name][0], other[name][0]) for name in one)
    assert any(not torch.isfinite(value[1]).all() for value in traces[1][-1].values())


@pytest.mark.parametrize("name", NAMES)
def test_without_a_problem_it_says_what_is_missing(name: str) -> None:
    parameter = weights(3)
    parameter.grad = torch.ones(3)
    with pytest.raises(UserError, match="problem"):
        make(name, [parameter], 0.1).step()


@pytest.mark.parametrize("every", ["0ep", "3it", 1, "1"])
def test_wrong_snapshots(every: Any) -> None:
    with pytest.raises(UserError, match=r"'every' is .* valid is a whole number of epochs"):
        make("svrg", [weights(2)], 0.1, every=every)


@pytest.mark.parametrize("name", plugins.names("optimizers"))
def test_what_config_reads_of_the_needs_is_what_holds(name: str) -> None:
    stated = plugins.constant("optimizers", name, "NEEDS", ())
    needs = plugins.load_class("optimizers", name).needs
    for need in ("fixed_batches", "closure"):
        assert (need in needs) == (need in stated)
    assert not stated or set(stated) == needs


# ---- in the training loop -----------------------------------------------------------------------------------------


def job_of(tiny: dict[str, Any], digits: Path, **changes: Any) -> tuple[Any, Any]:
    spec = {**tiny, "optimizer": {"name": "saga"}, "batch_size": 250, **changes}
    setting = Setting.of(TrainSpec.read(spec), digits)
    return setting.job(setting.initialise("init"), None, setting.factor(spec["schedule"])), setting.data


def test_fixed_batches_stay_and_their_order_alone_is_drawn_anew(tiny: dict[str, Any], digits: Path) -> None:
    """1,200 images by 250: four minibatches and one of 200, those of the first epoch of any optimiser."""
    job, data = job_of(tiny, digits)
    trainer, plain = Trainer(job, data), Trainer(dataclasses.replace(job, optimizer={"name": "gd"}), data)
    held: dict[tuple[int, int], Tensor] = {}
    orders = []
    for iteration in range(15):
        inputs, labels = trainer.batches.at(iteration)
        if iteration < 5:
            assert torch.equal(inputs, plain.batches.at(iteration)[0])
        assert labels.shape[1] == (250 if iteration % 5 < 4 else 200)
        for lane in (0, 1):
            which = int(trainer.batches.index[lane])
            expected = held.setdefault((lane, which), inputs[lane].clone())
            assert torch.equal(inputs[lane], expected)
            orders.append(which)
    assert len(held) == 2 * trainer.batches.count == 10
    by_epoch = np.array(orders).reshape(3, 5, 2)
    assert np.array_equal(by_epoch[0], np.arange(5)[:, None].repeat(2, 1))
    assert (by_epoch[:, 4] == 4).all()
    assert not np.array_equal(by_epoch[1, :, 0], by_epoch[1, :, 1])
    assert not np.array_equal(by_epoch[1], by_epoch[2])


def test_a_copy_of_a_run_has_other_fixed_batches() -> None:
    indices = np.arange(20)
    one, other = (datasets.fixed_order(0, 3, indices, 4, copy) for copy in (0, 1))
    assert sorted(one[0]) == sorted(other[0]) == list(indices)
    assert not np.array_equal(one[0], other[0])


def test_saga_starts_as_sgd_and_one_full_batch_is_gradient_descent(tiny: dict[str, Any], digits: Path) -> None:
    """The first epoch fills the table; with a single minibatch v = g - t + t."""
    for changes in ({"length": "5it", "rewind": "0it"}, {"batch_schedule": {"name": "full"}}):
        job, data = job_of(tiny, digits, **changes)
        saga = Trainer(job, data).run()
        gd = Trainer(dataclasses.replace(job, optimizer={"name": "gd"}), data).run()
        for name, value in saga.final.items():
            np.testing.assert_allclose(value, gd.final[name], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("at", [2, 7, 11])
def test_resume_within_an_epoch_ends_with_the_same_bits(tiny: dict[str, Any], digits: Path, name: str, at: int) -> None:
    job, data = job_of(tiny, digits, optimizer={"name": name}, evaluate_every="1it")
    states: list[Any] = []
    whole = Trainer(job, data).run(lambda trainer: states.append(trainer.state()))
    resumed = Trainer(job, data)
    resumed.restore(*states[at - 1])
    again = resumed.run()
    assert again.rows == whole.rows
    assert again.sample_gradients == whole.sample_gradients
    for key, value in whole.final.items():
        np.testing.assert_array_equal(value, again.final[key], err_msg=key)


def test_svrg_takes_growing_batches_and_saga_refuses_them(tiny: dict[str, Any], digits: Path) -> None:
    growing = {"name": "growing", "factor": 4.0}  # 5, 2 and 1 steps
    job, data = job_of(tiny, digits, optimizer={"name": "svrg"}, batch_schedule=growing)
    outcome = Trainer(job, data).run()
    assert outcome.sample_gradients == [9 * 1200] * 2
    losses = [row["train_loss"] for row in outcome.rows if row["seed"] == 0]
    assert losses[-1] < losses[0]
    with pytest.raises(UserError, match="the optimiser saga needs the same minibatches in every epoch"):
        job_of(tiny, digits, batch_schedule=growing)
