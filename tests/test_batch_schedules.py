"""Batch schedules: one contract over every plug-in, their sizes by hand, and training with them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optimizer_checks import fitting

from winnow import data as datasets
from winnow import masks, plugins, timeline
from winnow.batch_schedules import constant, full, growing
from winnow.errors import UserError
from winnow.setting import Setting
from winnow.spec import TrainSpec
from winnow.train import Trainer
from winnow.training_job import InRunPruning

EXAMPLES: dict[str, dict[str, Any]] = {"late_jump": {"after": 2}}
GROWING = {"name": "growing", "factor": 4.0, "every": "1ep"}  # 1,200 images by 100, 400, 1200: 12, 3, 1 iterations


@pytest.mark.parametrize("name", plugins.names("batch_schedules"))
@pytest.mark.parametrize(("images", "batch_size"), [(1, 1), (100, 7), (100, 100), (60000, 64)])
def test_contract(name: str, images: int, batch_size: int) -> None:
    """Sizes of which a timeline can be made, and no option that is not known."""
    entry = {"name": name, **EXAMPLES.get(name, {})}
    line = timeline.of(images, batch_size, entry)
    assert line == timeline.of(images, batch_size, entry)
    with pytest.raises(TypeError):
        plugins.load("batch_schedules", name).sizes(images=images, batch_size=batch_size, **entry, nothing=1)


def test_sizes_by_hand() -> None:
    assert constant.sizes(images=10, batch_size=3) == {0: 3}
    assert full.sizes(images=10, batch_size=3) == {0: 10}
    assert growing.sizes(images=50, batch_size=3, factor=2.5, every="2ep") == {0: 3, 2: 7, 4: 18, 6: 46, 8: 50}
    assert growing.sizes(images=50, batch_size=3, largest=6) == {0: 3, 1: 6}
    assert growing.sizes(images=50, batch_size=3, largest=3) == {0: 3}


@pytest.mark.parametrize(
    ("option", "value"),
    [("largest", 2), ("largest", 51), ("largest", 4.5), ("factor", 1.0), ("factor", "2"), ("every", "3it")],
)
def test_wrong_options_of_growing(option: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"'{option}'.*{value!r}; valid is"):
        growing.sizes(images=50, batch_size=3, **{option: value})


# ---- training -----------------------------------------------------------------------------------------------------


def made(tiny: dict[str, Any], digits: Path, **changes: Any) -> tuple[Any, datasets.Data]:
    """A job of 3 epochs on two lanes, and its data."""
    spec = {**tiny, "batch_size": 100, "batch_schedule": GROWING, **changes}
    setting = Setting.of(TrainSpec.read(spec), digits)
    return setting.job(setting.initialise("init"), None, setting.factor(spec["schedule"])), setting.data


def test_epochs_evaluations_and_rates_stay_right_while_the_batch_grows(tiny: dict[str, Any], digits: Path) -> None:
    job, data = made(tiny, digits)
    outcome = Trainer(job, data).run()
    rows = [row for row in outcome.rows if row["seed"] == 0]
    assert [(row["iteration"], row["epoch"]) for row in rows] == [(12, 1), (15, 2), (16, 3)]
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.09, 0.081])
    assert outcome.sample_gradients == [3600, 3600]
    assert job.rewind == 12
    often, _ = made(tiny, digits, evaluate_every="5it", length="15it")
    rows = [row for row in Trainer(often, data).run().rows if row["seed"] == 0]
    assert [(row["iteration"], row["epoch"]) for row in rows] == [(5, 5 / 12), (10, 10 / 12), (15, 2)]


@pytest.mark.parametrize("schedule", [GROWING, {"name": "full"}])
def test_steps_are_those_of_plain_gradient_descent_on_the_same_images(
    tiny: dict[str, Any], digits: Path, schedule: dict[str, Any]
) -> None:
    """The step's images by the data order, whole: chunks change nothing but rounding.

    The network is smooth: at a kink of rectified units rounding, which differs between processors, decides a gradient.
    """
    given = {"batch_schedule": schedule, "clip": None, "optimizer": {"name": "gd"}}
    job, data = made(tiny, digits, **given)
    outcome = Trainer(job, data).run()
    images = (torch.from_numpy(np.array(data.train_images)).double() / 255 - data.mean) / data.std
    labels = torch.from_numpy(data.train_labels.astype(np.int64))
    sizes = [100] * 12 + [400] * 3 + [1200] if schedule is GROWING else [1200] * 3
    for lane, seed in enumerate(job.seeds):
        w = {name: torch.from_numpy(value[lane : lane + 1]).double() for name, value in job.start.items()}
        losses: list[float] = []
        epoch, start = 0, 0
        for size in sizes:
            index = datasets.order(seed, epoch, job.train)[start : start + size]
            leaves = {name: value.requires_grad_() for name, value in w.items()}
            logits = job.model.logits(leaves, images[index][None])
            loss = torch.nn.functional.cross_entropy(logits[0], labels[index])
            gradients = torch.autograd.grad(loss, list(leaves.values()))
            rate = 0.1 * 0.9**epoch
            w = {n: (v - rate * g).detach() for (n, v), g in zip(leaves.items(), gradients, strict=True)}
            losses.append(float(loss.detach()))
            start += size
            if start == 1200:
                epoch, start = epoch + 1, 0
        for name, value in outcome.final.items():
            np.testing.assert_allclose(value[lane], w[name][0].numpy(), rtol=1e-3, atol=2e-6, err_msg=name)
        last = next(row for row in outcome.rows if row["seed"] == seed and row["iteration"] == len(sizes))
        assert last["train_loss"] == pytest.approx(losses[-1], rel=1e-5)


def test_a_large_step_takes_the_memory_of_a_chunk(tiny: dict[str, Any], digits: Path) -> None:
    job, data = made(tiny, digits, batch_schedule={"name": "full"})
    trainer = Trainer(job, data)
    trainer.run()
    assert len(trainer.batches.chunk.inputs) == 2 * 256
    assert len(trainer.batches.now.inputs) == 0


@pytest.mark.parametrize("optimizer", ["gd", "l_bfgs", "hessian_free", "k_fac"])
@pytest.mark.parametrize("mark", [0, 1])
def test_resume_ends_with_the_same_bits(tiny: dict[str, Any], digits: Path, optimizer: str, mark: int) -> None:
    options = {"name": optimizer, **fitting(optimizer, cg_iterations=2)}
    job, data = made(tiny, digits, optimizer=options, lr="0.01")
    states: list[Any] = []
    whole = Trainer(job, data).run(lambda trainer: states.append(trainer.state()))
    resumed = Trainer(job, data)
    resumed.restore(*states[mark])
    again = resumed.run()
    assert again.rows == whole.rows
    assert again.sample_gradients == whole.sample_gradients
    for name, value in whole.final.items():
        np.testing.assert_array_equal(value, again.final[name], err_msg=name)


@pytest.mark.parametrize(("optimizer", "tolerance"), [("hessian_free", 1e-4), ("l_bfgs", 1e-3)])
def test_a_second_order_step_in_chunks_is_the_one_on_the_whole_batch(
    tiny: dict[str, Any], digits: Path, optimizer: str, tolerance: float
) -> None:
    """1,200 images at once as a constant size, and in chunks of 256, against how far the weights moved.

    Rounding is 5e-5 of that under L-BFGS (with a line search, which enlarges it, up to 0.004), images left out are 0.1.
    """
    options = {"name": optimizer, **fitting(optimizer, cg_iterations=3, line_search="none")}
    common = {"optimizer": options, "lr": "0.5", "length": "2ep", "clip": None}
    job, data = made(tiny, digits, **common, batch_size=1200, batch_schedule={"name": "constant"})
    whole = Trainer(job, data).run()
    parts = Trainer(*made(tiny, digits, **common, batch_schedule={"name": "full"})).run()
    assert parts.sample_gradients == whole.sample_gradients
    for lane in range(2):
        before, one, other = (
            np.concatenate([values[name][lane].ravel() for name in job.start])
            for values in (job.start, whole.final, parts.final)
        )
        assert np.linalg.norm(one - other) < tolerance * np.linalg.norm(one - before)


def test_a_rewound_run_and_an_in_run_pruning_see_the_minibatches_of_their_iterations(
    tiny: dict[str, Any], digits: Path
) -> None:
    job, data = made(tiny, digits, optimizer={"name": "gd"})  # without a state that rewinding would lose
    straight = Trainer(job, data).run()
    rewound = dataclasses.replace(job, start=straight.rewind, first=12, rewind=None)
    for name, value in Trainer(rewound, data).run().final.items():
        np.testing.assert_array_equal(value, straight.final[name], err_msg=name)

    def prune(weights: Any, rewind: Any, before: Any) -> Any:
        mask = {"rnn.weight_hh_l0": np.abs(weights["rnn.weight_hh_l0"]) > 0.1}
        return mask, masks.apply(weights, mask)

    pruned = dataclasses.replace(job, prunings=(InRunPruning(15, prune, lambda i: 0.5),))
    rows = Trainer(pruned, data).run().rows
    assert [(row["iteration"], row["lr"]) for row in rows if row["seed"] == 0][2:] == [(16, 0.05)]


def test_a_schedule_after_a_pruning_starts_anew_at_its_epoch(tiny: dict[str, Any], digits: Path) -> None:
    setting = Setting.of(TrainSpec.read({**tiny, "batch_size": 100, "batch_schedule": GROWING}), digits)
    after = setting.factor({"name": "step", "every": "1ep", "gamma": 0.5}, since=12)
    assert [after(i) for i in range(4)] == [1.0, 1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_schedule": {"name": "growing", "largest": 1201}}, "'largest'.*1201; valid is .* 100, to .* 1200"),
        ({"schedule": {"name": "step", "every": "3it", "gamma": 0.9}}, "every of the schedule step is 3it"),
        ({"rewind": "16it"}, "rewind: 16it is at or after the end"),
    ],
)
def test_impossible_settings_end_before_a_job(
    tiny: dict[str, Any], digits: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        made(tiny, digits, **change)
