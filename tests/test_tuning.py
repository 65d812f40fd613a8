"""The tuning of an optimiser: its budget, what survives a kill, what is chosen, and the space that is searched."""

from __future__ import annotations

import dataclasses
import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from winnow import io, runs, schemas, search, search_space, tuned, tuning, tuning_space
from winnow.errors import UserError
from winnow.spec import ScenarioSpec, TuningSpec
from winnow.stored_run import Place
from winnow.trial_progress import TrialProgress

ENTRY: dict[str, Any] = {
    "lr": "0.1",
    "batch_size": 64,
    "l2": 0.0,
    "optimizer": {"name": "sgd", "momentum": 0.5},
    "schedule": {"name": "one_cycle"},
    "sparsify": None,
}
RATES = {"low": 0.01, "high": 1.0, "log": True}


@pytest.fixture
def spec(tiny: dict[str, Any]) -> TuningSpec:
    """Three trials of an epoch, two finalists of three."""
    training = {**tiny, "optimizer": {"name": "sgd"}, "seeds": [0], "rewind": "0it"}
    scenario = {"training": training, "sparsify": None, "scope": "global", "prunable": ["rnn.weight_hh_l*"]}
    values = {"scenario": scenario, "space": {"lr": RATES}, "start": {"lr": 0.1}}
    return TuningSpec.read({**values, "trials": 3, "length": "1ep", "finalists": 2})


def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """(settings, length) of every training from now on."""
    seen: list[tuple[Any, ...]] = []
    train = tuning.train

    def noted(
        spec: ScenarioSpec, settings: dict[str, Any], length: str | None, data: Path, progress: TrialProgress
    ) -> dict[str, Any]:
        seen.append((settings, length))
        return train(spec, settings, length, data, progress)

    monkeypatch.setattr(tuning, "train", noted)
    return seen


