"""Durations keep their unit."""

from __future__ import annotations

import pytest

from winnow.duration import Duration
from winnow.errors import UserError


@pytest.mark.parametrize(("text", "count", "unit"), [("20ep", 20, "ep"), ("4000it", 4000, "it"), ("0it", 0, "it")])
def test_parse_and_print(text: str, count: int, unit: str) -> None:
    duration = Duration.parse(text)
    assert duration == Duration(count, unit)
    assert str(duration) == text


def test_iterations() -> None:
    assert Duration.parse("20ep").iterations(235) == 4700
    assert Duration.parse("20it").iterations(235) == 20
    assert Duration.parse("0ep").iterations(235) == 0


@pytest.mark.parametrize(
    "text", ["20", "ep", "", "20 ep", "-1ep", "1.5ep", "20epochs", "20EP", "1e3it", "٣ep", "20ep\n", 20, None]
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(UserError, match="'20ep' or iterations as '4000it'") as caught:
        Duration.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(("count", "unit"), [(5, "min"), (-1, "ep"), (5, "")])
def test_impossible_durations(count: int, unit: str) -> None:
    with pytest.raises(UserError, match="is not a duration"):
        Duration(count, unit)


def test_units_do_not_compare_equal() -> None:
    assert Duration.parse("5ep") != Duration.parse("5it")
