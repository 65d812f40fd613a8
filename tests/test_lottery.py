"""Round densities, restarts and start points, by hand."""

from __future__ import annotations

import itertools
import math
from types import ModuleType

import numpy as np
import pytest

from winnow import lottery, masks, plugins
from winnow.errors import UserError
from winnow.seeds import stream


def test_densities_by_rounds() -> None:
    densities = lottery.round_densities(0.2, rounds=5)
    assert densities == [0.2**0.2, 0.2**0.4, 0.2**0.6, 0.2**0.8, 0.2]
    assert np.round(densities, 4).tolist() == [0.7248, 0.5253, 0.3807, 0.2759, 0.2]  # the 27.52 % per step of the seed
    assert lottery.round_densities(0.2, rounds=1) == [0.2]
    assert lottery.round_densities(0.25, rounds=2) == [0.5, 0.25]
    assert [masks.kept_count(d, 327_680) for d in densities] == [237496, 172132, 124758, 90422, 65536]


@pytest.mark.parametrize(
    ("density", "rate", "expected"),
    [
        (0.25, 0.5, [0.5, 0.25]),
        (0.2, 0.5, [0.5, 0.25, 0.2]),
        (0.9, 0.5, [0.9]),
        (0.729, 0.1, [0.9, 0.9**2, 0.729]),  # 0.9**3 is 0.7290000000000001
        (0.2, 0.2752, [0.7248, 0.7248**2, 0.7248**3, 0.7248**4, 0.2]),  # 0.7248**5 = 0.20003 is no round of its own
    ],
)
def test_densities_by_rate(density: float, rate: float, expected: list[float]) -> None:
    assert lottery.round_densities(density, rate=rate) == expected


