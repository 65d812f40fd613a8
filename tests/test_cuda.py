"""Every training path on a CUDA device against the CPU, over the first 20 steps in float32, and what only a GPU does.

WINNOW_TEST_DEVICE names another device. On "cpu" the programs of these tests run, but compare the CPU with itself.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optimizer_checks import fitting

from winnow import captured, connectivity, engine, io, lottery, masks, plugins, runs
from winnow import data as datasets
from winnow.setting import Setting
from winnow.spec import FusedSpec, RoundSpec, ScenarioSpec, TrainSpec
from winnow.stored_run import Place
from winnow.train import Trainer
from winnow.training_job import InRunPruning, Outcome, TrainingJob

DEVICE = os.environ.get("WINNOW_TEST_DEVICE", "cuda")
pytestmark = pytest.mark.skipif(
    DEVICE.startswith("cuda") and not torch.cuda.is_available(), reason="this machine has no CUDA device"
)
ON_CUDA = pytest.mark.skipif(not DEVICE.startswith("cuda"), reason="WINNOW_TEST_DEVICE is no CUDA device")
MODELS = ["rnn", "lenet_300_100", "lenet5", "conv2", "conv4"]
# A weak damping, or a rate far above the stable ones, would amplify the last bits in which gradients differ.
STABLE = {"momentum": 0.9, "cg_iterations": 3, "damping": 0.1}
SPARSIFIERS: dict[str, dict[str, Any]] = {
    "iterative_hard_thresholding": {},
    "gradual_magnitude": {"end": "15it", "every": "5it"},
    "dynamic_sparse": {"end": "15it", "every": "5it"},
    "l1_proximal": {"end": "15it", "strength": 0.01},
    "pruning_with_feedback": {"end": "15it"},
}


@pytest.fixture(autouse=True)
def usual_settings() -> Any:
    before = torch.backends.mkldnn.matmul.fp32_precision
    engine.begin(1, "fp32", False, None, "highest")
    yield
    engine.begin(1, "fp32", False, None, "highest")
    torch.backends.mkldnn.matmul.fp32_precision = before


def short(tiny: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**tiny, "length": "20it", "rewind": "3it", "evaluate_every": "10it", **changes}


def make_job(spec: dict[str, Any], digits: Path, device: str, **changes: Any) -> tuple[TrainingJob, datasets.Data]:
    setting = Setting.of(TrainSpec.read({**spec, "device": device}), digits)
    job = setting.job(setting.initialise("init"), None, setting.factor(spec["schedule"]))
    return dataclasses.replace(job, **changes), setting.data


def agree(found: Outcome, expected: Outcome, tolerance: float = 1e-4) -> None:
    for name, value in expected.final.items():
        scale = np.abs(value).max() + 1e-30
        assert np.abs(found.final[name] - value).max() <= tolerance * scale, name
    assert [(row["seed"], row["iteration"], row["lr"]) for row in found.rows] == [
        (row["seed"], row["iteration"], row["lr"]) for row in expected.rows
    ]
    for row, wanted in zip(found.rows, expected.rows, strict=True):
        for column in ("train_loss", "validation_loss", "test_loss"):
            assert row[column] == pytest.approx(wanted[column], rel=10 * tolerance)
    assert found.sample_gradients == expected.sample_gradients


def both(spec: dict[str, Any], digits: Path, **changes: Any) -> tuple[Outcome, Outcome]:
    return tuple(Trainer(*make_job(spec, digits, device, **changes)).run() for device in (DEVICE, "cpu"))  # type: ignore[return-value]


@pytest.mark.parametrize("optimizer", plugins.names("optimizers"))
def test_every_optimiser(tiny: dict[str, Any], digits: Path, optimizer: str) -> None:
    lr = "0.001" if optimizer == "rmsprop" else tiny["lr"]
    agree(*both(short(tiny, optimizer={"name": optimizer, **fitting(optimizer, **STABLE)}, lr=lr), digits))


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
@pytest.mark.parametrize("model", MODELS)
def test_every_model(tiny: dict[str, Any], digits: Path, model: str, seeds: list[int]) -> None:
    agree(*both(short(tiny, model={"name": model}, lr="0.01", seeds=seeds), digits))


@pytest.mark.parametrize("changes", [
    {"augmentation": {"name": "shift_flip"}},
    {"batch_schedule": {"name": "full"}},
    {"batch_schedule": {"name": "growing", "every": "1ep"}, "batch_size": 100},
    {"label_smoothing": 0.1, "inputs": "unit", "clip": None},
    {"schedule": {"name": "one_cycle"}, "batch_size": 190, "step_losses": True},
], ids=str)  # fmt: skip
def test_ways_of_training(tiny: dict[str, Any], digits: Path, changes: dict[str, Any]) -> None:
    found, expected = both(short(tiny, **changes), digits)
    agree(found, expected)
    if expected.step_losses is not None:
        np.testing.assert_allclose(found.step_losses, expected.step_losses, rtol=1e-3)


def test_a_masked_round_and_pruning_on_the_way(tiny: dict[str, Any], digits: Path) -> None:
    def prune(weights: Any, rewind: Any, before: Any) -> Any:
        mask = {name: np.abs(rewind[name]) > 0.2 for name in weights if "weight_hh" in name}
        return mask, masks.apply(weights, mask)

    job, _ = make_job(short(tiny), digits, "cpu")
    agree(*both(short(tiny), digits, prunings=(InRunPruning(8, prune, job.factor),)))
    names = masks.prunable(list(job.start), ["*hh*"])
    streams = [np.random.default_rng(seed) for seed in job.seeds]
    context = lottery.Context(job.start, job.start, job.start, None, streams, names)
    mask = lottery.make_mask("random", context, 0.5, "global")
    found, expected = both(short(tiny), digits, mask=mask, start=masks.apply(job.start, mask))
    agree(found, expected)
    for name, keep in mask.items():
        assert not found.final[name][~keep].any()


def test_no_sparsifier_is_left_out() -> None:
    assert sorted(SPARSIFIERS) == sorted(plugins.names("sparsifiers"))


@pytest.mark.parametrize("name", SPARSIFIERS)
def test_every_sparsifier(tiny: dict[str, Any], digits: Path, name: str) -> None:
    """Which weights survive may differ by a tie, so densities are compared, and losses loosely."""
    found = []
    for device in (DEVICE, "cpu"):
        training = TrainSpec.read(short(tiny, model={"name": "lenet_300_100"}, lr="0.01", device=device))
        sparsify = {"name": name, "density": 0.3, **SPARSIFIERS[name]}
        setting, job = runs.scenario(ScenarioSpec(training, sparsify, "global", ["fc*.weight"]), digits)
        found.append(Trainer(job, setting.data).run())
    mine, theirs = found
    assert [row["density"] for row in mine.rows] == pytest.approx([row["density"] for row in theirs.rows], abs=2e-3)
    losses = [[row["test_loss"] for row in outcome.rows] for outcome in found]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


@pytest.mark.parametrize("criterion", plugins.names("criteria"))
def test_a_round_by_every_criterion(tiny: dict[str, Any], digits: Path, tmp_path: Path, criterion: str) -> None:
    shares = []
    for device in (DEVICE, "cpu"):
        at = tmp_path / device
        training = TrainSpec.read(short(tiny, device=device))
        runs.train_dense(training, Place(digits, at / "dense", at / "store"))
        spec = RoundSpec.read({
            "training": training.json(), "prunable": ["rnn.weight_hh_l*"], "round": 1, "density": 0.5,
            "recipe": {"criterion": criterion, "scope": "global", "one_shot": False, "restart": "rewind",
                       "schedule_restart": "rewind", "schedule": None},
        })  # fmt: skip
        runs.prune_round(spec, Place(digits, at / "round", at / "store"), at / "dense", at / "dense")
        mask, _ = io.read_tensors(at / "round/mask.safetensors")
        shares.append(np.concatenate([value.ravel() for value in mask.values()]))
    assert shares[0].mean() == shares[1].mean() == 0.5
    assert (shares[0] != shares[1]).mean() < 0.02


def test_a_fused_sweep_and_a_copy_between_which_the_error_is_measured(
    tiny: dict[str, Any], digits: Path, tmp_path: Path
) -> None:
    spec = short(tiny, device=DEVICE)
    members = [{"lr": lr, "seeds": [0, 1], "folder": str(tmp_path / lr)} for lr in ("0.05", "0.1")]
    fused = FusedSpec.read({"training": spec, "members": members})
    assert runs.train_fused(fused, Place(digits, tmp_path / "fused", tmp_path / "store"))["lanes"] == 4
    for one, folder in fused.runs():
        runs.train_dense(one, Place(digits, folder, tmp_path / "store"))
        expected = Trainer(*make_job(dataclasses.asdict(one), digits, "cpu")).run()
        final, _ = io.read_tensors(folder / "final.safetensors")
        for name, value in expected.final.items():
            assert np.abs(final[name] - value).max() <= 1e-4 * np.abs(value).max(), name
    copies = {i: io.read_tensors(tmp_path / lr / "final.safetensors")[0] for i, lr in enumerate(("0.05", "0.1"))}
    rows = list(connectivity.lines(Setting.of(TrainSpec.read(spec), digits), copies, 3))
    there = list(connectivity.lines(Setting.of(TrainSpec.read(short(tiny)), digits), copies, 3))
    assert [row["test_loss"] for row in rows] == pytest.approx([row["test_loss"] for row in there], rel=1e-4)


def test_a_resumed_run_has_the_same_bits(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job(tiny, digits, DEVICE)
    states: list[Any] = []
    whole = Trainer(job, data).run(lambda trainer: states.append(trainer.state()))
    again = Trainer(job, data)
    again.restore(*states[0])
    found = again.run()
    for name, value in whole.final.items():
        np.testing.assert_array_equal(found.final[name], value, err_msg=name)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("model", ["rnn", "lenet5", "lenet_300_100"])
def test_lower_precision_stays_near(tiny: dict[str, Any], digits: Path, precision: str, model: str) -> None:
    if precision == "tf32" and not DEVICE.startswith("cuda"):
        pytest.skip("TF32 is of CUDA devices")
    spec = short(tiny, model={"name": model}, lr="0.01")
    expected = Trainer(*make_job(spec, digits, "cpu")).run()
    engine.begin(1, precision, False, None, "highest")
    found = Trainer(*make_job({**spec, "precision": precision}, digits, DEVICE)).run()
    losses = [[row["test_loss"] for row in outcome.rows] for outcome in (found, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)
    assert losses[0] != losses[1]


@pytest.mark.parametrize("model", MODELS)
def test_deterministic_runs_repeat_their_bits(tiny: dict[str, Any], digits: Path, model: str) -> None:
    engine.begin(1, "fp32", True, None, "highest")
    job, data = make_job(short(tiny, model={"name": model}, lr="0.01"), digits, DEVICE)
    first, second = Trainer(job, data).run(), Trainer(job, data).run()
    assert first.rows == second.rows
    for name, value in first.final.items():
        np.testing.assert_array_equal(second.final[name], value, err_msg=name)


@ON_CUDA
@pytest.mark.parametrize("model", MODELS)
def test_steps_are_replayed_and_equal_those_one_by_one(
    tiny: dict[str, Any], digits: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.begin(1, "fp32", True, None, "highest")
    job, data = make_job(short(tiny, model={"name": model}, lr="0.01"), digits, DEVICE)
    trainer = Trainer(job, data)
    found = trainer.run()
    assert trainer.captured is not None
    assert trainer.captured.size == job.batch_size
    monkeypatch.setattr(captured, "recorder", lambda device: None)
    agree(found, Trainer(job, data).run(), 1e-6)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="this machine has no second CUDA device")
def test_steps_are_captured_on_the_device_that_is_named(tiny: dict[str, Any], digits: Path) -> None:
    found = Trainer(*make_job(short(tiny), digits, "cuda:1")).run()
    agree(found, Trainer(*make_job(short(tiny), digits, "cpu")).run())


@ON_CUDA
def test_nothing_between_marks_waits_for_the_device(tiny: dict[str, Any], digits: Path) -> None:
    """Steps one by one, too, at rates that change and differ between lanes."""
    spec = {**tiny, "evaluate_every": "3ep", "schedule": {"name": "one_cycle"}}
    job, data = make_job(spec, digits, DEVICE, lr=(0.05, 0.1))
    trainer = Trainer(job, data)
    for _ in range(captured.WARM_UP):
        trainer._step()
    trainer.steps.clear()
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer._step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
