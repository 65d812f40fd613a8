"""The command line of the network from scratch: the seed's options, saved configurations, and what a run writes."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from winnow import io, numpy_options
from winnow.errors import UserError
from winnow.scratch.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SHORT = (
    "-wp p -we e -d fashion_mnist -e 3 -b 16 -l mean_squared_error -o nag -lr 0.01 -m 0.8 -beta 0.7 -beta1 0.6 "
    "-beta2 0.5 -eps 1e-6 -w_d 0.0005 -w_i Xavier -nhl 2 -sz 32 -a ReLU"
)
LONG = (
    "--wandb_project p --wandb_entity e --dataset fashion-mnist --epochs 3 --batch_size 16 --loss mean_squared_error "
    "--optimizer nesterov --learning_rate 0.01 --momentum 0.8 --beta 0.7 --beta1 0.6 --beta2 0.5 --epsilon 1e-6 "
    "--weight_decay 0.0005 --weight_init xavier --num_layers 2 --hidden_size 32 --activation relu"
)
EXPECTED = Settings(
    layers=(32, 32), activation="relu", loss="mean_squared_error", weight_init="xavier", optimizer="nag",
    learning_rate=0.01, momentum=0.8, beta=0.7, beta1=0.6, beta2=0.5, epsilon=1e-6, weight_decay=0.0005,
    batch_size=16, epochs=3,
)  # fmt: skip


def read(text: str) -> numpy_options.Run:
    return numpy_options.read(text.split(), None)


@pytest.mark.parametrize("line", [SHORT, LONG])
def test_every_option_of_the_seed(line: str) -> None:
    run = read(line)
    assert run.settings == EXPECTED
    assert run.dataset == "fashion_mnist"
    assert run.data == Path("results/data/fashion_mnist")
    assert run.out == Path("out/run_hl-2_bs-16_act-relu_opt-nag")
    assert (run.values["wandb_project"], run.values["wandb_entity"]) == ("p", "e")


def test_hidden_layers() -> None:
    assert read("").settings == Settings()
    assert read("--layers 300,100").settings.layers == (300, 100)
    assert read("-nhl 2").settings.layers == (128, 128)
    assert read("-sz 64").settings.layers == (64, 64, 64)
    assert read("-nhl 0").settings.layers == ()


def test_what_the_seed_leaves_open(tmp_path: Path) -> None:
    run = read("--inputs standardised --train_on all")
    assert run.settings == Settings(inputs="standardised", train_on="all")
    io.write_json(tmp_path / "config.json", run.values)
    assert read(f"--config {tmp_path / 'config.json'}").settings == run.settings


def test_a_saved_configuration(tmp_path: Path) -> None:
    saved = tmp_path / "config.json"
    io.write_json(saved, read(SHORT).values)
    assert read(f"--config {saved}") == replace(read(SHORT), tracked=False)  # nobody asked for a tracker now
    assert read(f"--config {saved} -we other").tracked
    run = read(f"--config {saved} -o adam -nhl 1 -sz 8")
    assert (run.settings.optimizer, run.settings.layers, run.settings.batch_size) == ("adam", (8,), 16)
    io.write_json(saved, read("-nhl 0").values)
    assert read(f"--config {saved}").settings.layers == ()
    best = tmp_path / "best.yaml"
    best.write_text("hidden_layers: 5\nhidden_size: 64\nlearning_rate: 1e-3\nactivation: tanh\noptimizer: nadam\n")
    settings = read(f"--config {best}").settings
    assert settings == Settings(layers=(64,) * 5, activation="tanh", optimizer="nadam", learning_rate=1e-3)
    assert read(f"--config {best} --layers 9,8").settings.layers == (9, 8)


def test_the_best_configuration_of_a_sweep(tmp_path: Path) -> None:
    best = tmp_path / "best.json"
    found = [{"rank": rank, "settings": vars(EXPECTED) | {"epochs": rank}} for rank in (1, 2)]
    io.write_json(best, {"dataset": "digits", "configurations": found})
    run = read(f"--config {best} --seed 4")
    assert run.dataset == "digits"
    assert run.settings == replace(EXPECTED, epochs=1, seed=4)
    io.write_json(best, {"dataset": "digits", "configurations": []})
    with pytest.raises(UserError, match="holds no configuration that a sweep has found"):
        read(f"--config {best}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-d letters", "no data set 'letters'"),
        ("-o adm", "no optimiser 'adm'. Did you mean 'adam'"),
        ("-a softmax", "no activation 'softmax'"),
        ("-l hinge", "no loss 'hinge'"),
        ("--inputs scaled", "no form of the inputs 'scaled'"),
        ("-w_i he", "no weight initialisation 'he'"),
        ("-lr 0", "--learning_rate is '0'; it must be a finite number > 0"),
        ("-beta1 1", "--beta1 is '1'; it must be a number >= 0 and < 1"),
        ("-eps x", "--epsilon is 'x'"),
        ("-b 0", "--batch_size is '0'; it must be a whole number of at least 1"),
        ("-e 1.5", "--epochs is '1.5'"),
        ("-sz -3", "--hidden_size is '-3'"),
        ("--layers 128,,64", "--layers is ''"),
        ("--layers 12 -nhl 2", "leave it out, or --num_layers"),
        ("--config nowhere.json", "--config: nowhere.json cannot be read"),
    ],
)
def test_wrong_options(line: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "option 'epoch' is not known. Did you mean 'epochs'"),
        ("epochs: many", "--epochs is 'many'"),
        ("[1, 2]", "holds no entries"),
        ("a: [", "cannot be read"),
    ],
)
def test_wrong_configuration(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        read(f"--config {tmp_path / 'c.yaml'}")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runs workflow_scripts/train_numpy.py in this process."""

    def run(line: str) -> None:
        monkeypatch.setattr(sys, "argv", ["train_numpy.py", *line.split()])
        runpy.run_path(str(ROOT / "workflow_scripts/train_numpy.py"), run_name="__main__")

    return run


