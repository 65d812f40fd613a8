"""Wrong input of the programs used by hand: one paragraph that names it, before anything is trained."""

from __future__ import annotations

import errno
import math
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from winnow import cli, io, masks, runs, stored_run, user_files
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


@pytest.mark.parametrize("program", ["train_dense", "prune", "prune_in_run"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--spec", "[1]"], "argument --spec: not a JSON object"),
        (["--spec", "[" * 100_000], "argument --spec: not JSON"),
        (["--optimizer", "gd", "--optimizer-options", '{"name": "eg"}'],
         "--optimizer-options has the name 'eg', but --optimizer is 'gd': give the name there."),
        (["--model-options", '{"name": "mlp"}'], "--model-options has the name 'mlp', but --model is 'rnn'"),
        (["--momentum", "2"], "--momentum: The option momentum of gd is 2.0; valid is"),
        (["--weight-decay", "-1"], "--weight-decay: The option weight_decay of gd is -1.0; valid is"),
        (["--momentum", "0.5", "--optimizer-options", '{"momentum": 2}'], "--optimizer-options: The option momentum"),
    ],
)  # fmt: skip
def test_specs_and_options(
    program: str, options: list[str], message: str, refused: Refused, tiny_options: list[str]
) -> None:
    assert message in refused(program, *tiny_options, *options)


@pytest.mark.parametrize("program", ["prune", "prune_in_run"])
@pytest.mark.parametrize("training", ["3", '{"dataset": 3}'])
def test_the_training_of_a_spec(program: str, training: str, refused: Refused, tiny_options: list[str]) -> None:
    text = refused(program, *tiny_options, "--spec", f'{{"training": {training}}}')
    assert "--spec: training is" in text
    assert "it must be a JSON object in which 'dataset' is a name" in text


@pytest.mark.parametrize("error", [NotADirectoryError(errno.ENOTDIR, "Not a directory", "/dev/null/x"),
                                   FileExistsError(errno.EEXIST, "File exists", "/dev/null/x"),
                                   IsADirectoryError(errno.EISDIR, "Is a directory", "/dev/null/x")])  # fmt: skip
def test_a_file_where_a_folder_is_needed(error: OSError, capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit, match="1"):
        cli.run(main)
    text = " ".join(capsys.readouterr().err.split())
    assert text.startswith(f"Error: /dev/null/x could not be opened or written: {error.strerror}.")
    assert "name another place" in text


MEASURED = {
    "ok.pt": ({"w": torch.ones(2, 2)}, None),
    "nan.pt": ({"w": torch.tensor([[1.0, math.nan]])}, "nan.pt: the matrix w has a NaN or an infinity"),
    "empty.pt": ({"w": torch.ones(0, 3)}, r"empty.pt: the matrix w is empty \(its shape is \(0, 3\)\)"),
    "complex.pt": ({"w": torch.ones(2, 2, dtype=torch.complex64)}, "complex.pt: the matrix w is complex"),
}


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("bare", [False, True])
def test_matrices_that_cannot_be_measured(name: str, bare: bool, tmp_path: Path) -> None:
    tensors, message = MEASURED[name]
    torch.save({**tensors, "fine": torch.ones(2, 2)}, tmp_path / name)
    assert user_files.read([tmp_path / name], ["fine"], bare)
    if message is None:
        assert user_files.read([tmp_path / name], ["*"], bare)
        return
    with pytest.raises(UserError, match=message):
        user_files.read([tmp_path / name], ["*"], bare)


def test_other_files_than_weights(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("e a text")
    with pytest.raises(UserError, match=r"text\.pt is no plain state dict"):
        user_files.read([tmp_path / "text.pt"], ["*"], bare=False)
    with pytest.raises(UserError, match="is no file, but a folder"):
        user_files.read([tmp_path], ["*"], bare=False)


@pytest.mark.parametrize("spec", ['{"graph": 3}', '{"weights": "moments"}', '{"graph": [3, null]}'])
def test_measures_are_a_list_of_names(spec: str, refused: Refused, tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "w.pt")
    text = refused("measure", "--weights", tmp_path / "w.pt", "--out", tmp_path / "out", "--spec", spec)
    assert "valid is a list of names" in text


def test_one_round_by_spec_needs_its_runs(refused: Refused, tmp_path: Path) -> None:
    assert "needs --dense DIR and --previous DIR" in refused("prune", "--spec", '{"round": 1}', "--out", tmp_path)
