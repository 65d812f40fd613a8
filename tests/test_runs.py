"""From specs to finished runs: rounds, the store, kill and resume, errors, and the programs used by hand."""

from __future__ import annotations

import argparse
import csv
import inspect
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from winnow import connectivity, io, masks, plugins, provenance, runs, training_options
from winnow.errors import UserError
from winnow.setting import Setting, resolve
from winnow.spec import InRunSpec, RoundSpec, ScenarioSpec, TrainSpec, in_run_spec
from winnow.stored_run import Place

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
PRUNABLE = ["rnn.weight_hh_l*", "rnn.weight_ih_l[1-9]*"]


def place(digits: Path, out: Path) -> Place:
    return Place(digits, out, out.parent / ".store")


def round_spec(tiny: dict[str, Any], number: int, density: float, **recipe: Any) -> RoundSpec:
    defaults = {
        "criterion": "magnitude", "scope": "global", "one_shot": False, "restart": "rewind",
        "schedule_restart": "rewind",
    }  # fmt: skip
    return RoundSpec.read(
        {
            "training": tiny,
            "recipe": {**defaults, "schedule": None, **recipe},
            "prunable": PRUNABLE,
            "round": number,
            "density": density,
        }
    )


def metrics(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    """What must be the same bits in two runs: everything but times."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix in (".csv", ".safetensors")}


@pytest.fixture(scope="module")
def dense(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dense") / "dense"
    runs.train_dense(TrainSpec.read(TINY), place(digits, folder))
    return folder


TINY: dict[str, Any] = {
    "dataset": "digits", "validation": 300, "train_on": "holdout", "model": {"name": "rnn", "hidden": 8, "layers": 2},
    "optimizer": {"name": "eg", "momentum": 0.9}, "lr": "0.7",
    "schedule": {"name": "step", "every": "1ep", "gamma": 0.9}, "length": "3ep", "rewind": "1ep",
    "evaluate_every": "1ep", "test_every": None, "batch_size": 200, "batch_schedule": {"name": "constant"},
    "clip": 1.0, "precision": "fp32", "inputs": "standardised", "label_smoothing": 0.0, "l2": 0.0,
    "augmentation": {"name": "none"}, "step_losses": False, "seeds": [0, 1],
    "device": "cpu", "threads": 1, "deterministic": False,
}  # fmt: skip


def test_a_dense_run_leaves_its_files_and_its_rewind_point_is_that_of_its_first_epoch(
    dense: Path, digits: Path
) -> None:
    assert {"metrics.csv", "init.safetensors", "rewind.safetensors", "final.safetensors", "run.json"} <= {
        file.name for file in dense.iterdir()
    }
    short = dense.parent / "short"
    runs.train_dense(TrainSpec.read({**TINY, "length": "1ep", "rewind": "1it"}), place(digits, short))
    point, end = io.read_tensors(dense / "rewind.safetensors")[0], io.read_tensors(short / "final.safetensors")[0]
    for name, value in point.items():
        np.testing.assert_array_equal(value, end[name], err_msg=name)
    run = io.read_json(dense / "run.json")
    assert run["seeds"] == [0, 1]
    assert run["diverged"] == []
    assert run["sample_gradients"] == [3600, 3600]
    assert run["lr"] == "0.7"
    assert run["parameters"] == {name: value[0].size for name, value in end.items()}
    assert run["multiply_adds"] == {"output.weight": 1} | dict.fromkeys(
        ("rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.weight_ih_l1", "rnn.weight_hh_l1"), 28
    )
    assert run["update_multiply_adds"] == 0


def test_run_json_has_the_cost_of_an_optimisers_own_products(digits: Path, tmp_path: Path) -> None:
    """Of one lane: Newton-Schulz steps for the 8 x 8 matrices (the input layer's are none of the role hidden)."""
    spec = {**TINY, "optimizer": {"name": "muon"}, "lr": "0.02", "length": "2it", "rewind": "1it"}
    runs.train_dense(TrainSpec.read(spec), place(digits, tmp_path))
    hidden = 3  # two recurrent matrices and the second layer's input
    assert io.read_json(tmp_path / "run.json")["update_multiply_adds"] == hidden * 5 * 3 * 8**3


def test_a_run_writes_its_steps_where_asked(digits: Path, tmp_path: Path) -> None:
    runs.train_dense(TrainSpec.read({**TINY, "length": "8it", "rewind": "1it"}), place(digits, tmp_path / "without"))
    assert not (tmp_path / "without/steps.csv").exists()
    spec = TrainSpec.read({**TINY, "length": "8it", "rewind": "1it", "step_losses": True})
    runs.train_dense(spec, place(digits, tmp_path / "with"))
    table = io.read_table(tmp_path / "with/steps.csv", "steps")
    assert table[["seed", "step"]].to_numpy().tolist() == [[seed, step] for seed in (0, 1) for step in range(1, 9)]
    assert table["loss"].between(0.5, 3).all()


def test_eg_keeps_signs_and_zero_biases(dense: Path) -> None:
    start, end = (io.read_tensors(dense / f"{name}.safetensors")[0] for name in ("init", "final"))
    for name, value in start.items():
        np.testing.assert_array_equal(np.sign(value), np.sign(end[name]), err_msg=name)
    assert not end["rnn.bias_hh_l0"].any()


def test_rounds_are_exact_nested_and_start_from_the_rewind_point(dense: Path, digits: Path, tmp_path: Path) -> None:
    previous, before = dense, None
    for number, density in enumerate((0.5, 0.25), start=1):
        out = tmp_path / f"round{number}"
        runs.prune_round(round_spec(TINY, number, density), place(digits, out), dense, previous)
        mask, final = io.read_tensors(out / "mask.safetensors")[0], io.read_tensors(out / "final.safetensors")[0]
        assert set(mask) == {"rnn.weight_hh_l0", "rnn.weight_hh_l1", "rnn.weight_ih_l1"}
        assert masks.density(mask).tolist() == [density, density]
        for name, keep in mask.items():
            assert (final[name][~keep] == 0).all()
            assert (final[name][keep] != 0).all()
            if before is not None:
                assert not (keep & ~before[name]).any()
        rows = metrics(out)
        assert [row["epoch"] for row in rows if row["seed"] == "0"] == ["2", "3"]
        assert {float(row["density"]) for row in rows} == {density}
        previous, before = out, mask


def test_a_round_can_train_the_masks_of_another_recipe(dense: Path, digits: Path, tmp_path: Path) -> None:
    made, again = tmp_path / "made", tmp_path / "again"
    runs.prune_round(round_spec(TINY, 1, 0.5), place(digits, made), dense, dense)
    spec = round_spec(TINY, 1, 0.5, criterion=None, scope=None, restart="random")
    runs.prune_round(spec, place(digits, again), dense, made)
    mask = io.read_tensors(made / "mask.safetensors")[0]
    for name, keep in io.read_tensors(again / "mask.safetensors")[0].items():
        np.testing.assert_array_equal(keep, mask[name])
    assert [row["epoch"] for row in metrics(again) if row["seed"] == "0"] == ["1", "2", "3"]  # a fresh start


@pytest.mark.parametrize("criterion", ["snip", "grasp", "synflow"])
def test_one_shot_rounds_prune_the_initial_network(criterion: str, dense: Path, digits: Path, tmp_path: Path) -> None:
    for number, density in enumerate((0.5, 0.25), start=1):
        out = tmp_path / f"round{number}"
        spec = round_spec(TINY, number, density, criterion=criterion, one_shot=True)
        runs.prune_round(spec, place(digits, out), dense, dense)
        assert masks.density(io.read_tensors(out / "mask.safetensors")[0]).tolist() == [density, density]


def test_copies_of_a_round_differ_in_their_data_order_alone(dense: Path, digits: Path, tmp_path: Path) -> None:
    spec, made = round_spec(TINY, 1, 0.5), tmp_path / "made"
    runs.prune_round(spec, place(digits, made), dense, dense)
    mask, own = (io.read_tensors(made / f"{name}.safetensors")[0] for name in ("mask", "final"))
    ends = [own]
    for copy in (1, 2):
        out = tmp_path / f"copy{copy}"
        runs.train_copy(spec, copy, place(digits, out), dense, made)
        ends.append(io.read_tensors(out / "final.safetensors")[0])
        assert [row["iteration"] for row in metrics(out)] == [row["iteration"] for row in metrics(made)]
        for name, keep in mask.items():
            assert (ends[-1][name][~keep] == 0).all()
    for a, b in itertools.combinations(ends, 2):
        assert (a["output.weight"] != b["output.weight"]).any()
    rows = list(connectivity.lines(Setting.of(spec.training, digits), dict(enumerate(ends)), 3))
    assert len(rows) == 3 * 3 * 2  # pairs, points, lanes
    last = [row for row in metrics(made) if row["seed"] == "0"][-1]
    assert 1 - rows[0]["test_error"] == pytest.approx(float(last["test_accuracy"]))  # the end of a line is the copy


@pytest.mark.parametrize(
    ("recipe", "epochs"),
    [
        ({"restart": "random"}, ["1", "2", "3"]),
        ({"restart": "keep", "schedule_restart": "constant_last"}, ["2", "3"]),
        ({"restart": "signs", "scope": "layerwise"}, ["2", "3"]),
        ({"criterion": "magnitude_init"}, ["2", "3"]),
    ],
)
def test_other_recipes(recipe: dict[str, str], epochs: list[str], dense: Path, digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "round1"
    runs.prune_round(round_spec(TINY, 1, 0.4, **recipe), place(digits, out), dense, dense)
    rows = [row for row in metrics(out) if row["seed"] == "1"]
    assert [row["epoch"] for row in rows] == epochs
    rates = [float(row["lr"]) for row in rows]
    assert rates[-1] == pytest.approx(0.7 * 0.81)
    assert (rates[0] == rates[-1]) == (recipe.get("schedule_restart") == "constant_last")


def test_a_key_found_whole_in_the_store_trains_nothing(
    dense: Path, digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = contents(dense)
    for file in dense.iterdir():
        file.unlink()
    runs.train_dense(TrainSpec.read(TINY), place(digits, dense))
    assert "nothing to train" in capsys.readouterr().out
    assert contents(dense) == kept


def test_the_same_data_from_another_source_train_nothing(
    dense: Path, digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What counts is the data's checksums: a mirror or a folder of the user's own may have delivered them."""
    elsewhere = tmp_path / "digits"
    shutil.copytree(digits, elsewhere)
    description = io.read_json(elsewhere / "dataset.json")
    io.write_json(elsewhere / "dataset.json", {**description, "source": "elsewhere"})
    runs.train_dense(TrainSpec.read(TINY), Place(elsewhere, tmp_path / "again", dense.parent / ".store"))
    assert "nothing to train" in capsys.readouterr().out


def test_a_lane_key_changes_with_what_the_run_starts_from(dense: Path, digits: Path, tmp_path: Path) -> None:
    keys = []
    for seed_of_round in (1, 2):
        spec = round_spec(TINY, seed_of_round, 0.5, criterion="random")
        out = tmp_path / f"round{seed_of_round}"
        runs.prune_round(spec, place(digits, out), dense, dense if seed_of_round == 1 else tmp_path / "round1")
        keys.append(io.read_json(out / "run.json")["lane_key"])
    assert keys[0] != keys[1]


def test_a_lane_key_covers_every_plug_in_that_the_run_loads(
    dense: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a schedule of the recipe's own: else the store would serve what an edited schedule did before."""
    loaded: set[tuple[str, str]] = set()
    covered: set[tuple[str, str]] = set()
    for name in ("load", "load_class"):
        original = getattr(plugins, name)
        monkeypatch.setattr(
            plugins, name, lambda kind, name, load=original: (loaded.add((kind, name)), load(kind, name))[1]
        )
    sources = provenance.sources
    monkeypatch.setattr(provenance, "sources", lambda program, used: (covered.update(used), sources(program, used))[1])
    one_cycle = {"name": "one_cycle"}
    runs.prune_round(round_spec(TINY, 1, 0.5, schedule=one_cycle), place(digits, tmp_path / "round"), dense, dense)
    assert ("schedules", "one_cycle") in loaded
    assert loaded <= covered
    covered.clear()
    in_run = {"at": ["2ep"], "densities": [0.5], "schedule_after": one_cycle}
    values = {"training": TINY, "recipe": {"criterion": "magnitude", "scope": "global"}, "prunable": PRUNABLE}
    runs.prune_in_run(InRunSpec.read({**values, "in_run": in_run}), place(digits, tmp_path / "in_run"))
    assert loaded <= covered


def test_in_run_pruning_writes_the_density_that_was_trained(digits: Path, tmp_path: Path) -> None:
    spec = InRunSpec.read(
        {
            "training": {**TINY, "length": "4ep"},
            "recipe": {"criterion": "magnitude", "scope": "global"},
            "prunable": PRUNABLE,
            "in_run": {
                "at": ["2ep", "4ep"],
                "densities": [0.5, 0.25],
                "schedule_after": {"name": "step", "every": "1ep", "gamma": 0.1},
            },
        }
    )
    runs.prune_in_run(spec, place(digits, tmp_path / "run"))
    densities = [float(row["density"]) for row in metrics(tmp_path / "run") if row["seed"] == "0"]
    assert densities == [1.0, 1.0, 0.5, 0.5]
    assert masks.density(io.read_tensors(tmp_path / "run/mask.safetensors")[0]).tolist() == [0.25, 0.25]


def test_sparse_training_writes_a_ticket(digits: Path, tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "training": {**TINY, "length": "4ep"},
        "sparsify": {"name": "gradual_magnitude", "density": 0.25, "end": "2ep", "every": "3it"},
        "scope": "global",
        "prunable": PRUNABLE,
    }
    spec = ScenarioSpec.read(values)
    runs.train_scenario(spec, place(digits, tmp_path / "run"))
    files = {"metrics.csv", "mask.safetensors", "final.safetensors", "run.json", "init.safetensors"}
    assert files <= {file.name for file in (tmp_path / "run").iterdir()}
    densities = [float(row["density"]) for row in metrics(tmp_path / "run") if row["seed"] == "0"]
    assert densities[0] > densities[1] > densities[2] == densities[3] == 0.25
    assert masks.density(io.read_tensors(tmp_path / "run/mask.safetensors")[0]).tolist() == [0.25, 0.25]
    for changed, message in (
        ({"sparsify": {**values["sparsify"], "end": "4ep"}}, "option end of gradual_magnitude is 4ep, iteration 24"),
        ({"sparsify": {**values["sparsify"], "density": 0.001}}, "keeps no weight"),
        ({"prunable": ["fc1.weight"]}, "matches no parameter"),
    ):
        with pytest.raises(UserError, match=message):
            runs.train_scenario(ScenarioSpec.read({**values, **changed}), place(digits, tmp_path / "wrong"))
        assert not (tmp_path / "wrong/metrics.csv").exists()


PROGRAM = [sys.executable, str(ROOT / "workflow_scripts/train_dense.py")]


def test_kill_minus_nine_then_the_same_command_ends_with_the_same_bits(digits: Path, tmp_path: Path) -> None:
    spec = {**TINY, "length": "60ep", "seeds": [0]}

    def command(out: Path) -> list[str]:
        return [*PROGRAM, "--spec", json.dumps(spec), "--data", str(digits), "--out", str(out)]

    undisturbed = tmp_path / "undisturbed"
    subprocess.run(command(undisturbed), check=True, capture_output=True, env=ENVIRONMENT)
    killed = tmp_path / "killed"
    process = subprocess.Popen(command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    deadline = time.monotonic() + 60
    while not list(killed.glob(".store/*/checkpoint.safetensors")):
        assert process.poll() is None, "it finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "metrics.csv").exists()
    again = subprocess.run(command(killed), check=True, capture_output=True, text=True, env=ENVIRONMENT)
    assert "continuing at iteration" in again.stdout
    assert contents(killed) == contents(undisturbed)


def test_an_orphan_with_other_values_stops_and_overwrites_nothing(digits: Path, tmp_path: Path) -> None:
    """The workflow was killed, its trainer was not; the config was edited and the workflow started again."""
    out, spec = tmp_path / "out", {**TINY, "length": "2000ep", "seeds": [0]}
    command = [*PROGRAM, "--data", str(digits), "--out", str(out), "--spec"]
    orphan = subprocess.Popen(
        [*command, json.dumps(spec)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    deadline = time.monotonic() + 60
    while not list(out.glob(".store/*/checkpoint.safetensors")):
        assert orphan.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    runs.train_dense(TrainSpec.read(TINY), Place(digits, out, out / ".store"))
    newer = contents(out)
    assert "Another training job" in " ".join(orphan.communicate(timeout=60)[1].split())
    assert orphan.returncode == 1
    assert contents(out) == newer
    assert len(metrics(out)) == 6


def test_progress_file(dense: Path, digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    runs.train_dense(TrainSpec.read({**TINY, "seeds": [5]}), place(digits, out))
    progress = io.read_json(out / "progress.json")
    assert progress["epoch"] == progress["epochs"] == 3
    assert progress["rate"] == pytest.approx(0.7 * 0.81)
    assert progress["images_per_second"] > 0
    assert 0 <= progress["accuracy"] <= 1
    assert progress["loss"] == pytest.approx(float(metrics(out)[-1]["train_loss"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rewind": "3ep"}, "rewind: 3ep is at or after the end of training"),
        ({"rewind": "18it"}, "rewind: 18it is at or after the end of training"),
        ({"dataset": "fashion_mnist"}, "holds the data set digits"),
        ({"validation": 1500}, "No training images left"),
        ({"train_on": "most"}, "valid are 'holdout' and 'all'"),
        ({"precision": "fp8"}, "precision is 'fp8'"),
        ({"model": {"name": "rnn", "hidden": 0, "layers": 2}}, "model.hidden"),
        ({"length": "3"}, "not a duration"),
    ],
)
def test_wrong_specs_end_before_training(change: dict[str, Any], message: str, digits: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        runs.train_dense(TrainSpec.read({**TINY, **change}), place(digits, tmp_path / "out"))
    assert not (tmp_path / "out" / "metrics.csv").exists()


def test_best_cannot_be_used_when_every_rate_diverged(tmp_path: Path) -> None:
    io.write_json(tmp_path / "best.json", {"lr": None, "candidates": [{"lr": "0.5"}, {"lr": "0.7"}]})
    with pytest.raises(UserError, match=r"a lane diverged at each rate of the sweep \(0\.5, 0\.7\)"):
        resolve(TrainSpec.read({**TINY, "lr": "best"}), tmp_path / "best.json")


def test_a_missing_or_further_key_is_named() -> None:
    with pytest.raises(UserError, match="colour"):
        TrainSpec.read({**TINY, "colour": "red"})


def test_rounds_refuse_runs_of_other_seeds(dense: Path, digits: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds the seeds \[0,1\], but the job is for \[0, 2\]"):
        runs.prune_round(round_spec({**TINY, "seeds": [0, 2]}, 1, 0.5), place(digits, tmp_path / "o"), dense, dense)


def test_a_diverged_run_succeeds_and_its_rounds_stay_out(digits: Path, tmp_path: Path) -> None:
    wild = {**TINY, "lr": "1e30", "clip": None, "seeds": [0]}
    runs.train_dense(TrainSpec.read(wild), place(digits, tmp_path / "dense"))
    assert io.read_json(tmp_path / "dense/run.json")["diverged"] == [0]
    # The run stopped at its first mark, which is its rewind point.
    out = tmp_path / "round1"
    runs.prune_round(round_spec(wild, 1, 0.5), place(digits, out), tmp_path / "dense", tmp_path / "dense")
    assert io.read_json(out / "run.json")["diverged"] == [0]


def test_the_pruning_program_by_hand_runs_all_rounds(digits: Path, tmp_path: Path) -> None:
    options = ["--dataset", "digits", "--data", str(digits), "--out", str(tmp_path / "out"), "--optimizer", "eg"]
    options += ["--learning-rate", "0.7", "--epochs", "2", "--batch-size", "500", "--rounds", "2", "--density", "0.5"]
    options += ["--model-options", '{"hidden": 8, "layers": 2}', "--threads", "1"]
    program = [sys.executable, str(ROOT / "workflow_scripts/prune.py"), *options]
    done = subprocess.run(program, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert "round 2: density 0.5000" in done.stdout
    assert "epoch 2/2" in done.stderr
    mask = io.read_tensors(tmp_path / "out/round2/mask.safetensors")[0]
    assert masks.density(mask).tolist() == [0.5]


@pytest.mark.parametrize("program", ["train_dense", "prune", "prune_in_run"])
def test_help(program: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / f"workflow_scripts/{program}.py"), "--help"],
        capture_output=True, text=True, env=ENVIRONMENT, check=True,
    )  # fmt: skip
    assert "--learning-rate" in done.stdout


def by_hand(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / f"workflow_scripts/{program}.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)


def namespace(*options: str) -> argparse.Namespace:
    made = training_options.parser(None)
    training_options.add_pruning(made)
    return made.parse_args(["--out", "out", *options])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--learning-rate is missing"),
        (["--learning-rate", "abc"], "--learning-rate is 'abc'"),
        (["--learning-rate=-1"], "--learning-rate is '-1'"),
        (["--learning-rate", "0"], "--learning-rate is '0'"),
        (["--learning-rate", "nan"], "--learning-rate is 'nan'"),
        (["--learning-rate", "1e999"], "--learning-rate is '1e999'"),
        (["--learning-rate", "1e300"], "--learning-rate is '1e300'; it must be a number from 1e-12 to 1e12"),
        (["--batch-size", "0"], "--batch-size is '0'"),
        (["--epochs", "0"], "--epochs is '0'"),
        (["--epochs", "1.5"], "--epochs is '1.5'"),
        (["--rounds", "0"], "--rounds is '0'"),
        (["--density", "1"], "--density is '1'"),
        (["--clip", "inf"], "--clip is 'inf'"),
        (["--rewind", "1"], "--rewind: '1' is not a duration"),
        (["--seeds", "1,0x"], "--seeds is '1,0x'"),
        (["--seeds", "0,0"], "names a seed twice"),
        (["--seeds", ""], "--seeds is ''"),
        (["--model-options", "hidden"], "it must be a JSON object"),
        (["--model-options", "[1]"], "it must be a JSON object"),
        (["--learning-rate", "1", "--model-options", '{"hiden":3}'], "--model-options: .*'hiden'.* mean 'hidden'"),
        (["--learning-rate", "1", "--model-options", '{"hidden":"3"}'], "hidden of rnn is '3'"),
        (["--learning-rate", "1", "--optimizer-options", '{"beta":3}'], "--optimizer-options: .*'beta' is not known"),
        (["--learning-rate", "1", "--schedule", '{"every":"5ep"}'], "--schedule: The key 'name' is missing"),
    ],
)
def test_wrong_options_by_hand_are_named(options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        training_options.round_specs(namespace(*options))


@pytest.mark.parametrize("program", ["train_dense", "prune", "prune_in_run"])
def test_a_wrong_option_is_one_paragraph(program: str, tmp_path: Path) -> None:
    done = by_hand(program, "--learning-rate", "abc", "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --learning-rate is 'abc'")
    assert "Traceback" not in done.stderr


def test_the_data_follow_the_dataset_and_their_absence_says_what_fetches_them(tmp_path: Path) -> None:
    args = namespace("--dataset", "digits", "--learning-rate", "0.1")
    assert training_options.place(args).data == Path("results/data/digits")
    assert training_options.place(namespace("--data", "mine")).data == Path("mine")
    with pytest.raises(UserError, match=r"download\.py --dataset digits --out .*/digits`") as raised:
        runs.train_dense(TrainSpec.read(TINY), place(tmp_path / "digits", tmp_path / "out"))
    assert "Delete" not in str(raised.value)


def test_a_spec_needs_no_learning_rate_and_says_which_data(digits: Path, tmp_path: Path) -> None:
    args = namespace("--spec", json.dumps({"training": {"dataset": "digits"}}))
    assert args.learning_rate is None
    assert training_options.place(args).data == Path("results/data/digits")


def test_model_options_default_to_those_in_the_help() -> None:
    spec = training_options.train_spec(namespace("--learning-rate", "0.1"))
    assert spec["model"] == {"name": "rnn"}
    assert training_options.train_spec(namespace("--learning-rate", "7.0e-1"))["lr"] == "0.7"  # as config spells it
    assert "hidden 256, layers 3" in training_options.parser(None).format_help().replace("\n", " ")
    own = inspect.signature(plugins.load_class("models", "rnn")).parameters
    assert (own["hidden"].default, own["layers"].default) == (256, 3)


def test_in_run_pruning_by_hand_uses_its_schedules_and_offers_no_others() -> None:
    made = training_options.parser(None, gamma=0.5)
    training_options.add_in_run(made)
    common = ["--out", "out", "--learning-rate", "0.7"]
    spec = training_options.in_run_spec(made.parse_args(common))
    assert spec["training"]["schedule"] == {"name": "step", "every": "5ep", "gamma": 0.5}
    assert spec["in_run"]["schedule_after"] == {"name": "step", "every": "5ep", "gamma": 0.1}
    assert spec["in_run"]["at"] == ["5ep", "9ep", "12ep", "16ep", "20ep"]
    InRunSpec.read(spec)
    mine, after = {"name": "step", "every": "2ep", "gamma": 0.9}, {"name": "step", "every": "3ep", "gamma": 0.8}
    options = ["--schedule", json.dumps(mine), "--schedule-after", json.dumps(after)]
    spec = training_options.in_run_spec(made.parse_args([*common, *options]))
    assert spec["training"]["schedule"] == mine
    assert spec["in_run"]["schedule_after"] == after
    sparse = ["--scope", "layerwise", "--sparsify", '{"name": "dynamic_sparse", "end": "9ep"}']
    spec = training_options.in_run_spec(made.parse_args([*common, *sparse]))
    assert spec["sparsify"] == {"name": "dynamic_sparse", "density": 0.2, "end": "9ep"}
    assert isinstance(in_run_spec(spec), ScenarioSpec)
    wrong = made.parse_args([*common, "--sparsify", '{"name": "l1_proximal", "end": "9ep"}'])
    with pytest.raises(UserError, match="--sparsify: The option strength of l1_proximal is missing"):
        training_options.in_run_spec(wrong)
    text = made.format_help()
    assert not [option for option in ("--rounds", "--restart", "--schedule-restart") if option in text]


def test_help_shows_every_default() -> None:
    made = training_options.parser(None)
    training_options.add_pruning(made)
    text = " ".join(made.format_help().split())
    for action in made._actions:
        if action.default not in (None, argparse.SUPPRESS, {}):
            shown = json.dumps(action.default) if isinstance(action.default, dict) else str(action.default)
            assert f"(default: {shown})" in text, action.dest