def test_trials_then_finalists_and_nothing_twice(
    spec: TuningSpec, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = trained(monkeypatch)
    rows, chosen = tuning.tune(spec, digits, tmp_path / "tunings", tmp_path / "store")
    assert seen[0] == ({"lr": 0.1}, "1ep")  # config's own setting comes first
    assert [length for _, length in seen] == ["1ep"] * 3 + [None] * 2
    assert [row["stage"] for row in rows] == ["trial"] * 3 + ["finalist"] * 2
    assert [row["epochs"] for row in rows] == [1, 1, 1, 3, 3]
    assert all(row.keys() == schemas.SCHEMAS["tuning_trials"].keys() for row in rows)
    trials, finalists = rows[:3], rows[3:]
    best = sorted(trials, key=lambda row: row["validation_loss"])
    assert finalists[0]["trial"] == best[0]["trial"]
    assert finalists[1]["trial"] in [row["trial"] for row in best[1:]]
    winner = min(finalists, key=lambda row: row["validation_loss"])
    assert (chosen["trial"], chosen["lr"]) == (winner["trial"], winner["lr"])
    assert chosen["validation_loss"] == winner["validation_loss"]
    assert all(float(row["lr"]) == float(f"{float(row['lr']):.3g}") for row in rows)
    seen.clear()
    assert tuning.tune(spec, digits, tmp_path / "tunings", tmp_path / "store") == (rows, chosen)
    assert not seen
    tuning.tune(dataclasses.replace(spec, trials=4), digits, tmp_path / "tunings", tmp_path / "store")
    assert seen[0][1] == "1ep"  # the fourth trial, and at most a new finalist
    assert len(seen) <= 2


def test_finalists_differ() -> None:
    def trial(number: int, loss: float | None = 0.3, **settings: Any) -> optuna.trial.FrozenTrial:
        made = optuna.trial.create_trial(
            value=0.0, user_attrs={"result": {"settings": settings, "validation_loss": loss}}
        )
        made.number = number
        return made

    rates = [trial(i, lr=lr) for i, lr in enumerate((0.1, 0.11, 0.09, 0.14, 0.01))]
    assert [one.number for one in tuning.distinct(rates, 1)] == [0]
    assert [one.number for one in tuning.distinct(rates, 3)] == [0, 3, 4]
    assert [one.number for one in tuning.distinct(rates, 5)] == [0, 3, 4, 1, 2]  # all differences are used up
    assert [one.number for one in tuning.distinct([*rates[:2], trial(9, None, lr=9.0)], 2)] == [0, 1]  # lost at 9
    other = [trial(0, lr=0.1, nesterov=True), trial(1, lr=0.1, nesterov=True), trial(2, lr=0.1, nesterov=False)]
    assert [one.number for one in tuning.distinct(other, 2)] == [0, 2]


def test_a_killed_tuning_goes_on(
    spec: TuningSpec, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tuning.tune(spec, digits, tmp_path / "whole", tmp_path / "store")
    train, calls = tuning.train, 0

    def killed(*arguments: Any) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls in (3, 6):  # the third trial, then the second finalist
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(tuning, "train", killed)
    again = []
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            tuning.tune(spec, digits, tmp_path / "killed", tmp_path / "store")
        for lock in (tmp_path / "killed").rglob("trial*.lock"):
            lock.unlink()  # a real kill frees it with its process
    again = tuning.tune(spec, digits, tmp_path / "killed", tmp_path / "store")
    without_times = [[{**row, "seconds": 0} for row in rows] for rows, _ in (whole, again)]
    assert without_times[0] == without_times[1]
    assert again[1] == whole[1]
    assert calls == 7


def test_two_processes_do_the_same_tuning_once_and_find_the_same(
    spec: TuningSpec, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    train, begun, go_on, lengths = tuning.train, threading.Event(), threading.Event(), list[str | None]()

    def slow(
        spec: ScenarioSpec, settings: dict[str, Any], length: str | None, data: Path, progress: TrialProgress
    ) -> dict[str, Any]:
        lengths.append(length)
        if len(lengths) == 1:
            begun.set()
            go_on.wait(60)
        return train(spec, settings, length, data, progress)

    monkeypatch.setattr(tuning, "train", slow)
    found: dict[str, Any] = {}

    def work(name: str) -> None:
        found[name] = tuning.tune(spec, digits, tmp_path / "tunings", tmp_path / "store")

    first, second = (threading.Thread(target=work, args=(name,)) for name in ("first", "second"))
    first.start()
    begun.wait(60)
    second.start()
    second.join(2)  # it would be through by then
    go_on.set()
    first.join()
    second.join()
    assert found["first"] == found["second"]
    assert lengths == ["1ep"] * 3 + [None] * 2
    assert "waiting for another process" in capfd.readouterr().out


def test_no_two_trials_are_the_same_setting(
    spec: TuningSpec, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range with two settings of three digits: none is tried twice, and it ends when no other is found."""
    monkeypatch.setattr(search, "TRIES", 1000)
    narrow = dataclasses.replace(
        spec, space={"lr": {"low": 0.1, "high": 0.101, "log": False}}, start={"lr": 0.1}, trials=9
    )
    result = {"epoch": 1, "validation_loss": 0.5, "validation_accuracy": 0.8, "diverged_step": None, "seconds": 1.0}
    monkeypatch.setattr(tuning, "train", lambda *_: dict(result))
    rows, _ = tuning.tune(narrow, digits, tmp_path / "tunings", tmp_path / "store")
    rates = [row["lr"] for row in rows if row["stage"] == "trial"]
    assert sorted(rates) == ["0.1", "0.101"]
    assert len({row["lr"] for row in rows if row["stage"] == "finalist"}) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "The tuning spec has trials: 0; valid is a whole number >= 1"),
        ({"finalists": "2"}, "The tuning spec has finalists: '2'"),
        ({"space": {"lr": {"low": 0.1, "high": 1.0}}}, "in the form that is needed it is .*'log': False"),
        ({"space": {"optimizer.beta": [1]}}, "The option 'optimizer.beta' is not known"),
        ({"train_on": "all"}, "scenario.training.train_on: 'all'; valid is 'holdout'"),
    ],
)
def test_a_wrong_spec_by_hand_is_told(
    spec: TuningSpec, digits: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    if "train_on" in change:
        training = dataclasses.replace(spec.scenario.training, **change)
        change = {"scenario": spec.scenario.with_training(training)}
    with pytest.raises(UserError, match=message):
        tuning.tune(dataclasses.replace(spec, **change), digits, tmp_path / "tunings", tmp_path / "store")
    assert not (tmp_path / "tunings").exists()


def test_diverged_trials_are_kept_and_never_chosen(spec: TuningSpec, digits: Path, tmp_path: Path) -> None:
    training = dataclasses.replace(spec.scenario.training, optimizer={"name": "eg"})  # exp(lr * gradient) overflows
    spec = dataclasses.replace(spec, scenario=spec.scenario.with_training(training))
    wild = dataclasses.replace(spec, space={"lr": [0.1, 1e12]}, start={"lr": 1e12}, trials=2)
    rows, chosen = tuning.tune(wild, digits, tmp_path / "tunings", tmp_path / "store")
    assert [row["diverged_step"] is None for row in rows if row["stage"] == "trial"] == [False, True]
    assert chosen["lr"] == "0.1"
    hopeless = dataclasses.replace(spec, space={"lr": [1e11, 1e12]}, start={}, trials=2)
    with pytest.raises(UserError, match="All 2 finalists of 2 trials diverged"):
        tuning.tune(hopeless, digits, tmp_path / "tunings", tmp_path / "store")


def test_the_chosen_setting_is_what_the_final_run_trains(spec: TuningSpec, digits: Path, tmp_path: Path) -> None:
    best = tmp_path / "best.json"
    io.write_json(best, {"lr": "0.05", "settings": {"optimizer.momentum": 0.5, "batch_size": 100}})
    final = tuned.resolve(
        spec.scenario.with_training(dataclasses.replace(spec.scenario.training, lr="best", seeds=[0, 1])), best
    )
    assert final.training.optimizer == {"name": "sgd", "momentum": 0.5}
    runs.train_scenario(final, Place(digits, tmp_path / "run", tmp_path / "store"))
    run = json.loads((tmp_path / "run/run.json").read_text())
    assert (run["lr"], run["spec"]["training"]["batch_size"]) == ("0.05", 100)
    masks, _ = io.read_tensors(tmp_path / "run/mask.safetensors")
    assert [(name, mask.all(), len(mask)) for name, mask in sorted(masks.items())] == [
        ("rnn.weight_hh_l0", True, 2), ("rnn.weight_hh_l1", True, 2),
    ]  # fmt: skip
    best_rate = final.with_training(dataclasses.replace(final.training, lr="best"))
    with pytest.raises(UserError, match="needs the file that a tuning wrote"):
        tuned.resolve(best_rate, None)
    io.write_json(best, {"lr": "0.05", "candidates": []})  # that of a sweep of rates
    with pytest.raises(UserError, match=r"best\.json holds no chosen setting"):
        tuned.resolve(best_rate, best)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"rate": RATES}, "The option 'rate' is not known. .*lr, optimizer.dampening"),
        ({"optimizer.beta": [0.1]}, "The option 'optimizer.beta' is not known"),
        ({"sparsify.density": [0.1]}, "The option 'sparsify.density' is not known"),
        ({"optimizer.momentum": [0.1, 1.5]}, "The option momentum of sgd is 1.5; valid is"),
        ({"optimizer.momentum": {"low": 0.1, "high": 1.0}}, "The option momentum of sgd is 1.0; valid is"),
        ({"lr": {"low": 0, "high": 1}}, "A learning rate must be a number above 0"),
        ({"lr": []}, "valid is at least one value"),
        ({"lr": [0.1, "1e-1"]}, "none twice"),
        ({"lr": {"low": 1, "high": 0.1}}, "low < high"),
        ({"batch_size": [0]}, "0 is not valid; valid is a whole number of at least 1"),
        ({"l2": [-1.0]}, "-1.0 is not valid; valid is a number >= 0"),
        ({"l2": ["much"]}, "'much' is not valid; valid is a number >= 0"),
        ({"optimizer.nesterov": {"low": False, "high": True}}, "False is not valid; a range is one of numbers"),
    ],
)
def test_a_wrong_space_is_told(space: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tuning_space.check(space, ENTRY)


def test_a_space_starts_where_config_stands() -> None:
    given = {"lr": RATES, "optimizer.momentum": [0.5, 0.9], "schedule.pct_start": {"low": 0.1, "high": 0.5}}
    space = tuning_space.check({**given, "optimizer.weight_decay": {"low": 1e-5, "high": 0.1, "log": True}}, ENTRY)
    # The schedule's default is in its range; no decay, the default, is not in that of its logarithm.
    assert tuning_space.start(space, ENTRY) == {"lr": 0.1, "optimizer.momentum": 0.5, "schedule.pct_start": 0.3}
    found = tuning_space.apply({"lr": 0.02, "optimizer.momentum": 0.9, "batch_size": 32, "l2": 0.01}, ENTRY)
    assert (found["lr"], found["batch_size"], found["l2"]) == ("0.02", 32, 0.01)
    assert found["optimizer"]["momentum"] == 0.9
    assert ENTRY["optimizer"]["momentum"] == 0.5
    assert tuning_space.rounded({"lr": 0.0123456, "batch_size": 12345}) == {"lr": 0.0123, "batch_size": 12345}


def test_points_that_are_spread_lie_apart_in_every_option() -> None:
    space = {
        "lr": {"low": 0.01, "high": 10.0, "log": True}, "n": {"low": 1, "high": 9, "log": False}, "of": ["a", "b", "c"],
    }  # fmt: skip
    found = search_space.spread(space, 3, np.random.default_rng(0))
    values = {option: [point[option] for point in found] for option in space}
    assert sorted(values["lr"]) == pytest.approx([10**-1.5, 10**-0.5, 10**0.5])
    assert sorted(values["n"]) == [2, 5, 8]
    assert sorted(values["of"]) == ["a", "b", "c"]
    assert sorted(values["lr"]) != values["lr"] or sorted(values["n"]) != values["n"]  # not along a diagonal


def test_the_search_closes_in_on_the_best_rate(tmp_path: Path) -> None:
    """On a made-up loss with its minimum at 0.05, and a cliff above 1."""
    space = {"lr": {"low": 1e-3, "high": 10.0, "log": True}}
    found = search.Search(tmp_path, space, starts=[{"lr": 0.3}, {"lr": 0.02}], sampler=tuning.gaussian_process)
    while (trial := found.next(10)) is not None:
        distance = math.log10(trial.params["lr"] / 0.05)
        found.finish(trial, {}, tuning.WORST if trial.params["lr"] > 1 else -math.log(0.3 + 0.1 * distance**2))
    rates = [trial.params["lr"] for trial in found.finished()]
    assert rates[:2] == [0.3, 0.02]
    assert 0.03 < max(found.finished(), key=lambda trial: trial.value).params["lr"] < 0.08
    assert all(rate <= 1 for rate in rates[6:])  # it has learnt where it diverges


@pytest.mark.parametrize(
    ("read", "values", "message"),
    [
        (TuningSpec.read, {}, "The tuning spec has no 'scenario'"),
        (TuningSpec.read, {"scenario": {"sparsify": None}}, "The scenario spec has no 'training'"),
        (ScenarioSpec.read, {"training": 3}, "The scenario spec has no 'training', a mapping"),
        (ScenarioSpec.read, {"training": {}}, r"The training spec has the keys \[\], it needs exactly"),
    ],
)
def test_a_spec_that_misses_a_part_is_told(read: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(values)
