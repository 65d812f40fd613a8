"""Importance, correlation and values of a sweep's settings, against hand-computed ones."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas
import pytest

from winnow.confusion import per_class
from winnow.schemas import SCHEMAS
from winnow.trial_statistics import correlation, importance_rows, importances, listed, value_rows, values, varied

NONE = {name: None for name in SCHEMAS["trials"]}


def _trials(accuracies: list[float | None], **settings: list[Any]) -> pandas.DataFrame:
    columns = {name: list(column) for name, column in settings.items()}
    rows = [
        {**NONE, "validation_accuracy": accuracy, **{name: columns[name][i] for name in columns}}
        for i, accuracy in enumerate(accuracies)
    ]
    return pandas.DataFrame(rows)


def test_importance_is_the_share_of_variance() -> None:
    """Accuracy 0.2 a + 0.1 b over a grid: variances 0.01 and 0.0025, so shares of 4/5 and 1/5."""
    grid = 5 * list(product([0.001, 0.0001], ["random", "xavier"], [16, 32, 64]))
    rates, inits, sizes = zip(*grid, strict=True)
    accuracies = [0.2 * (rate == 0.001) + 0.1 * (init == "xavier") for rate, init in zip(rates, inits, strict=True)]
    trials = _trials(accuracies, learning_rate=rates, weight_init=inits, batch_size=sizes)
    assert varied(trials) == ["learning_rate", "batch_size", "weight_init"]
    found = importances(trials, varied(trials))
    assert found == pytest.approx({"learning_rate": 0.8, "weight_init": 0.2, "batch_size": 0.0}, abs=1e-9)
    assert [row["parameter"] for row in importance_rows(trials)] == ["learning_rate", "weight_init", "batch_size"]


def test_importance_weighs_choices_alike_however_often_they_were_tried() -> None:
    """Means 0.3, 0.1, 0.6 of the three names and 0, 0.1 of the two: variances 0.0422 and 0.0025."""
    names = 30 * ["relu"] + 4 * ["sigmoid"] + 10 * ["tanh"]
    inits = [["random", "xavier"][i % 2] for i in range(len(names))]
    level = {"relu": 0.3, "sigmoid": 0.1, "tanh": 0.6, "random": 0.0, "xavier": 0.1}
    accuracies = [level[name] + level[init] for name, init in zip(names, inits, strict=True)]
    found = importances(_trials(accuracies, activation=names, weight_init=inits), ["activation", "weight_init"])
    variance = float(np.var([0.3, 0.1, 0.6]))
    assert found["activation"] == pytest.approx(variance / (variance + 0.0025), abs=0.03)


def test_importance_of_a_range_is_seen_on_its_logarithm() -> None:
    """Half of the decades from 1e-5 to 1e-1 is good: as much variance as a coin's, though a hundredth of the range."""
    rates = np.logspace(-5, -1, 60)
    inits = [["random", "xavier"][i % 2] for i in range(60)]
    accuracies = [0.5 * (rate > 1e-3) + 0.5 * (init == "xavier") for rate, init in zip(rates, inits, strict=True)]
    trials = _trials(accuracies, learning_rate=rates.tolist(), weight_init=inits)
    assert importances(trials, varied(trials))["learning_rate"] == pytest.approx(0.5, abs=0.02)


def test_importance_of_nothing_is_empty() -> None:
    flat = _trials([0.5, 0.5, 0.5], batch_size=[16, 32, 64])
    assert importances(flat, ["batch_size"]) == {"batch_size": None}
    assert importances(_trials([0.5], batch_size=[16]), []) == {}
    one = _trials([0.5, None], batch_size=[16, 32])
    assert importances(one, ["batch_size"]) == {"batch_size": None}
    assert importance_rows(one) == []  # of the trials with an accuracy there is one: nothing differs


def test_a_setting_that_some_trials_lack_has_no_importance() -> None:
    trials = _trials([0.1, 0.2, 0.3, 0.5], batch_size=[16, 16, 32, 32], momentum=[0.9, 0.8, None, None])
    assert importances(trials, varied(trials)) == {"batch_size": 1.0, "momentum": None}


def test_names_that_some_trials_lack_are_one_more_choice() -> None:
    """Layers are named where they are unequal: half of the trials, which are better by 0.2."""
    layers = [None, "128,64"] * 10
    trials = _trials(
        [0.2 + 0.2 * (i % 2) + 0.1 * (i // 10) for i in range(20)], layers=layers, epochs=[5] * 10 + [9] * 10
    )
    assert importances(trials, ["layers", "epochs"]) == pytest.approx({"layers": 0.8, "epochs": 0.2}, abs=0.01)


def test_correlation_is_of_ranks_and_without_diverged_trials() -> None:
    trials = _trials([0.3, 0.2, 0.1, None], learning_rate=[1e-4, 1e-3, 1e-2, 1e-5], activation=["relu", "tanh"] * 2)
    assert correlation(trials, "learning_rate") == pytest.approx(-1)
    assert correlation(trials, "activation") is None


def test_values_by_hand() -> None:
    trials = _trials([0.5, 0.7, 0.9, None], activation=["tanh", "relu", "tanh", "sigmoid"], batch_size=[16] * 4)
    relu, tanh = value_rows(trials)
    assert relu == {
        "parameter": "activation", "value": "relu", "trials": 1, "mean": 0.7, "sd": None, "best": 0.7,
        "correlation": pytest.approx(0),
    }  # fmt: skip
    assert (tanh["value"], tanh["trials"], tanh["mean"], tanh["best"]) == ("tanh", 2, 0.7, 0.9)
    assert tanh["sd"] == pytest.approx(0.2 * 2**0.5)


def test_a_range_has_four_parts_and_every_trial_is_in_one() -> None:
    column = pandas.Series(np.linspace(1, 300, 101))
    assert not listed(column)
    parts = values(column)
    assert [text for text, _ in parts] == ["1 to 76", "76 to 150", "150 to 230", "230 to 300"]
    assert (np.sum([inside for _, inside in parts], axis=0) == 1).all()
    assert [int(inside.sum()) for _, inside in parts] == [25, 25, 25, 26]


def test_lists_and_ranges() -> None:
    assert listed(pandas.Series([0, 0.0005, 0.5]))
    assert listed(pandas.Series([1, 2, 3, 4, 5, 6]))
    assert not listed(pandas.Series([0.1, 0.2, 0.3, 0.4]))  # no rate twice: drawn from a range
    assert not listed(pandas.Series(range(32, 512)))
    assert [text for text, _ in values(pandas.Series([0.5, 0.0005, 0.0, 0.5]))] == ["0", "0.0005", "0.5"]


def test_per_class_by_hand() -> None:
    """Of 4 cats 3 are called so and 1 a dog; of 2 dogs 1 and 1; no bird is there, none is named."""
    cat, dog, bird = per_class(np.array([[3, 1, 0], [1, 1, 0], [0, 0, 0]]))
    assert (cat.precision, cat.recall, cat.f1, cat.images) == (0.75, 0.75, 0.75, 4)
    assert (dog.precision, dog.recall, dog.f1, dog.images) == (0.5, 0.5, 0.5, 2)
    assert (bird.precision, bird.recall, bird.f1, bird.images) == (None, None, None, 0)


def test_per_class_is_by_rows_and_columns() -> None:
    first, second = per_class(np.array([[8, 2], [0, 10]]))
    assert (first.precision, first.recall, first.f1) == (1.0, 0.8, pytest.approx(2 * 0.8 / 1.8))
    assert (second.precision, second.recall) == (10 / 12, 1.0)
