"""The contract of every criterion, found by its file name, and the hand-computed scores of ours."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from winnow import lottery, masks, networks, plugins
from winnow.seeds import stream

NAMES = ["rnn.weight_hh_l0", "rnn.weight_ih_l1"]
SHAPES = {"rnn.weight_ih_l0": (4, 3), "rnn.weight_hh_l0": (4, 4), "rnn.bias_hh_l0": (4,), "rnn.weight_ih_l1": (4, 4)}
POINTS = ("weights", "initial", "rewind")
CRITERIA = plugins.names("criteria")


def point(number: int, seeds: tuple[int, ...]) -> dict[str, np.ndarray]:
    lanes = [{name: stream(s, "init", number).standard_normal(shape) for name, shape in SHAPES.items()} for s in seeds]
    return {name: np.stack([lane[name] for lane in lanes]).astype(np.float32) for name in SHAPES}


def context(
    seeds: tuple[int, ...] = (0, 1, 2), round_number: int = 1, needs: tuple[str, ...] = POINTS
) -> lottery.Context:
    points = {name: point(number, seeds) if name in needs else None for number, name in enumerate(POINTS)}
    return lottery.Context(**points, mask=None, streams=[stream(s, "mask", round_number) for s in seeds], names=NAMES)


def test_the_required_criteria_exist() -> None:
    assert {"magnitude", "magnitude_init", "magnitude_rewind", "movement", "random"} <= set(CRITERIA)


@pytest.mark.parametrize("name", CRITERIA)
def test_scores_have_the_shapes_of_the_prunable_tensors(name: str) -> None:
    scores = plugins.load("criteria", name).score(context())
    assert list(scores) == NAMES
    for tensor, values in scores.items():
        assert values.shape == (3, *SHAPES[tensor])
        assert np.issubdtype(values.dtype, np.floating)
        assert np.isfinite(values).all()
        assert len(np.unique(values)) > 1


@pytest.mark.parametrize("name", CRITERIA)
def test_needs_are_literal_true_and_enough(name: str) -> None:
    plugin = plugins.load("criteria", name)
    needs = plugins.constant("criteria", name, "NEEDS")
    assert tuple(plugin.NEEDS) == needs
    assert set(needs) <= set(POINTS)
    alone = plugin.score(context(needs=needs))  # works without the others
    for tensor, values in plugin.score(context()).items():
        np.testing.assert_array_equal(alone[tensor], values)


@pytest.mark.parametrize("name", CRITERIA)
def test_selected_by_is_true(name: str) -> None:
    """A literal that says whose largest |w| are kept: the scores are ordered like them, or like none of the points'."""
    found = networks.selected_by(name)
    scores = plugins.load("criteria", name).score(context())
    assert found == plugins.load("criteria", name).SELECTED_BY

    def ordered_like(number: int) -> bool:
        sizes = {tensor: np.abs(value) for tensor, value in point(number, (0, 1, 2)).items()}
        return all(np.array_equal(scores[n].ravel().argsort(), sizes[n].ravel().argsort()) for n in NAMES)

    assert [attribute for number, attribute in enumerate(POINTS) if ordered_like(number)] == ([found] if found else [])


@pytest.mark.parametrize("name", CRITERIA)
def test_scoring_is_pure(name: str) -> None:
    given = context()
    first = plugins.load("criteria", name).score(given)
    for values in first.values():
        values += 1  # a result must not be a view of the context
    for attribute, number in zip(POINTS, range(3), strict=True):
        for tensor, values in point(number, (0, 1, 2)).items():
            np.testing.assert_array_equal(getattr(given, attribute)[tensor], values)
    again = plugins.load("criteria", name).score(context())
    for tensor in NAMES:
        np.testing.assert_array_equal(first[tensor], again[tensor] + 1)


@pytest.mark.parametrize("name", CRITERIA)
def test_lanes_do_not_see_each_other(name: str) -> None:
    score = plugins.load("criteria", name).score
    together = score(context((0, 1, 2)))
    for lane in range(3):
        alone = score(context((lane,)))
        for tensor in NAMES:
            np.testing.assert_array_equal(alone[tensor][0], together[tensor][lane])


@pytest.mark.parametrize("scope", masks.SCOPES)
@pytest.mark.parametrize("name", CRITERIA)
def test_masks_are_exact_and_nested_over_rounds(name: str, scope: str) -> None:
    previous = None
    for number, density in enumerate(lottery.round_densities(0.2, rounds=4), 1):
        mask = lottery.make_mask(name, dataclasses.replace(context(round_number=number), mask=previous), density, scope)
        assert list(mask) == NAMES
        for lane in range(3):
            kept = [int(mask[tensor][lane].sum()) for tensor in NAMES]
            if scope == "global":
                assert sum(kept) == masks.kept_count(density, 32)
            else:
                assert kept == [masks.kept_count(density, 16)] * 2
        for tensor in NAMES if previous is not None else ():
            assert not (mask[tensor] & ~previous[tensor]).any()
        previous = mask


FOUR = {
    "weights": np.array([[0.5, -2.0, 1.0, -0.25]], np.float32),
    "initial": np.array([[0.75, -1.0, -1.0, 0.5]], np.float32),
    "rewind": np.array([[-0.5, 3.0, 0.0, 4.0]], np.float32),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("magnitude", [0.5, 2.0, 1.0, 0.25]),
        ("magnitude_init", [0.75, 1.0, 1.0, 0.5]),
        ("magnitude_rewind", [0.5, 3.0, 0.0, 4.0]),
        ("movement", [0.25, 1.0, 2.0, 0.75]),
    ],
)
def test_four_weights(name: str, expected: list[float]) -> None:
    points = {key: {"w": value} for key, value in FOUR.items()}
    given = lottery.Context(**points, mask=None, streams=[stream(0, "mask")], names=["w"])
    assert plugins.load("criteria", name).score(given)["w"].tolist() == [expected]


def test_random_scores_are_uniform_and_new_in_every_round_and_lane() -> None:
    big = {"w": np.zeros((3, 100, 100), np.float32)}
    draws = []
    for number in (1, 2):
        streams = [stream(seed, "mask", number) for seed in range(3)]
        given = lottery.Context(weights=big, initial=None, rewind=None, mask=None, streams=streams, names=["w"])
        draws += list(plugins.load("criteria", "random").score(given)["w"].reshape(3, -1))
    values = np.array(draws)
    assert values.min() >= 0
    assert values.max() < 1
    np.testing.assert_allclose(values.mean(axis=1), 0.5, atol=5 * 12**-0.5 / 100)
    assert np.abs(np.corrcoef(values) - np.eye(6)).max() < 0.05
