"""The training loop: against a plain PyTorch loop, lanes, masks, divergence, resume, the whole optimiser contract."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plugins_for_tests
import pytest
import torch
from optimizer_checks import fitting

from winnow import data as datasets
from winnow import divergence, lottery, masks, plugins, step_log
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.setting import Setting
from winnow.spec import TrainSpec
from winnow.train import Trainer
from winnow.training_job import InRunPruning, TrainingJob

RECURRENT = ["rnn.weight_hh_l*"]
USUAL = {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}
# What these compute beside one gradient per step is counted, too.
MORE_THAN_GRADIENTS = ("hessian_free", "k_fac", "l_bfgs", "svrg")
SECOND_ORDER = ("hessian_free", "k_fac", "l_bfgs", "soap")


def make_job(tiny: dict[str, Any], digits: Path, seeds: list[int], **changes: Any) -> tuple[TrainingJob, datasets.Data]:
    setting = Setting.of(TrainSpec.read({**tiny, "seeds": seeds}), digits)
    job = setting.job(setting.initialise("init"), None, setting.factor(tiny["schedule"]))
    return dataclasses.replace(job, **changes), setting.data


def train(tiny: dict[str, Any], digits: Path, seeds: list[int], **changes: Any) -> Any:
    return Trainer(*make_job(tiny, digits, seeds, **changes)).run()


def random_mask(job: TrainingJob, density: float, prunable: Sequence[str] = RECURRENT) -> dict[str, np.ndarray]:
    names = masks.prunable(list(job.start), prunable)
    streams = [np.random.default_rng(seed) for seed in job.seeds]
    context = lottery.Context(job.start, job.start, job.start, None, streams, names)
    return lottery.make_mask("random", context, density, "global")


@pytest.mark.parametrize(
    ("inputs", "smoothing", "l2", "mean", "std"),
    [("standardised", 0.0, 0.0, None, None), ("unit", 0.2, 0.0, 0.0, 1.0), ("standardised", 0.0, 0.1, None, None)],
)
def test_one_lane_follows_a_plain_pytorch_loop(
    tiny: dict[str, Any], digits: Path, inputs: str, smoothing: float, l2: float,
    mean: float | None, std: float | None,
) -> None:  # fmt: skip
    packed = datasets.load(digits)
    mean, std = packed.mean if mean is None else mean, packed.std if std is None else std
    job, data = make_job({**tiny, "inputs": inputs, "label_smoothing": smoothing, "l2": l2}, digits, [3], last=7)
    outcome = Trainer(job, data).run()

    network = torch.nn.RNN(28, 8, 2, batch_first=True)
    output = torch.nn.Linear(8, 10)
    for name, value in job.start.items():
        part, _, key = name.partition(".")
        {"rnn": network, "output": output}[part].get_parameter(key).data.copy_(torch.from_numpy(value[0]))
    parameters = [*network.parameters(), *output.parameters()]
    sgd = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-6)
    schedule = torch.optim.lr_scheduler.StepLR(sgd, 1, 0.9)
    images = (torch.from_numpy(np.array(data.train_images)).float() / 255 - mean) / std
    for iteration in range(7):
        epoch, position = divmod(iteration, 6)
        if iteration and position == 0:
            schedule.step()
        index = datasets.order(3, epoch, job.train)[position * 200 : (position + 1) * 200]
        logits = output(network(images[index].squeeze(1))[0][:, -1])
        labels = torch.from_numpy(data.train_labels[index].astype(np.int64))
        loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        loss += l2 / 2 * sum(parameter.square().sum() for parameter in parameters)
        sgd.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        sgd.step()
    for name, value in outcome.final.items():
        part, _, key = name.partition(".")
        expected = {"rnn": network, "output": output}[part].get_parameter(key).detach().numpy()
        np.testing.assert_allclose(value[0], expected, rtol=1e-4, atol=1e-6, err_msg=name)
    # Evaluations are without smoothing and penalty.
    tested = (torch.from_numpy(np.array(data.test_images)).float() / 255 - mean) / std
    logits = output(network(tested.squeeze(1))[0][:, -1])
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.test_labels.astype(np.int64)))
    assert outcome.rows[-1]["test_loss"] == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize(
    "change", [{"inputs": "raw"}, {"label_smoothing": 1.0}, {"label_smoothing": -0.1}, {"l2": -1.0}]
)
def test_wrong_options_of_training(tiny: dict[str, Any], digits: Path, change: dict[str, Any]) -> None:
    ((key, value),) = change.items()
    with pytest.raises(UserError, match=f"{key}: {value!r} is not valid; valid"):
        Setting.of(TrainSpec.read({**tiny, **change}), digits)


def test_a_lane_has_the_same_bits_whatever_its_companions(tiny: dict[str, Any], digits: Path) -> None:
    first = train(tiny, digits, [0, 1], last=18)
    second = train(tiny, digits, [0, 7], last=18)
    for name, value in first.final.items():
        np.testing.assert_array_equal(value[0], second.final[name][0], err_msg=name)
        assert not np.array_equal(value[1], second.final[name][1])


@pytest.mark.parametrize("optimizer", plugins.names("optimizers"))
def test_alone_and_together_agree_over_20_steps(tiny: dict[str, Any], digits: Path, optimizer: str) -> None:
    # A weak damping, or a rate far above the stable ones, would amplify the last bits in which gradients differ.
    options = {"name": optimizer, **fitting(optimizer, momentum=0.9, cg_iterations=3, damping=0.1)}
    lr = "0.001" if optimizer == "rmsprop" else tiny["lr"]
    tiny = {**tiny, "optimizer": options, "lr": lr, "length": "20it", "rewind": "1it"}
    together, alone = train(tiny, digits, [0, 1, 2]), train(tiny, digits, [1])
    for name, value in together.final.items():
        scale = np.abs(alone.final[name]).max() + 1e-30
        assert np.abs(value[1] - alone.final[name][0]).max() <= 1e-5 * scale, name


@pytest.mark.parametrize("optimizer", plugins.names("optimizers"))
@pytest.mark.parametrize("mark", [1, 2])
def test_resume_at_any_mark_ends_with_the_same_bits(
    tiny: dict[str, Any], digits: Path, optimizer: str, mark: int
) -> None:
    options = {"name": optimizer, **fitting(optimizer, **USUAL, cg_iterations=3)}
    job, data = make_job({**tiny, "optimizer": options}, digits, [0, 1])
    job = dataclasses.replace(job, mask=random_mask(job, 0.5))
    job = dataclasses.replace(job, start=masks.apply(job.start, job.mask or {}))
    states: list[Any] = []
    whole = Trainer(job, data).run(lambda trainer: states.append(trainer.state()))
    resumed = Trainer(job, data)
    resumed.restore(*states[mark - 1])
    again = resumed.run()
    assert again.rows == whole.rows
    assert again.sample_gradients == whole.sample_gradients == [row["sample_gradients"] for row in whole.rows[-2:]]
    assert again.update_multiply_adds == whole.update_multiply_adds
    if optimizer in MORE_THAN_GRADIENTS:
        assert min(whole.sample_gradients) > 3 * 1200
    else:
        assert [row["sample_gradients"] for row in whole.rows] == [1200, 1200, 2400, 2400, 3600, 3600]
    for part in ("final", "rewind"):
        for name, value in getattr(whole, part).items():
            np.testing.assert_array_equal(value, getattr(again, part)[name], err_msg=name)


@pytest.mark.parametrize("model", ["rnn", "lenet5"])
@pytest.mark.parametrize("optimizer", plugins.names("optimizers"))
def test_masks_stay_exact_at_every_evaluation(tiny: dict[str, Any], digits: Path, optimizer: str, model: str) -> None:
    """Of weights, gradients and whatever state the optimiser keeps of them."""
    options = {"name": optimizer, **fitting(optimizer, momentum=0.9, cg_iterations=3)}
    networks = {"rnn": tiny["model"], "lenet5": {"name": "lenet5"}}
    prunable = {"rnn": RECURRENT, "lenet5": ["conv2.weight", "fc*.weight"]}
    given = {**tiny, "optimizer": options, "model": networks[model], "lr": "0.01", "evaluate_every": "2it"}
    job, data = make_job(given, digits, [0, 1])
    job = dataclasses.replace(job, mask=random_mask(job, 0.3, prunable[model]))
    evaluations = []

    def check(trainer: Trainer) -> None:
        for name, keep in (job.mask or {}).items():
            handle, off = trainer.problem.handles[name], torch.from_numpy(~keep)
            for value in (handle.data, trainer.problem.gradients[name]):
                assert (value[off] == 0).all()
            for part in trainer.parts:
                own = part.problem.handles[name]
                state = part.optimizer.state[own].values()
                held = [value for value in state if isinstance(value, torch.Tensor) and value.shape == own.shape]
                # That of L-BFGS is one vector of all weights; SVRG's and SAGA's is of all weights, pruned or not.
                assert held or optimizer in ("l_bfgs", "svrg", "saga")
                assert all((value[off[part.lanes].view_as(value)] == 0).all() for value in held)
            assert (handle.data[~off] != 0).all()
            assert (trainer.problem.gradients[name][~off] != 0).any()
        evaluations.append(trainer.iteration)

    Trainer(job, data).run(check)
    assert evaluations == list(range(2, 19, 2))


def test_gradients_are_masked_before_they_are_clipped(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job(tiny, digits, [0], clip=0.01)
    job = dataclasses.replace(job, mask=random_mask(job, 0.3))
    trainer = Trainer(job, data)
    trainer.problem.batch = trainer.batches.at(trainer.iteration)
    trainer.problem.closure()
    squares = sum(float(g.double().square().sum()) for g in trainer.problem.gradients.values())
    assert squares**0.5 == pytest.approx(0.01, rel=1e-3)  # the surviving gradient alone has the norm of the clip
    assert trainer.problem.clipped.tolist() == [1.0]


def test_a_diverged_lane_is_recorded_and_frozen_and_the_other_goes_on(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job(tiny, digits, [0, 1])
    broken = {name: value.copy() for name, value in job.start.items()}
    broken["output.bias"][1, 0] = np.inf
    outcome = Trainer(dataclasses.replace(job, start=broken), data).run()
    healthy = Trainer(job, data).run()
    assert outcome.diverged == [None, 1]
    frozen = [row for row in outcome.rows if row["seed"] == 1]
    assert [row["diverged_step"] for row in frozen] == [1, 1, 1]
    assert [row["sample_gradients"] for row in frozen] == [1200, 2400, 3600], "a frozen lane computes on"
    assert all(row["test_loss"] is None for row in outcome.rows if row["seed"] == 1)
    assert [r for r in outcome.rows if r["seed"] == 0] == [r for r in healthy.rows if r["seed"] == 0]
    assert outcome.step_losses is healthy.step_losses is None
    np.testing.assert_array_equal(outcome.final["rnn.weight_hh_l0"][1], job.start["rnn.weight_hh_l0"][1])


@pytest.mark.parametrize("optimizer", [{"name": "averaged_sgd"}, {"name": "schedule_free", "base": "sgd"}], ids=str)
def test_the_average_of_a_diverged_lane_is_its_last_finite_weights(
    tiny: dict[str, Any], digits: Path, optimizer: dict[str, Any]
) -> None:
    job, data = make_job({**tiny, "optimizer": optimizer}, digits, [0, 1])
    broken = {name: value.copy() for name, value in job.start.items()}
    broken["output.bias"][1, 0] = np.inf
    outcome = Trainer(dataclasses.replace(job, start=broken), data).run()
    assert outcome.diverged == [None, 1]
    np.testing.assert_array_equal(outcome.final["rnn.weight_hh_l0"][1], job.start["rnn.weight_hh_l0"][1])


@pytest.mark.parametrize("optimizer", SECOND_ORDER)
def test_a_second_order_method_survives_a_diverged_lane(tiny: dict[str, Any], digits: Path, optimizer: str) -> None:
    """Decompositions and conjugate gradients of values that are not finite raise nothing, and stay in their lane."""
    options = {"name": optimizer, **fitting(optimizer, cg_iterations=3)}
    job, data = make_job({**tiny, "optimizer": options, "length": "1ep", "rewind": "1it"}, digits, [0, 1])
    broken = {name: value.copy() for name, value in job.start.items()}
    broken["output.bias"][1, 0] = np.inf
    outcome = Trainer(dataclasses.replace(job, start=broken), data).run()
    assert outcome.diverged == [None, 1]
    healthy = Trainer(job, data).run()
    assert [r for r in outcome.rows if r["seed"] == 0] == [r for r in healthy.rows if r["seed"] == 0]


def test_when_every_lane_has_diverged_training_stops(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job({**tiny, "lr": "1e30"}, digits, [0])
    outcome = Trainer(dataclasses.replace(job, clip=None), data).run()
    assert outcome.diverged[0] is not None
    assert len(outcome.rows) == 1
    assert all(np.isfinite(value).all() for value in outcome.final.values())


def test_a_loss_far_above_guessing_counts_as_diverged_after_100_steps(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job({**tiny, "length": "20ep"}, digits, [0], lr=0.0)
    broken = {name: value.copy() for name, value in job.start.items()}
    broken["output.bias"][0] = np.linspace(0, 200, 10)
    job = dataclasses.replace(job, start=broken, rewind=None, evaluate_every=Duration(divergence.STEPS + 50, "it"))
    assert Trainer(job, data).run().diverged == [divergence.STEPS]


def test_a_loss_that_is_mostly_too_high_counts_as_diverged_at_the_next_mark(tiny: dict[str, Any], digits: Path) -> None:
    """Runs of less than 100 steps, and losses that dip now and then; a spike from which a lane recovers is none."""
    job, _ = make_job(tiny, digits, [0, 1])
    watch, weights = divergence.Divergence(job, 10), {"w": torch.ones(2, 1)}
    watch.begin(weights)
    losses = torch.tensor([[1e6 if i % 3 else 1.0, 1e6 if i < 5 else 1.0] for i in range(1, 10)])
    watch.look(losses, weights, 9)
    assert watch.steps() == [9, None]  # 6 and 4 of 9 steps
    watch.look(torch.ones(2, 2), weights, 11)  # counted anew from mark to mark
    assert watch.steps() == [9, None]


def test_divergence_is_found_at_the_same_step_wherever_the_marks_are(tiny: dict[str, Any], digits: Path) -> None:
    """Against a walk over single steps: non-finite losses, 100 high ones in a row, more than half high up to a mark."""
    random = np.random.default_rng(0)
    job, _ = make_job(tiny, digits, list(range(40)))
    share = np.where(np.arange(40) < 20, 0.1, 0.99)[None]  # lanes 20 and up have long rows of high losses
    losses = np.where(random.random((600, 40)) < share, 1e6, 1.0)
    losses[:40] = 1.0  # else half of the lanes were out at the first mark
    losses[random.integers(0, 600, 10), random.integers(0, 20, 10)] = np.nan
    marks = [0, 1, 2, 55, 180, 390, 391, 600]

    expected: list[int | None] = []
    for lane in losses.T:
        step, row = None, 0
        for begin, end in itertools.pairwise(marks):
            for i in range(begin, end):
                row = row + 1 if lane[i] > 100 else 0
                if step is None and (np.isnan(lane[i]) or row == divergence.STEPS):
                    step = i + 1
            if step is None and 2 * (lane[begin:end] > 100).sum() > end - begin:
                step = end
        expected.append(step)
    assert len(set(expected)) > 10
    assert None in expected

    watch = divergence.Divergence(job, 10)
    watch.begin({})
    for begin, end in itertools.pairwise(marks):
        watch.look(torch.from_numpy(losses[begin:end]), {}, end)
    assert watch.steps() == expected


def test_a_lane_that_diverged_in_the_round_before_stays_out(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job(tiny, digits, [0, 1], dead=(0,))
    outcome = Trainer(job, data).run()
    assert outcome.diverged == [0, None]
    every = Trainer(dataclasses.replace(job, dead=(0, 1)), data).run()
    assert [(row["seed"], row["diverged_step"], row["test_loss"]) for row in every.rows] == [(0, 0, None), (1, 0, None)]
    for name, value in outcome.final.items():
        np.testing.assert_array_equal(value[0], job.start[name][0])


def test_the_loss_of_every_step_is_kept_and_survives_a_kill(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job({**tiny, "step_losses": True}, digits, [0, 1])
    states: list[Any] = []
    outcome = Trainer(job, data).run(lambda trainer: states.append(trainer.state()))
    assert outcome.step_losses is not None
    assert outcome.step_losses.shape == (18, 2)
    for index, row in enumerate(outcome.rows):  # an epoch's loss is the mean of its 6 equal steps
        steps = outcome.step_losses[6 * (index // 2) : 6 * (index // 2) + 6, index % 2]
        assert row["train_loss"] == pytest.approx(steps.mean(dtype=np.float64), rel=1e-6)
    resumed = Trainer(job, data)
    resumed.restore(*states[1])
    np.testing.assert_array_equal(resumed.run().step_losses, outcome.step_losses)


def test_rows_of_steps_end_where_a_lane_diverged() -> None:
    losses = np.array([[1.0, 2.0, 3.0], [0.5, np.inf, 3.0], [0.25, 9.0, 3.0]], np.float32)
    found = list(step_log.rows(losses, [3, 5, 7], 100, [None, 102, 0]))
    assert [tuple(row.values()) for row in found] == [
        (3, 101, 1.0), (3, 102, 0.5), (3, 103, 0.25), (5, 101, 2.0), (5, 102, None), (5, 103, None),
        (7, 101, None), (7, 102, None), (7, 103, None),
    ]  # fmt: skip


def test_in_run_pruning_restarts_schedule_and_pruned_tensors(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job({**tiny, "length": "4ep"}, digits, [0, 1])
    seen: list[dict[str, np.ndarray]] = []

    def prune(weights: Any, rewind: Any, before: Any) -> Any:
        names = masks.prunable(list(weights), RECURRENT)
        context = lottery.Context(weights, job.start, rewind, before, [], names)
        mask = lottery.make_mask("magnitude", context, 0.5 if before is None else 0.25, "global")
        start = masks.apply({**weights, **{name: rewind[name] for name in names}}, mask)
        seen.append(start)
        return mask, start

    steps = (InRunPruning(12, prune, lambda i: 0.5 if i < 6 else 0.25), InRunPruning(24, prune, lambda i: 9.0))
    job = dataclasses.replace(job, prunings=steps)
    states: list[Any] = []
    outcome = Trainer(job, data).run(lambda trainer: states.append(trainer.state()))
    first = [row for row in outcome.rows if row["seed"] == 0]
    # Evaluate, then prune: a row belongs to the density that was trained.
    assert [row["density"] for row in first] == [1.0, 1.0, 0.5, 0.5]
    assert [row["lr"] for row in first] == pytest.approx([0.1, 0.09, 0.05, 0.025])
    assert masks.density(outcome.mask or {}).tolist() == [0.25, 0.25]
    np.testing.assert_array_equal(
        seen[0]["rnn.weight_hh_l0"][0] != 0,
        np.isin(seen[0]["rnn.weight_hh_l0"][0], outcome.rewind["rnn.weight_hh_l0"][0]),
    )
    resumed = Trainer(job, data)
    resumed.restore(*states[2])
    assert resumed.run().rows == outcome.rows


@pytest.mark.parametrize(
    "plugin",
    [
        plugins_for_tests.AveragedGD,
        *(plugins.load_class("optimizers", name) for name in SECOND_ORDER),
    ],
)
def test_the_contract_carries_closures_and_averages(
    tiny: dict[str, Any], digits: Path, plugin: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = plugins.load_class
    monkeypatch.setattr(plugins, "load_class", lambda kind, name: plugin if kind == "optimizers" else load(kind, name))
    quick = {"cg_iterations": 3} if plugin.__name__ == "HessianFree" else {}
    job, data = make_job({**tiny, "optimizer": {"name": "test"}}, digits, [0, 1])
    job = dataclasses.replace(job, mask=random_mask(job, 0.5), clip=None, optimizer={**job.optimizer, **quick})
    job = dataclasses.replace(job, start=masks.apply(job.start, job.mask or {}))
    states: list[Any] = []
    trainer = Trainer(job, data)
    outcome = trainer.run(lambda trainer: states.append(trainer.state()))
    losses = [row["train_loss"] for row in outcome.rows if row["seed"] == 1]
    assert losses[-1] < losses[0]
    assert all((outcome.final[name][~keep] == 0).all() for name, keep in (job.mask or {}).items())
    resumed = Trainer(job, data)
    resumed.restore(*states[0])
    again = resumed.run()
    assert again.rows == outcome.rows
    assert again.sample_gradients == outcome.sample_gradients
    assert min(outcome.sample_gradients) >= 3 * 1200
    alone = Trainer(
        dataclasses.replace(
            job,
            seeds=[1],
            start={n: v[1:] for n, v in job.start.items()},
            mask={n: m[1:] for n, m in (job.mask or {}).items()},
            last=6,
        ),
        data,
    ).run()
    together = Trainer(dataclasses.replace(job, last=6), data).run()
    for column in ("train_loss", "train_accuracy"):
        assert alone.rows[0][column] == pytest.approx(together.rows[1][column], rel=1e-4)
    assert alone.sample_gradients == together.sample_gradients[1:]


@pytest.mark.parametrize(
    ("needs", "times"), [(set(), 0), ({"closure"}, 0), ({"problem"}, 1), ({"closure", "layers"}, 1)]
)
def test_an_optimiser_is_bound_where_it_needs_more_than_a_closure(
    tiny: dict[str, Any], digits: Path, needs: set[str], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = []

    class Needing(plugins_for_tests.AveragedGD):
        def bind(self, problem: Any) -> None:
            bound.append(problem)

    Needing.needs = frozenset(needs)
    load = plugins.load_class
    monkeypatch.setattr(plugins, "load_class", lambda kind, name: Needing if kind == "optimizers" else load(kind, name))
    trainer = Trainer(*make_job({**tiny, "optimizer": {"name": "test"}}, digits, [0]))
    assert bound == [trainer.problem] * times


def test_layer_statistics_are_the_factors_of_the_gradient(tiny: dict[str, Any], digits: Path) -> None:
    trainer = Trainer(*make_job(tiny, digits, [0, 1], clip=None))
    problem = trainer.problem
    problem.batch = trainer.batches.at(trainer.iteration)
    problem.closure()
    found = problem.layer_statistics()
    assert len(found["rnn.weight_hh_l1"]) == 28
    for name, uses in found.items():
        product = sum(torch.einsum("lbo,lbi->loi", gradient, inputs) for inputs, gradient in uses)
        torch.testing.assert_close(product, problem.gradients[name], rtol=1e-4, atol=1e-6)
    assert problem.sample_gradients == 2 * 200


def test_the_output_hessian_product_is_that_of_autograd(tiny: dict[str, Any], digits: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, vector = torch.randn(2, 1, 3, 4, generator=generator, dtype=torch.float64)
    labels = torch.tensor([[0, 3, 1]])

    def loss(z: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(z.flatten(0, 1), labels.flatten())

    _, expected = torch.autograd.functional.hvp(loss, logits, vector)
    trainer = Trainer(*make_job(tiny, digits, [0]))
    torch.testing.assert_close(trainer.problem.output_hessian_product(logits, vector), expected)
    trainer.problem.batch = trainer.batches.at(trainer.iteration)
    value = torch.nn.functional.cross_entropy(trainer.problem.outputs()[0], trainer.problem.batch[1][0])
    torch.testing.assert_close(trainer.problem.closure()[0], value)


def test_clipping_is_counted_per_gradient(tiny: dict[str, Any], digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, plugin = plugins.load_class, plugins.load_class("optimizers", "l_bfgs")
    monkeypatch.setattr(plugins, "load_class", lambda kind, name: plugin if kind == "optimizers" else load(kind, name))
    job, data = make_job({**tiny, "optimizer": {"name": "test"}}, digits, [0], clip=1e-6, last=6)
    assert Trainer(job, data).run().rows[0]["clipped_share"] == 1.0


def test_a_lane_that_is_dead_from_the_start_of_a_cycle_has_a_row(tiny: dict[str, Any], digits: Path) -> None:
    spec = {**tiny, "schedule": {"name": "one_cycle"}}
    job, data = make_job(spec, digits, [0], dead=(0,))
    assert Trainer(job, data).run().rows[0]["diverged_step"] == 0


def test_one_instance_per_lane_is_the_same_as_all_lanes_together(
    tiny: dict[str, Any], digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = {**tiny, "optimizer": {"name": "gd", "momentum": 0.9}}
    together = train(tiny, digits, [0, 1], clip=0.05)
    load, plugin = plugins.load_class, plugins_for_tests.OneLaneGD
    monkeypatch.setattr(plugins, "load_class", lambda kind, name: plugin if kind == "optimizers" else load(kind, name))
    one_by_one = train(tiny, digits, [0, 1], clip=0.05)
    assert one_by_one.sample_gradients == together.sample_gradients
    for row, other in zip(one_by_one.rows, together.rows, strict=True):
        assert row.pop("diverged_step") is other.pop("diverged_step") is None
        assert row == pytest.approx(other, rel=1e-5)
        assert 0 < row["clipped_share"] <= 1


def test_test_images_are_looked_at_where_asked_and_at_every_new_minimum(tiny: dict[str, Any], digits: Path) -> None:
    """`test_every` spares the largest set; the early stop's accuracy is there all the same."""
    changes = {"evaluate_every": Duration(1, "it"), "last": 18, "lr": 3.0}  # a rate at which the loss jumps
    every = train(tiny, digits, [0], **changes, test_every=Duration(1, "it")).rows
    rows = train(tiny, digits, [0], **changes, test_every=Duration(6, "it")).rows
    lowest = float("inf")
    for row, other in zip(rows, every, strict=True):
        new, lowest = row["validation_loss"] < lowest, min(lowest, row["validation_loss"])
        looked = new or row["iteration"] % 6 == 0
        assert row == (other if looked else other | {"test_loss": None, "test_accuracy": None})
    assert 0 < sum(row["test_loss"] is None for row in rows) < len(rows)


def test_a_log_of_steps_is_in_order_whether_they_come_alone_or_together() -> None:
    """In whole blocks, parts of one, and replayed steps between."""
    losses = torch.arange(1400.0).view(700, 2)
    right, images = losses.long() % 7, [3] * 300 + [5] * 10 + [2] * 390
    log = step_log.StepLog()
    for _ in range(2):
        for step in range(700):
            if step == 300:
                log.extend(losses[300:310], right[300:310], 5)
            elif not 300 < step < 310:
                log.add(losses[step], right[step], images[step])
            assert step % 100 or torch.equal(log.losses(), losses[: max(step + 1, 310 if step >= 300 else 0)])
        assert torch.equal(log.losses(), losses)
        weighted, correct, count = log.sums()
        torch.testing.assert_close(weighted, torch.tensor(images).double() @ losses.double())
        assert correct.tolist() == right.sum(0).tolist()
        assert count == sum(images)
        log.clear()
