"""Folders of from-scratch trainings: written once, kept by the store, read back to classify images."""

from __future__ import annotations

import io as text_io
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from winnow import classify, data, io, provenance, scratch_run, scratch_space
from winnow.errors import UserError
from winnow.jobs import SCRATCH_FILES
from winnow.scratch import training
from winnow.scratch.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = Settings(layers=(16, 8), epochs=2, batch_size=64, inputs="roots", seed=3)
FILES = SCRATCH_FILES


@pytest.fixture(scope="module")
def trained(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    values = {"dataset": "digits", **vars(SETTINGS)}
    scratch_run.train(SETTINGS, data.load(digits), folder, values, text_io.StringIO())
    return folder


def test_the_files_of_a_run(trained: Path, digits: Path) -> None:
    assert scratch_run.FILES == SCRATCH_FILES
    assert sorted(file.name for file in trained.iterdir()) == sorted([*FILES, "progress.json"])
    last = io.read_table(trained / "metrics.csv", "metrics").iloc[-1]
    confusion = io.read_table(trained / "confusion.csv", "run_confusion")
    labels = np.asarray(data.load(digits).test_labels)
    assert confusion["count"].sum() == len(labels)
    assert confusion.groupby("true")["count"].sum().tolist() == np.bincount(labels).tolist()
    right = confusion[confusion["true"] == confusion["predicted"]]["count"].sum()
    assert right / len(labels) == last["test_accuracy"]


def test_a_network_is_read_back_as_it_was(trained: Path, digits: Path) -> None:
    settings, dataset, network = scratch_run.read(trained)
    assert (settings, dataset) == (SETTINGS, "digits")
    packed = data.load(digits)
    found = scratch_run.probabilities(network, packed.test_images)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    accuracy = (found.argmax(axis=1) == packed.test_labels).mean()
    assert accuracy == io.read_table(trained / "metrics.csv", "metrics")["test_accuracy"].iloc[-1]


def test_files_of_different_trainings_are_refused(trained: Path, tmp_path: Path) -> None:
    for name in ("config.json", "final.safetensors"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    io.write_json(tmp_path / "config.json", {**io.read_json(trained / "config.json"), "layers": [16, 9]})
    with pytest.raises(UserError, match="not of the same training"):
        scratch_run.read(tmp_path)


def test_the_store_trains_a_setting_once(
    digits: Path, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(out: str, seed: int) -> None:
        place, settings = tmp_path / "store", Settings(**{**vars(SETTINGS), "seed": seed})
        scratch_run.stored(settings, data.load(digits), digits, tmp_path / out, place, 10**9, text_io.StringIO())

    run("one", 3)
    assert (tmp_path / "one/final.safetensors").read_bytes() == (trained / "final.safetensors").read_bytes()
    monkeypatch.setattr(training, "on", None)  # to train is impossible from here on
    run("two", 3)
    for name in FILES:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    with pytest.raises(TypeError):
        run("three", 4)


def test_a_new_table_trains_no_run_again(digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = []
    monkeypatch.setattr(scratch_run.store, "claim", lambda out, key: keys.append(key) or 1 / 0)
    sources = provenance.sources
    for edited in ("", "winnow/schemas.py", "winnow/scratch/network.py"):
        changed = {edited: "another digest"} if edited else {}
        monkeypatch.setattr(provenance, "sources", lambda *args, new=changed: {**sources(*args), **new})
        with pytest.raises(ZeroDivisionError):
            scratch_run.stored(SETTINGS, data.load(digits), digits, tmp_path, tmp_path, 1, text_io.StringIO())
    assert keys[0] == keys[1] != keys[2]


def test_a_diverged_run_has_no_confusion(digits: Path, tmp_path: Path) -> None:
    settings = Settings(learning_rate=1e30, optimizer="sgd", epochs=1)
    last = scratch_run.train(
        settings, data.load(digits), tmp_path, {"dataset": "digits", **vars(settings)}, text_io.StringIO()
    )
    assert last["diverged_step"] is not None
    assert io.read_table(tmp_path / "metrics.csv", "metrics")["train_loss"].isna().all()
    assert len(io.read_table(tmp_path / "confusion.csv", "run_confusion")) == 0
    assert classify.diverged(scratch_run.read(tmp_path)[2])


def test_a_pair_differs_in_its_loss_alone() -> None:
    space = scratch_space.check({"hidden_size": [8, 16, 32], "learning_rate": {"low": 0.001, "high": 0.1}})
    specs = [{"space": space, "pair": 4, "seed": 0, "loss": loss} for loss in ("cross_entropy", "mean_squared_error")]
    one, other = (vars(scratch_run.settings_of(spec, None)) for spec in specs)
    assert {key for key in one if one[key] != other[key]} == {"loss"}
    assert vars(scratch_run.settings_of({**specs[0], "pair": 5}, None)) != one


def test_images_count_from_the_first_training_image_to_the_last_test_image(digits: Path) -> None:
    packed = data.load(digits)
    train, test = len(packed.train_labels), len(packed.test_labels)
    assert np.array_equal(classify.image(packed, 1)[0], packed.train_images[0])
    assert np.array_equal(classify.image(packed, train + 1)[0], packed.test_images[0])
    assert classify.image(packed, train + test)[1] == packed.test_labels[-1]
    for wrong in (0, train + test + 1):
        with pytest.raises(UserError, match=f"The image {wrong} is not valid; digits has the training images 1 to"):
            classify.image(packed, wrong)


def test_samples_show_every_class_and_the_chosen_image(digits: Path) -> None:
    rows = list(classify.sample_rows(data.load(digits), 1600))
    shown = {row["image"]: row["class"] for row in rows}
    assert len(shown) == 11
    assert 1600 in shown
    assert set(shown.values()) == set(range(10))
    assert all(0 <= row["value"] <= 1 for row in rows)


def test_the_program_tells_the_probabilities(
    trained: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def program(line: str) -> None:
        monkeypatch.setattr(sys, "argv", ["classify.py", *line.split()])
        runpy.run_path(str(ROOT / "workflow_scripts/classify.py"), run_name="__main__")

    program(f"--run {trained} --image 1501 --data {digits} --out {tmp_path}")
    text = capsys.readouterr().out
    assert text.count("<- predicted") == 1
    assert "Image 1501 is: " in text
    table = io.read_table(tmp_path / "probabilities.csv", "probabilities")
    assert table["probability"].sum() == pytest.approx(1, abs=1e-5)
    assert table["seed"].tolist() == [3] * 10
    assert table["predicted"].sum() == 1
    diverged = tmp_path / "diverged"
    tensors, _ = io.read_tensors(trained / "final.safetensors")
    io.write_tensors(
        diverged / "final.safetensors", {name: value * np.float32("nan") for name, value in tensors.items()}
    )
    (diverged / "config.json").write_bytes((trained / "config.json").read_bytes())
    for line, message in (
        (f"--run {trained} --image 9999 --data {digits}", "The image 9999 is not valid"),
        (f"--run {diverged} --data {digits}", "The training diverged"),
        (f"--data {digits}", "--run is missing"),
        (f"--run {tmp_path / 'nowhere'}", "does not exist"),
    ):
        with pytest.raises(SystemExit) as stopped:
            program(line)
        assert stopped.value.code == 1
        assert message in " ".join(capsys.readouterr().err.split())
    assert json.loads((trained / "config.json").read_text())["layers"] == [16, 8]
