"""Captured steps against steps one by one, on the CPU, through a stand-in for the CUDA graph (recorded_steps.py)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plugins_for_tests
import pytest
import recorded_steps
import torch
from optimizer_checks import fitting

from winnow import captured, lottery, masks, plugins
from winnow import data as datasets
from winnow.models import _feed_forward_workspace, _rnn_workspace
from winnow.optimizers import _fused
from winnow.setting import Setting
from winnow.spec import TrainSpec
from winnow.train import Trainer
from winnow.training_job import InRunPruning, TrainingJob

CAPTURABLE = [
    name
    for name in plugins.names("optimizers")
    if (plugin := plugins.load_class("optimizers", name)).capturable and plugin.lanes and "closure" not in plugin.needs
]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Steps are captured from here on, and lanes go through batched products, as on a GPU; what was captured."""
    graphs: list[Any] = []

    def record(step: Any) -> Any:
        graphs.append(step)
        return recorded_steps.record(step)

    # One library for products on the CPU: which of two computes one is no operation that a replay would repeat.
    before = torch.backends.mkldnn.matmul.fp32_precision
    torch.backends.mkldnn.matmul.fp32_precision = "ieee"
    monkeypatch.setattr(captured, "recorder", lambda device: record)
    for module in (_rnn_workspace, _feed_forward_workspace, _fused):
        monkeypatch.setattr(module, "on_cpu", lambda _: False)
    yield graphs
    torch.backends.mkldnn.matmul.fp32_precision = before


def make_job(spec: dict[str, Any], digits: Path, **changes: Any) -> tuple[TrainingJob, datasets.Data]:
    setting = Setting.of(TrainSpec.read({**spec, "seeds": [0, 1]}), digits)
    job = setting.job(setting.initialise("init"), None, setting.factor(spec["schedule"]))
    return dataclasses.replace(job, **changes), setting.data


def one_by_one(job: TrainingJob, data: datasets.Data) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captured, "recorder", lambda device: None)
        return Trainer(job, data).run()


def same(found: Any, expected: Any) -> None:
    assert found.rows == expected.rows
    for kind in ("final", "rewind"):
        for name, value in getattr(expected, kind).items():
            np.testing.assert_array_equal(getattr(found, kind)[name], value, err_msg=name)


@pytest.mark.parametrize("optimizer", CAPTURABLE)
def test_replayed_steps_give_the_same_bits(
    tiny: dict[str, Any], digits: Path, recorded: list[Any], optimizer: str
) -> None:
    """Three epochs of six whole batches and a short one, a schedule that changes the rate, clipping, a mask."""
    options = {"name": optimizer, **fitting(optimizer, momentum=0.9, weight_decay=1e-4)}
    schedule = {"name": "one_cycle"}
    job, data = make_job({**tiny, "optimizer": options, "batch_size": 190, "schedule": schedule}, digits)
    streams = [np.random.default_rng(seed) for seed in job.seeds]
    context = lottery.Context(job.start, job.start, job.start, None, streams, masks.prunable(list(job.start), ["*hh*"]))
    mask = lottery.make_mask("random", context, 0.5, "global")
    job = dataclasses.replace(job, mask=mask, start=masks.apply(job.start, mask), lr=(0.01, 0.02))
    ticks: list[int] = []
    trainer = Trainer(job, data)
    found = trainer.run(tick=ticks.append)
    assert len(recorded) == 1
    assert ticks == list(range(1, job.last + 1))
    same(found, one_by_one(job, data))
    first, second = found.rows[-2:]
    assert second["lr"] == 2 * first["lr"] > 0


@pytest.mark.parametrize("model", ["lenet5", "lenet_300_100", "rnn"])
def test_replayed_steps_of_every_model(tiny: dict[str, Any], digits: Path, recorded: list[Any], model: str) -> None:
    job, data = make_job({**tiny, "model": {"name": model}, "length": "9it", "rewind": "5it"}, digits, step_losses=True)
    found, expected = Trainer(job, data).run(), one_by_one(job, data)
    assert recorded
    same(found, expected)
    np.testing.assert_array_equal(found.step_losses, expected.step_losses)


def test_augmented_images_growing_batches_and_smoothing(
    tiny: dict[str, Any], digits: Path, recorded: list[Any]
) -> None:
    growing = {"name": "growing", "every": "1ep", "factor": 2}
    spec = {**tiny, "augmentation": {"name": "shift_flip"}, "batch_schedule": growing, "batch_size": 100,
            "label_smoothing": 0.1}  # fmt: skip
    job, data = make_job(spec, digits)
    found = Trainer(job, data).run()
    assert len(recorded) == 2  # of 100 and of 200 images; 400 are gathered in chunks, so not captured
    same(found, one_by_one(job, data))


def test_a_resumed_run_captures_anew_and_ends_with_the_same_bits(
    tiny: dict[str, Any], digits: Path, recorded: list[Any]
) -> None:
    job, data = make_job(tiny, digits)
    states: list[Any] = []
    whole = Trainer(job, data).run(lambda trainer: states.append(trainer.state()))
    again = Trainer(job, data)
    again.restore(*states[0])
    same(again.run(), whole)
    assert len(recorded) == 2


def test_pruning_on_the_way_captures_anew(tiny: dict[str, Any], digits: Path, recorded: list[Any]) -> None:
    def prune(weights: Any, rewind: Any, before: Any) -> Any:
        mask = {name: np.abs(weights[name]) > 0.1 for name in weights if "hh" in name and "weight" in name}
        return mask, masks.apply(weights, mask)

    job, data = make_job(tiny, digits)
    job = dataclasses.replace(job, prunings=(InRunPruning(8, prune, job.factor),))
    found = Trainer(job, data).run()
    assert len(recorded) == 2
    same(found, one_by_one(job, data))


def test_what_is_captured(tiny: dict[str, Any], digits: Path, recorded: list[Any]) -> None:
    """Neither optimisers that read values, nor a CPU."""
    for optimizer in ("k_fac", "l_bfgs", "svrg"):
        job, data = make_job({**tiny, "optimizer": {"name": optimizer}}, digits)
        assert Trainer(job, data).captured is None
    assert Trainer(*make_job(tiny, digits)).captured is not None


def test_a_host_counter_would_be_noticed(
    tiny: dict[str, Any], digits: Path, recorded: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins_for_tests.AveragedGD, "capturable", True)
    monkeypatch.setattr(plugins, "load_class", own_optimizer(plugins.load_class))
    job, data = make_job(tiny, digits, optimizer={"name": "averaged_gd", "momentum": 0.9})
    found, expected = Trainer(job, data).run(), one_by_one(job, data)
    assert not np.array_equal(found.final["output.weight"], expected.final["output.weight"])


def own_optimizer(load: Any) -> Any:
    def instead(kind: str, name: str) -> Any:
        return plugins_for_tests.AveragedGD if name == "averaged_gd" else load(kind, name)

    return instead


def test_a_cpu_captures_nothing() -> None:
    assert captured.recorder(torch.device("cpu")) is None


def test_the_stand_in_refuses_what_a_graph_cannot_hold() -> None:
    value = torch.ones(3)
    for step in (lambda: value.sum().item(), lambda: torch.tensor([1.0]), lambda: value[value > 0]):
        with pytest.raises(AssertionError, match="cannot be captured"):
            recorded_steps.record(step)
    replay = recorded_steps.record(lambda: value.mul_(2))
    assert value.tolist() == [1.0] * 3  # captured, not run
    replay()
    assert value.tolist() == [2.0] * 3
