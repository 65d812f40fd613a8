"""Masks are exact: hand-computed cases, and a slow obvious selection beside the fast one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest

from winnow import masks
from winnow.errors import UserError

T, F = True, False


def one_lane(*values: float) -> dict[str, np.ndarray]:
    return {"w": np.array([values], dtype=np.float32)}


def slow_select(scores: Mapping[str, np.ndarray], density: float, scope: str, previous: Mapping | None) -> dict:
    """Sort every lane's weights by (highest score, lowest index), the pruned ones out, and keep the first of them."""
    kept = {name: np.zeros(values.shape, bool) for name, values in scores.items()}
    for lane in range(len(next(iter(scores.values())))):
        for group in [list(scores)] if scope == "global" else [[name] for name in scores]:
            entries = []
            for name in group:
                for index in np.ndindex(scores[name].shape[1:]):
                    if previous is None or previous[name][lane][index]:
                        entries.append((-scores[name][lane][index], len(entries), name, index))
            total = sum(scores[name][lane].size for name in group)
            for _, _, name, index in sorted(entries)[: math.floor(Fraction(str(density)) * total + Fraction(1, 2))]:
                kept[name][lane][index] = True
    return kept


def assert_equal(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> None:
    assert list(first) == list(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], strict=True)


@pytest.mark.parametrize(
    ("density", "total", "kept"),
    [
        (0.2, 327_680, 65_536),
        (0.5, 4, 2),
        (0.5, 5, 3),  # a half is rounded up
        (0.1, 4, 0),
        (0.124, 4, 0),
        (0.125, 4, 1),
        (0.145, 100, 15),  # 0.145 * 100 is below 14.5 in binary
        (0.285, 100, 29),
        (0.9**3, 500, 365),
        (1 / 3, 3, 1),
        (0.0, 7, 0),
        (1.0, 7, 7),
        (1.0, 2**30, 2**30),
        (0.01, 327_680, 3277),
    ],
)
def test_kept_count(density: float, total: int, kept: int) -> None:
    assert masks.kept_count(density, total) == kept


def test_kept_count_is_exact_for_every_decimal_density() -> None:
    for thousandth in range(1001):
        for total in (4, 40, 100, 200, 500, 1000, 65_536, 266_200, 327_680, 2_261_184):
            exact = math.floor(Fraction(thousandth, 1000) * total + Fraction(1, 2))
            assert masks.kept_count(thousandth / 1000, total) == exact, (thousandth, total)


@pytest.mark.parametrize("density", [-0.1, 1.0001, math.nan, math.inf])
def test_impossible_densities(density: float) -> None:
    with pytest.raises(UserError, match=r"density.*between 0 and 1"):
        masks.kept_count(density, 10)


@pytest.mark.parametrize(
    ("scores", "density", "kept"),
    [
        ((1, 4, 2, 3), 0.5, [F, T, F, T]),
        ((1, 4, 2, 3), 0.25, [F, T, F, F]),
        ((1, 4, 2, 3), 0.75, [F, T, T, T]),
        ((1, 4, 2, 3), 1.0, [T, T, T, T]),
        ((1, 4, 2, 3), 0.0, [F, F, F, F]),
        ((0, 0, 0, 0), 0.5, [T, T, F, F]),  # ties keep the lower index
        ((1, 2, 1, 1), 0.5, [T, T, F, F]),
        ((1, 1, 2, 1), 0.75, [T, T, T, F]),
        ((-1, -2, -3, -4), 0.25, [T, F, F, F]),
        ((0.0, -0.0, 0.0, -0.0), 0.5, [T, T, F, F]),
        ((math.inf, -math.inf, 0, math.inf), 0.75, [T, F, T, T]),
    ],
)
def test_four_weights(scores: tuple[float, ...], density: float, kept: list[bool]) -> None:
    assert masks.select(one_lane(*scores), density)["w"].tolist() == [kept]