def test_a_run_and_its_repetition_from_its_configuration(
    program: Callable[[str], None], digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, again = tmp_path / "run", tmp_path / "again"
    program(f"-d digits --data {digits} -e 2 --layers 32,16 -o nadam --out {out}")
    table = io.read_table(out / "metrics.csv", "metrics")
    assert table.iteration.tolist() == [43, 86]
    assert table[["validation_loss", "test_loss"]].notna().all().all()
    tensors, _ = io.read_tensors(out / "final.safetensors")
    assert {name: value.shape for name, value in tensors.items() if "weight" in name} == {
        "layer0.weight": (784, 32), "layer1.weight": (32, 16), "layer2.weight": (16, 10),
    }  # fmt: skip
    assert json.loads((out / "progress.json").read_text())["epoch"] == 2
    printed = capsys.readouterr()
    assert "test accuracy" in printed.out
    last = [line for line in printed.err.splitlines() if line.startswith("epoch ")][-1]
    row = table.iloc[-1]
    assert last.startswith("epoch 2/2")
    for part in ("validation", "test"):
        assert f"{part} {row[f'{part}_loss']:.4f} {row[f'{part}_accuracy']:.2%}" in last
    assert f"loss and accuracy: training {row['train_loss']:.4f} {row['train_accuracy']:.2%}" in last
    program(f"--config {out / 'config.json'} --data {digits} --out {again}")
    assert all(
        np.array_equal(value, io.read_tensors(again / "final.safetensors")[0][k]) for k, value in tensors.items()
    )


def test_a_run_on_all_training_images(
    program: Callable[[str], None], digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(f"-d digits --data {digits} -e 1 --layers 8 --train_on all --out {tmp_path}")
    printed = capsys.readouterr().out
    assert "test accuracy" in printed
    assert "validation" not in printed
    table = io.read_table(tmp_path / "metrics.csv", "metrics")
    assert table.sample_gradients.tolist() == [1500]
    assert table.validation_loss.isna().all()


def test_a_mistake_is_one_paragraph_and_exit_code_1(
    program: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        program("-a swish")
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith("Error: There is no activation 'swish'.")
