"""What a sweep's trials add up to: rows, times, the order of configurations; and real trials on digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from winnow import data, io, schemas, scratch_run, scratch_space, sweep
from winnow.errors import UserError
from winnow.scratch import training
from winnow.search import Search

SPACE = scratch_space.check(
    {"epochs": [1], "hidden_size": [8, 16], "activation": ["relu", "tanh"], "batch_size": [200]}
)
SPEC = {"dataset": "digits", "trials": 4, "space": SPACE, "stop_hopeless": False}


def trial(number: int, started: float, finished: float, **row: Any) -> optuna.trial.FrozenTrial:
    """A finished trial with these values in its last row."""
    last = {"epoch": 1.0, "train_loss": 0.5, "train_accuracy": 0.8, "validation_loss": 0.6, "diverged_step": None}
    last |= {"validation_accuracy": 0.7, **row}
    times = {"seconds": finished - started, "started": started, "finished": finished}
    made = optuna.trial.create_trial(
        value=last["validation_accuracy"] or 0.0,
        params={"hidden_size": 8},
        distributions={"hidden_size": optuna.distributions.CategoricalDistribution([8])},
        user_attrs={"result": {"rows": [last], **times, "worker": number, "pruned": False}},
    )
    made.number = number
    return made


def test_rows_are_numbered_without_gaps_and_tell_how_a_trial_ended() -> None:
    diverged = trial(5, 1.0, 2.0, validation_loss=None, validation_accuracy=None, diverged_step=3)
    pruned = trial(9, 2.0, 3.0)
    pruned.user_attrs["result"]["pruned"] = True
    rows = list(sweep.trial_rows("seed", [trial(2, 0.0, 1.0), diverged, pruned]))
    assert [row["trial"] for row in rows] == [0, 1, 2]
    assert [row["state"] for row in rows] == ["complete", "diverged", "pruned"]
    assert rows[0]["name"] == "run_hl-3_bs-32_act-relu_opt-adam"
    assert rows[1]["validation_accuracy"] is rows[1]["train_accuracy"] is None
    assert all(row.keys() == schemas.SCHEMAS["trials"].keys() for row in rows)


def test_times_in_which_no_trial_ran_do_not_count() -> None:
    trials = [trial(0, 100.0, 104.0), trial(1, 101.0, 110.0), trial(2, 1000.0, 1003.0), trial(3, 1003.0, 1005.0)]
    rows = list(sweep.trial_rows("seed", trials))
    assert [(row["started"], row["finished"]) for row in rows] == [(0, 4), (1, 10), (10, 13), (13, 15)]


def test_configurations_stand_by_accuracy_then_loss_then_number() -> None:
    accuracies, losses = [0.7, 0.9, 0.9, 0.9, None], [0.1, 0.5, 0.4, 0.5, None]
    trials = [
        trial(i, i, i + 1, validation_accuracy=a, validation_loss=b, diverged_step=None if a else 4)
        for i, (a, b) in enumerate(zip(accuracies, losses, strict=True))
    ]
    trials.append(trial(5, 5, 6, validation_accuracy=0.99))
    trials[5].user_attrs["result"]["pruned"] = True  # not trained to its end
    found = sweep.configurations("seed", trials)
    assert [entry["trial"] for entry in found] == [2, 1, 3, 0]
    assert [entry["rank"] for entry in found] == [1, 2, 3, 4]
    assert found[0]["settings"]["layers"] == (8, 8, 8)


def test_more_trials_stay_in_the_folder_and_another_space_does_not(digits: Path, tmp_path: Path) -> None:
    def folder(**change: Any) -> Path:
        return sweep.folder(tmp_path, {**SPEC, **change}, digits)

    assert folder() == folder(trials=100)
    assert len({folder(), folder(space={**SPACE, "epochs": [1, 2]}), folder(stop_hopeless=True)}) == 3


def test_a_spec_that_lacks_something() -> None:
    assert sweep.read({"dataset": "digits", "trials": 4, "space": {"epochs": 1}})["space"] == {"epochs": [1]}
    for spec in ({}, {**SPEC, "trials": 0}, {**SPEC, "space": 3}):
        with pytest.raises(UserError, match="--spec must say what to search"):
            sweep.read(spec)


def test_trials_are_the_trainings_that_their_settings_mean(digits: Path, tmp_path: Path) -> None:
    packed = data.load(digits)
    search = Search(tmp_path, SPACE)
    sweep.work(search, packed, 4, worker=7)
    trials = search.finished()
    rows = list(sweep.trial_rows("seed", trials))
    io.write_table(tmp_path / "trials.csv", "trials", rows)
    io.write_table(tmp_path / "epochs.csv", "trial_epochs", sweep.epoch_rows("seed", trials))
    assert len(rows) == 4
    assert {row["worker"] for row in rows} == {7}
    best = sweep.configurations("seed", trials)
    io.write_json(tmp_path / "best.json", {"configurations": best})
    settings = scratch_run.settings_of({"rank": 1, "seed": 0}, tmp_path / "best.json")
    again = list(training.on(settings, packed, test=False).epochs())[-1]
    assert again["validation_accuracy"] == best[0]["validation_accuracy"] == max(r["validation_accuracy"] for r in rows)
    assert again["validation_loss"] == best[0]["validation_loss"]
    with pytest.raises(UserError, match=r"has 4 configurations .* but number 5 is asked for"):
        scratch_run.settings_of({"rank": 5, "seed": 0}, tmp_path / "best.json")


def test_a_trial_that_diverges_is_told_with_the_worst_value(digits: Path, tmp_path: Path) -> None:
    space = scratch_space.check({**SPACE, "learning_rate": 1e30, "optimizer": "sgd", "loss": "cross_entropy"})
    search = Search(tmp_path, space)
    sweep.work(search, data.load(digits), 1, worker=0)
    assert search.finished()[0].value == 0
    row = next(sweep.trial_rows("seed", search.finished()))
    assert row["state"] == "diverged"
    assert row["validation_accuracy"] is None
    assert sweep.configurations("seed", search.finished()) == []