def test_scopes_by_hand() -> None:
    scores = {"a": np.array([[[9.0, 8.0], [7.0, 6.0]]]), "b": np.array([[5.0, 1.0, 2.0, 4.0]])}
    together = masks.select(scores, 0.5, "global")
    assert together["a"].tolist() == [[[T, T], [T, T]]]
    assert together["b"].tolist() == [[F, F, F, F]]
    apart = masks.select(scores, 0.5, "layerwise")
    assert apart["a"].tolist() == [[[T, T], [F, F]]]
    assert apart["b"].tolist() == [[T, F, F, T]]
    rates = masks.select(scores, {"b": 0.75, "a": 0.25}, "layerwise")
    assert rates["a"].tolist() == [[[T, F], [F, F]]]
    assert rates["b"].tolist() == [[T, F, T, T]]


def test_ties_across_tensors_keep_the_first_tensor() -> None:
    scores = {"late": np.ones((1, 2)), "early": np.ones((1, 2))}
    mask = masks.select(scores, 0.75)
    assert (mask["late"].tolist(), mask["early"].tolist()) == ([[T, T]], [[T, F]])


def test_pruned_weights_stay_pruned() -> None:
    previous = {"w": np.array([[F, T, T, T]])}
    assert masks.select(one_lane(9, 1, 2, 3), 0.5, "global", previous)["w"].tolist() == [[F, F, T, T]]
    # even against survivors that score -inf
    assert masks.select(one_lane(9, -math.inf, 2, 3), 0.75, "global", previous)["w"].tolist() == [[F, T, T, T]]


def random_case(generator: np.random.Generator, levels: int) -> dict[str, np.ndarray]:
    lanes = int(generator.integers(1, 4))
    return {
        name: generator.integers(0, levels, (lanes, *generator.integers(1, 6, axes))).astype(kind)
        for name, axes, kind in (("b", 2, np.float32), ("a", 1, np.float32), ("c", 3, np.float64))
    }


@pytest.mark.parametrize("scope", masks.SCOPES)
@pytest.mark.parametrize("levels", [2, 8, 10**6])
def test_fast_and_slow_selection_agree_over_rounds(scope: str, levels: int) -> None:
    generator = np.random.default_rng(levels)
    for _ in range(25):
        shapes = random_case(generator, levels)
        previous: dict[str, np.ndarray] | None = None
        for density in sorted(np.round(generator.random(3), 3).tolist(), reverse=True):
            scores = {name: generator.permuted(values, axis=-1) for name, values in shapes.items()}
            mask = masks.select(scores, density, scope, previous)
            assert_equal(mask, slow_select(scores, density, scope, previous))
            for name in mask if previous is not None else ():
                assert not (mask[name] & ~previous[name]).any()
            previous = mask


@pytest.mark.parametrize("ties", [False, True])
def test_counts_are_exact_at_full_size(ties: bool) -> None:
    generator = np.random.default_rng(0)
    scores = {f"w{i}": np.abs(generator.standard_normal((2, 128, 128), np.float32)) for i in range(5)}
    if ties:
        scores = {name: np.round(values, 1) for name, values in scores.items()}
    total = 5 * 128 * 128
    for density in generator.random(20):
        together = masks.select(scores, density)
        for lane in range(2):
            assert sum(int(m[lane].sum()) for m in together.values()) == masks.kept_count(density, total)
        for mask in masks.select(scores, density, "layerwise").values():
            assert mask.sum(axis=(1, 2)).tolist() == [masks.kept_count(density, 128 * 128)] * 2


def test_lanes_do_not_see_each_other() -> None:
    generator = np.random.default_rng(5)
    scores = {"a": generator.random((3, 6, 7)), "b": generator.random((3, 11))}
    first = masks.select(scores, 0.5)
    together = masks.select(scores, 0.3, "global", first)
    for lane in range(3):
        alone = {name: values[lane : lane + 1] for name, values in scores.items()}
        before = {name: values[lane : lane + 1] for name, values in first.items()}
        assert_equal(masks.select(alone, 0.3, "global", before), {n: m[lane : lane + 1] for n, m in together.items()})


