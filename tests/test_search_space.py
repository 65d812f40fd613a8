"""The space of a sweep: what is valid in config, its size, and draws from it."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from winnow import scratch_space, search_space
from winnow.options import WrongValueError
from winnow.scratch.settings import Settings
from winnow.seeds import stream

SPACE = {
    "activation": ["ReLU", "tanh"],
    "optimizer": "nesterov",
    "learning_rate": {"low": "1e-4", "high": 0.01, "log": True},
    "weight_decay": [0, 0.5],
    "num_layers": {"low": 1, "high": 3},
    "hidden_size": [16, 32],
}


def test_a_space_in_its_one_form() -> None:
    checked = scratch_space.check(SPACE)
    assert checked == {
        "num_layers": {"low": 1, "high": 3, "log": False},
        "hidden_size": [16, 32],
        "activation": ["relu", "tanh"],
        "optimizer": ["nag"],
        "learning_rate": {"low": 1e-4, "high": 0.01, "log": True},
        "weight_decay": [0.0, 0.5],
    }
    assert scratch_space.check(checked) == checked
    assert list(scratch_space.check(dict(reversed(SPACE.items())))) == list(checked)  # its order is not config's


@pytest.mark.parametrize(
    ("space", "option", "message"),
    [
        ({"learning_rates": [1]}, "learning_rates", "Did you mean 'learning_rate'"),
        ({"seed": [0, 1]}, "seed", "is not known"),
        ({"activation": ["swish"]}, "activation", "no activation 'swish'"),
        ({"learning_rate": [0]}, "learning_rate", "learning_rate is 0"),
        ({"beta1": {"low": 0.5, "high": 1.0}}, "beta1", "beta1 is 1.0"),
        ({"batch_size": [16.0]}, "batch_size", "valid is a whole number of at least 1"),
        ({"epochs": True}, "epochs", "valid is a whole number of at least 1"),
        ({"epochs": []}, "epochs", "at least one value"),
        ({"epochs": [5, 5]}, "epochs", "none twice"),
        ({"activation": {"low": 1, "high": 2}}, "activation", "valid is a list of choices"),
        ({"epochs": {"low": 5}}, "epochs", "valid is a list of choices"),
        ({"epochs": {"low": 5, "high": 5}}, "epochs", "low < high"),
        ({"weight_decay": {"low": 0, "high": 1, "log": True}}, "weight_decay", "0 < low if log is true"),
        ({"layers": [[32, 0]]}, "layers", "whole number of at least 1"),
        ({"layers": [[32]], "num_layers": [1]}, "num_layers", "layers gives all hidden layers"),
    ],
)
def test_a_wrong_space(space: dict[str, Any], option: str, message: str) -> None:
    with pytest.raises(WrongValueError, match=message) as raised:
        scratch_space.check(space)
    assert raised.value.path == option


def test_layers_of_unequal_sizes() -> None:
    checked = scratch_space.check({"layers": [[128, 64], [32], []]})
    assert checked == {"layers": ["128,64", "32", ""]}
    found = [scratch_space.settings({"layers": text}).layers for text in checked["layers"]]
    assert found == [(128, 64), (32,), ()]
    assert scratch_space.check({"layers": [128, 64]}) == {"layers": ["128,64"]}


def test_size() -> None:
    assert search_space.size(scratch_space.check({"epochs": [5, 10], "num_layers": {"low": 3, "high": 5}})) == 6
    assert search_space.size(scratch_space.check(SPACE)) == math.inf


def test_the_settings_of_a_point() -> None:
    point = {"num_layers": 2, "hidden_size": 16, "learning_rate": 0.01}
    assert scratch_space.settings(point, seed=3) == Settings(layers=(16, 16), learning_rate=0.01, seed=3)
    assert scratch_space.settings({"loss": "cross_entropy"}, loss="mean_squared_error").loss == "mean_squared_error"


def test_columns_tell_equal_and_unequal_layers_apart() -> None:
    equal, unequal = (scratch_space.columns(Settings(layers=layers)) for layers in ((64, 64, 64), (64, 32)))
    assert (equal["num_layers"], equal["hidden_size"], equal["layers"]) == (3, 64, None)
    assert (unequal["num_layers"], unequal["hidden_size"], unequal["layers"]) == (2, None, "64,32")
    assert scratch_space.columns(Settings(layers=()))["num_layers"] == 0


def test_draws_lie_in_the_space_and_reach_all_of_it() -> None:
    space = scratch_space.check(SPACE)
    draws = [search_space.draw(space, stream(0, "drawing", index)) for index in range(600)]
    assert search_space.draw(space, stream(0, "drawing", 7)) == draws[7]
    assert Counter(draw["num_layers"] for draw in draws).keys() == {1, 2, 3}
    assert min(Counter(draw["num_layers"] for draw in draws).values()) > 150
    rates = sorted(draw["learning_rate"] for draw in draws)
    assert 1e-4 <= rates[0] < 1.2e-4
    assert 0.9e-2 < rates[-1] <= 1e-2
    assert 0.7e-3 < rates[300] < 1.4e-3  # by the logarithm: the median is the geometric mean of the ends


def test_config_is_checked_without_numpy() -> None:
    code = "import sys, winnow.plan; print(sorted({'numpy', 'optuna', 'torch'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
