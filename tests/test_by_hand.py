"""Wrong input of the programs used by hand: one paragraph that names it, before anything is trained."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from winnow import io, masks, runs, stored_run
from winnow.errors import UserError

ROOT = Path(__file__).parent.parent
Refused = Callable[..., str]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a program in this process; the text of its error, unwrapped. Training is a failure."""

    def train(*_: object, **__: object) -> None:
        pytest.fail("it began to train")

    monkeypatch.setattr(stored_run, "run", train)
    monkeypatch.setattr(runs, "train_dense", train)

    def run(program: str, *options: object) -> str:
        path = str(ROOT / f"workflow_scripts/{program}.py")
        monkeypatch.setattr(sys, "argv", [path, *map(str, options)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(path, run_name="__main__")
        assert stopped.value.code in (1, 2)
        return " ".join(capsys.readouterr().err.split())

    return run


@pytest.fixture
def tiny_options(digits: Path, tmp_path: Path) -> list[str]:
    return [
        "--dataset", "digits", "--data", str(digits), "--out", str(tmp_path / "out"), "--learning-rate", "0.1",
        "--model-options", '{"hidden": 4, "layers": 2}', "--seeds", "0,1",
    ]  # fmt: skip


def dense_run(folder: Path, hidden: int = 4, seeds: str = "[0,1]") -> Path:
    """What pruning reads of a dense run of the tiny model."""
    from winnow.models.rnn import RNN

    shapes = RNN(hidden=hidden, layers=2).shapes
    for name in ("init", "rewind", "final"):
        arrays = {name: np.ones((2, *shape), np.float32) for name, shape in shapes.items()}
        io.write_tensors(folder / f"{name}.safetensors", arrays, {"seeds": seeds})
    return folder


@pytest.mark.parametrize("program", ["prune", "prune_in_run"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prunable", "rnn.weigth*"], "prunable: the pattern 'rnn.weigth*' matches no parameter"),
        (["--density", "0.001"], "A density of 0.001 keeps no weight of the 48 prunable ones."),
        (["--density", "0.001", "--scope", "layerwise"], "keeps no weight in any of the prunable tensors"),
        (["--batch-size", "1501"], "batch_size: 1501 is more than the 1500 images to train on; valid is 1 to 1500."),
        (["--batch-size", "1201", "--validation", "300"], "more than the 1200 images to train on"),
    ],
)
def test_pruning_options(
    program: str, options: list[str], message: str, refused: Refused, tiny_options: list[str]
) -> None:
    assert message in refused(program, *tiny_options, *options)


@pytest.mark.parametrize(
    ("dense", "message"),
    [
        ({"hidden": 8}, "init.safetensors is of a run with another model or other prunable tensors: there "
         "rnn.weight_ih_l0 is of shape (8, 28), but in this job with the model "
         '{"hidden":4,"layers":2,"name":"rnn"} it is of shape (4, 28).'),
        ({"seeds": "[0,2]"}, "init.safetensors holds the seeds [0,2], but the job is for [0, 1]"),
    ],
)  # fmt: skip
def test_a_dense_run_of_something_else(
    dense: dict[str, object], message: str, refused: Refused, tiny_options: list[str], tmp_path: Path
) -> None:
    folder = dense_run(tmp_path / "dense", **dense)  # type: ignore[arg-type]
    assert message in refused("prune", *tiny_options, "--dense", folder)


def test_a_dense_run_that_fits_is_taken_and_one_that_is_not_there_named(
    refused: Refused, tiny_options: list[str], tmp_path: Path
) -> None:
    assert "--dense nowhere is no folder." in refused("prune", *tiny_options, "--dense", "nowhere")
    # All that is missing of this one is what only the first round reads.
    text = refused("prune", *tiny_options, "--dense", dense_run(tmp_path / "dense"))
    assert "dense/run.json does not exist" in text


def test_the_smallest_density_that_is_named_keeps_one_weight() -> None:
    for scope, total in (("global", 10), ("layerwise", 7)):
        sizes = {"a": 3, "b": 7}
        with pytest.raises(UserError, match=f"keeps one is {0.5 / total}") as raised:
            masks.check_kept(0.49 / total, sizes, scope)
        masks.check_kept(float(str(raised.value).removesuffix(".").split()[-1]), sizes, scope)


def test_one_round_by_spec_needs_its_runs(refused: Refused, tmp_path: Path) -> None:
    assert "needs --dense DIR and --previous DIR" in refused("prune", "--spec", '{"round": 1}', "--out", tmp_path)