def test_inputs_are_left_alone() -> None:
    scores, previous = one_lane(1, 4, 2, 3), {"w": np.array([[T, T, T, F]])}
    masks.select(scores, 0.5, "global", previous)
    assert scores["w"].tolist() == [[1, 4, 2, 3]]
    assert previous["w"].tolist() == [[T, T, T, F]]


def test_errors_name_the_cause() -> None:
    scores = {"a": np.ones((2, 4)), "b": np.ones((2, 4))}
    with pytest.raises(UserError, match=r"'locally'.*global, layerwise"):
        masks.select(scores, 0.5, "locally")
    with pytest.raises(UserError, match=r"1\.5"):
        masks.select(scores, 1.5)
    with pytest.raises(UserError, match="layerwise"):
        masks.select(scores, {"a": 0.5, "b": 0.5}, "global")
    with pytest.raises(UserError, match="for a, d, but the prunable tensors are a, b"):
        masks.select(scores, {"a": 0.5, "d": 0.5}, "layerwise")
    few = {"a": np.array([[T, T, T, T], [T, F, F, F]]), "b": np.zeros((2, 4), bool)}
    with pytest.raises(UserError, match=r"keeps 4 weights of a, b.*only 1 in lane 1.*never comes back"):
        masks.select(scores, 0.5, "global", few)
    with pytest.raises(ValueError, match=r"mask before has \['a'\]"):
        masks.select(scores, 0.5, "global", {"a": few["a"]})
    with pytest.raises(ValueError, match="or other shapes"):
        masks.select(scores, 0.5, "global", {"a": few["a"], "b": np.zeros((2, 5), bool)})
    with pytest.raises(ValueError, match="differ in lanes"):
        masks.select({"a": np.ones((2, 4)), "b": np.ones((1, 4))}, 0.5)
    with pytest.raises(ValueError, match="no scores"):
        masks.select({}, 0.5)
    scores["b"][1, 2] = math.nan
    with pytest.raises(ValueError, match="scores of b are NaN in lane 1"):
        masks.select(scores, 0.5)


def test_apply_makes_exact_zeros() -> None:
    weights = {
        "w": np.array([[-1.0, 2.0, math.nan, -math.inf]], np.float32),
        "bias": np.array([[3.0]], np.float32),
    }
    masked = masks.apply(weights, {"w": np.array([[F, T, F, F]])})
    assert masked["w"].tobytes() == np.array([[0.0, 2.0, 0.0, 0.0]], np.float32).tobytes()  # +0, not -0
    assert masked["w"].dtype == np.float32
    assert masked["bias"].tolist() == [[3.0]]
    assert math.isnan(weights["w"][0, 2])


def test_densities_per_lane() -> None:
    mask = {"a": np.array([[[T, F], [F, F]], [[T, T], [T, T]]]), "b": np.array([[T, T], [F, F]])}
    assert masks.density(mask).tolist() == [0.5, 4 / 6]
    assert masks.density(mask).dtype == np.float64


PARAMETERS = ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_hh_l0", "rnn.weight_ih_l1", "rnn.weight_hh_l1"]


def test_prunable_by_pattern_in_the_models_order() -> None:
    patterns = ["rnn.weight_hh_l*", "rnn.weight_ih_l[1-9]*"]
    assert masks.prunable(PARAMETERS, patterns) == ["rnn.weight_hh_l0", "rnn.weight_ih_l1", "rnn.weight_hh_l1"]
    assert masks.prunable(PARAMETERS, ["*weight*", "rnn.*"]) == PARAMETERS


def test_patterns_without_a_match_are_errors() -> None:
    with pytest.raises(UserError, match=r"'Rnn\.\*' matches no parameter.*rnn\.weight_ih_l0, rnn\.weight_hh_l0"):
        masks.prunable(PARAMETERS, ["rnn.*", "Rnn.*"])
    with pytest.raises(UserError, match="at least one"):
        masks.prunable(PARAMETERS, [])