def test_the_deep_recipe() -> None:
    densities = lottery.round_densities(0.01, rate=0.2752)
    assert len(densities) == 15
    assert densities[-1] == 0.01
    assert all(after < before for before, after in itertools.pairwise(densities))
    assert densities[:-1] == [0.7248**r for r in range(1, 15)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"density": 0, "rounds": 5}, "density: 0 "),
        ({"density": 1.0, "rounds": 5}, r"density: 1\.0 .*strictly between 0 and 1"),
        ({"density": -0.2, "rate": 0.2}, r"density: -0\.2"),
        ({"density": math.nan, "rounds": 5}, "density: nan"),
        ({"density": 0.2, "rate": 0}, "rate: 0 .*strictly between 0 and 1"),
        ({"density": 0.2, "rate": 1.0}, r"rate: 1\.0"),
        ({"density": 0.2, "rate": math.nan}, "rate: nan"),
        ({"density": 0.2, "rate": 1e-20}, "rate: 1e-20 .*more than 1000 rounds"),
        ({"density": 0.2, "rounds": 0}, "rounds: 0 .*from 1"),
        ({"density": 0.2, "rounds": 1001}, "rounds: 1001 .*to 1000"),
        ({"density": 0.2}, "two of density, rounds and rate"),
        ({"density": 0.2, "rounds": 5, "rate": 0.2}, "two of density, rounds and rate"),
    ],
)
def test_wrong_densities_and_rates(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        lottery.round_densities(**arguments)  # type: ignore[arg-type]


TRAINED = {"w": np.array([[5.0, 6.0, 7.0, 8.0], [1.0, 2.0, 3.0, 4.0]], np.float32), "b": np.ones((2, 1), np.float32)}
INITIAL = {"w": np.full((2, 4), 9.0, np.float32), "b": np.full((2, 1), 9.0, np.float32)}
REWIND = {
    "w": np.array([[-1.0, 2.0, -3.0, 0.0], [4.0, 4.0, -4.0, 4.0]], np.float32),
    "b": np.array([[-2.0], [0.0]], np.float32),
}
FRESH = {"w": np.full((2, 4), -7.0, np.float32), "b": np.full((2, 1), 3.0, np.float32)}
MASK = {"w": np.array([[True, False, True, True], [False, True, True, False]])}


def restart(kind: str, **changed: object) -> dict[str, np.ndarray]:
    points: dict = {"trained": TRAINED, "initial": INITIAL, "rewind": REWIND, "fresh": FRESH, "mask": MASK, **changed}
    return lottery.restart(kind, **points)


@pytest.mark.parametrize(
    ("kind", "weights", "biases"),
    [
        ("rewind", [[-1.0, 0.0, -3.0, 0.0], [0.0, 4.0, -4.0, 0.0]], [[-2.0], [0.0]]),
        ("keep", [[5.0, 0.0, 7.0, 8.0], [0.0, 2.0, 3.0, 0.0]], [[1.0], [1.0]]),
        ("random", [[-7.0, 0.0, -7.0, -7.0], [0.0, -7.0, -7.0, 0.0]], [[3.0], [3.0]]),
        # mean magnitudes of all four weights: (1 + 2 + 3 + 0) / 4 = 1.5 and 4
        ("signs", [[-1.5, 0.0, -1.5, 0.0], [0.0, 4.0, -4.0, 0.0]], [[-2.0], [0.0]]),
    ],
)
def test_restarts(kind: str, weights: list, biases: list) -> None:
    start = restart(kind)
    assert list(start) == ["w", "b"]
    assert start["w"].tolist() == weights
    assert start["b"].tolist() == biases
    assert {value.dtype for value in start.values()} == {np.dtype(np.float32)}
    assert not np.signbit(start["w"][~MASK["w"]]).any()


@pytest.mark.parametrize("kind", lottery.RESTARTS)
def test_a_restart_owns_its_arrays(kind: str) -> None:
    for value in restart(kind).values():
        value += 100
    assert TRAINED["b"].tolist() == [[1.0], [1.0]]
    assert REWIND["b"].tolist() == [[-2.0], [0.0]]
    assert FRESH["b"].tolist() == [[3.0], [3.0]]


def test_without_a_rewind_point_the_initialisation_is_it() -> None:
    assert restart("rewind", rewind=None)["b"].tolist() == [[9.0], [9.0]]
    assert restart("signs", rewind=None)["w"].tolist() == [[9.0, 0.0, 9.0, 9.0], [0.0, 9.0, 9.0, 0.0]]


def test_restart_errors() -> None:
    with pytest.raises(UserError, match=r"'reset'.*rewind, random, keep, signs"):
        restart("reset")
    with pytest.raises(ValueError, match="fresh"):
        restart("random", fresh=None)
    assert restart("keep", fresh=None)["b"].tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("kind", "schedule", "start", "iterations", "first", "last"),
    [
        ("rewind", "rewind", 30, 70, 30, 99),
        ("keep", "rewind", 30, 70, 30, 99),  # learning-rate rewinding
        ("signs", "rewind", 30, 70, 30, 99),
        ("random", "rewind", 0, 100, 0, 99),
        ("rewind", "constant_last", 30, 70, 99, 99),
        ("keep", "constant_last", 30, 70, 99, 99),  # fine-tuning
        ("random", "constant_last", 0, 100, 99, 99),
    ],
)
def test_plans(kind: str, schedule: str, start: int, iterations: int, first: int, last: int) -> None:
    begin = lottery.start_of(kind, schedule, 30, 100)
    assert (begin.start, begin.total, begin.iterations) == (start, 100, iterations)
    assert begin.position(begin.start) == first
    assert begin.position(begin.total - 1) == last


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reset", "rewind", 1, 2), "'reset'.*rewind, random, keep, signs"),
        (("keep", "constant", 1, 2), "'constant'.*rewind, constant_last"),
        (("keep", "rewind", 2, 2), "rewind point at iteration 2 is not before"),
        (("keep", "rewind", -1, 2), "iteration -1"),
    ],
)
def test_wrong_plans(arguments: tuple[str, str, int, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        lottery.start_of(*arguments)


def context(**changed: object) -> lottery.Context:
    given: dict = {"weights": TRAINED, "initial": INITIAL, "rewind": REWIND, "mask": None, "names": ["w"]}
    return lottery.Context(**{**given, "streams": [stream(s, "mask", 1) for s in range(2)], **changed})


def test_make_mask_by_hand() -> None:
    mask = lottery.make_mask("magnitude", context(), 0.5, "global")
    assert mask["w"].tolist() == [[False, False, True, True]] * 2
    mask = lottery.make_mask("magnitude", context(mask=MASK), 0.25, "layerwise")
    assert mask["w"].tolist() == [[False, False, False, True], [False, False, True, False]]
    mask = lottery.make_mask("magnitude", context(), {"w": 0.25}, "layerwise")
    assert mask["w"].tolist() == [[False, False, False, True]] * 2


def test_make_mask_orders_tensors_as_the_model_does(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = ModuleType("reversed")
    plugin.NEEDS = ()  # type: ignore[attr-defined]
    plugin.score = lambda given: {name: np.ones((1, 2)) for name in reversed(given.names)}  # type: ignore[attr-defined]
    monkeypatch.setattr(plugins, "load", lambda kind, name: plugin)
    mask = lottery.make_mask("reversed", context(names=["b", "a"]), 0.5, "global")
    assert {name: keep.tolist() for name, keep in mask.items()} == {"b": [[True, True]], "a": [[False, False]]}
    plugin.score = lambda given: {"w": np.ones((1, 2))}  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"scored \['w'\] instead of \['a', 'b'\]"):
        lottery.make_mask("reversed", context(names=["b", "a"]), 0.5, "global")


def test_make_mask_errors() -> None:
    with pytest.raises(UserError, match=r"'magnitud'.*Did you mean 'magnitude'"):
        lottery.make_mask("magnitud", context(), 0.5, "global")
    with pytest.raises(ValueError, match="'movement' needs initial"):
        lottery.make_mask("movement", context(initial=None), 0.5, "global")
