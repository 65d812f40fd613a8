"""Augmentations: one contract over every plug-in, shift_flip by hand, and what training sees of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from winnow import data as datasets
from winnow import plugins
from winnow.augmentations.shift_flip import ShiftFlip
from winnow.batches import Batches
from winnow.minibatch import Chunks, chunks, of_lanes
from winnow.seeds import stream
from winnow.setting import Setting
from winnow.spec import TrainSpec
from winnow.train import Trainer

SHIFT_FLIP = {"name": "shift_flip"}


@pytest.mark.parametrize("shape", [(1, 8, 6), (3, 5, 9)])
@pytest.mark.parametrize("name", plugins.names("augmentations"))
def test_contract(name: str, shape: tuple[int, int, int]) -> None:
    """Whole numbers for each image, the same of the same generator; one image is changed as in company."""
    augmentation = plugins.load_class("augmentations", name)()
    drawn = augmentation.draw(stream(3, "augmentation"), 40)
    if drawn is None:
        return
    np.testing.assert_array_equal(drawn, augmentation.draw(stream(3, "augmentation"), 40))
    assert drawn.dtype == np.int64
    assert drawn.shape == (40, drawn.shape[1])
    numbers = torch.from_numpy(drawn)
    images = torch.randint(0, 256, (40, *shape), dtype=torch.uint8)
    before = images.clone(), numbers.clone()
    changed = augmentation.apply(images, numbers)
    assert (changed.dtype, changed.shape) == (images.dtype, images.shape)
    assert not torch.equal(changed, images)
    for index in range(40):
        one = slice(index, index + 1)
        assert torch.equal(augmentation.apply(images[one], numbers[one]), changed[one])
    assert torch.equal(images, before[0])
    assert torch.equal(numbers, before[1])


@pytest.mark.parametrize("shape", [(1, 8, 6), (3, 5, 9)])
@pytest.mark.parametrize("pixels", [0, 1, 2, 7])
def test_shift_flip_by_hand(pixels: int, shape: tuple[int, int, int]) -> None:
    """Every pixel of every move, mirrored or not."""
    drawn = torch.cartesian_prod(torch.arange(2 * pixels + 1), torch.arange(2 * pixels + 1), torch.arange(2))
    images = torch.randint(1, 256, (len(drawn), *shape), dtype=torch.uint8)
    found = ShiftFlip(pixels=pixels).apply(images, drawn)
    for image, (row, column, flip), changed in zip(images, drawn.tolist(), found, strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (pixels, pixels), (pixels, pixels)))
        expected = padded[:, row : row + shape[1], column : column + shape[2]]
        np.testing.assert_array_equal(changed.numpy(), expected[..., ::-1] if flip else expected)


def test_shift_flip_draws_every_move_as_often() -> None:
    drawn = ShiftFlip(pixels=1, flip=0.25).draw(np.random.default_rng(0), 90_000)
    moves = np.bincount(3 * drawn[:, 0] + drawn[:, 1])
    assert moves.shape == (9,)
    assert np.abs(moves - 10_000).max() < 400  # 4 standard deviations
    assert abs(drawn[:, 2].mean() - 0.25) < 0.006


# ---- training -----------------------------------------------------------------------------------------------------


def made(tiny: dict[str, Any], digits: Path, **changes: Any) -> tuple[Any, datasets.Data]:
    spec = {**tiny, "augmentation": SHIFT_FLIP, **changes}
    setting = Setting.of(TrainSpec.read(spec), digits)
    return setting.job(setting.initialise("init"), None, setting.factor(spec["schedule"])), setting.data


def batches(job: Any, data: datasets.Data) -> Batches:
    held = datasets.to_device(data, "cpu")
    return Batches(job, data, held["train_images"], held["train_labels"])


def seen(batch: Any) -> torch.Tensor:
    return torch.cat([inputs.clone() for inputs, _ in chunks(batch)], 1)


def expected(data: datasets.Data, index: np.ndarray, seed: int, number: int) -> torch.Tensor:
    """The images `index` [n], changed as stream `number` of the seed says, normalised."""
    plugin = ShiftFlip()
    drawn = plugin.draw(stream(seed, "augmentation", number), len(data.train_images))[index]
    images = plugin.apply(torch.from_numpy(data.train_images[index]), torch.from_numpy(drawn))
    return datasets.normalise(images, data.mean, data.std)


@pytest.mark.parametrize("copy", [0, 2])
@pytest.mark.parametrize("schedule", ["constant", "full"])
def test_batches_have_the_changes_of_their_seed_and_epoch(
    tiny: dict[str, Any], digits: Path, schedule: str, copy: int
) -> None:
    job, data = made(tiny, digits, batch_schedule={"name": schedule}, batch_size=100)
    job = dataclasses.replace(job, order=copy)
    many, per_epoch = batches(job, data), 12 if schedule == "constant" else 1
    for epoch in (0, 1):
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        found = torch.cat([seen(many.at(step)) for step in steps], 1)
        for lane, seed in enumerate(job.seeds):
            order = datasets.order(seed, epoch, job.train, copy)
            torch.testing.assert_close(found[lane], expected(data, order, seed, copy * datasets.EPOCHS + epoch))
    # Whichever step is asked for first, and for a part of the lanes.
    again = batches(job, data).at(steps[-1])
    assert torch.equal(seen(again), found[:, -again.index.shape[1] if isinstance(again, Chunks) else -100 :])
    assert torch.equal(seen(of_lanes(again, slice(1, 2))), seen(again)[1:])
    whole = seen(many.everything())
    for lane, seed in enumerate(job.seeds):
        torch.testing.assert_close(whole[lane], expected(data, job.train, seed, copy * datasets.EPOCHS + 1))


def test_fixed_batches_keep_the_changes_of_their_first_epoch(tiny: dict[str, Any], digits: Path) -> None:
    job, data = made(tiny, digits)
    many = batches(job, data)
    many.fixed = True
    epochs = []
    for epoch in range(2):
        found = {}
        for step in range(6 * epoch, 6 * epoch + 6):
            batch = seen(many.at(step))
            found |= {(lane, int(number)): batch[lane] for lane, number in enumerate(many.index)}
        epochs.append(found)
    assert len(epochs[0]) == 12
    for key, images in epochs[0].items():
        assert torch.equal(images, epochs[1][key])
    for lane, seed in enumerate(job.seeds):
        torch.testing.assert_close(seen(many.everything())[lane], expected(data, job.train, seed, 0))


def test_without_augmentation_nothing_is_changed(tiny: dict[str, Any], digits: Path) -> None:
    job, data = made(tiny, digits, augmentation={"name": "none"})
    images = datasets.normalise(torch.from_numpy(data.train_images[datasets.order(1, 0, job.train)[:200]]), 0.0, 1.0)
    inputs = batches(job, dataclasses.replace(data, mean=0.0, std=1.0)).at(0)[0]
    assert torch.equal(inputs[1], images)


def test_a_lane_has_the_same_bits_whatever_its_companions_and_after_a_kill(tiny: dict[str, Any], digits: Path) -> None:
    job, data = made(tiny, digits)
    states: list[Any] = []
    whole = Trainer(job, data).run(lambda trainer: states.append(trainer.state()))
    resumed = Trainer(job, data)
    resumed.restore(*states[1])
    again, other = resumed.run(), Trainer(*made(tiny, digits, seeds=[7, 1])).run()
    plain = Trainer(*made(tiny, digits, augmentation={"name": "none"})).run()
    for name, value in whole.final.items():
        np.testing.assert_array_equal(value, again.final[name], err_msg=name)
        np.testing.assert_array_equal(value[1], other.final[name][1], err_msg=name)
        assert not np.array_equal(value, plain.final[name])
    assert again.rows == whole.rows


def test_evaluations_see_the_images_as_they_are(tiny: dict[str, Any], digits: Path) -> None:
    evaluated = []
    for augmentation in ({"name": "none"}, {**SHIFT_FLIP, "flip": 1.0}):
        trainer = Trainer(*made(tiny, digits, augmentation=augmentation))
        weights = trainer.problem.parameters
        evaluated.append((trainer.evaluation.validation(weights), trainer.evaluation.test(weights)))
    assert evaluated[0] == evaluated[1]
