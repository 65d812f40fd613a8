"""The space of a search: which values its options may take. Checked without NumPy.

Every option has a list of choices, or a range {"low": 1e-4, "high": 0.01, "log": True} (of whole numbers where its ends
are), in which every value is as likely, by its logarithm if it says so. What options there are and what values they may
take, say `winnow.scratch_space` and `winnow.tuning_space`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from winnow.errors import UserError

if TYPE_CHECKING:
    import numpy as np

Space = dict[str, Any]


def choices(given: Any, value: Callable[[Any], Any]) -> list[Any]:
    """The choices of an option, each in the form that `value` gives it. UserError: none, or one of them twice."""
    found = [value(entry) for entry in (given if isinstance(given, list) else [given])]
    if not found or len(set(found)) < len(found):
        raise UserError(f"{given!r} is not valid; valid is at least one value, and none twice.")
    return found


def interval(given: Mapping[str, Any], number: Callable[[Any], Any] | None) -> dict[str, Any]:
    """A range with its ends in the form that `number` gives them (None: the option is no number). UserError."""
    valid = "valid is a list of choices, or {low: 0.0001, high: 0.01, log: true} for an option that is a number"
    log = given.get("log", False)
    if number is None or not {"low", "high"} <= given.keys() <= {"low", "high", "log"}:
        raise UserError(f"{dict(given)!r} is not valid; {valid}.")
    low, high = number(given["low"]), number(given["high"])
    if not isinstance(log, bool) or not low < high or (log and low <= 0):
        raise UserError(f"{dict(given)!r} is not valid; {valid}, with low < high, and 0 < low if log is true.")
    return {"low": low, "high": high, "log": log}


def whole(values: Any) -> bool:
    """Whether these are a range of whole numbers."""
    return isinstance(values, Mapping) and isinstance(values["low"], int)


def size(space: Space) -> float:
    """How many settings there are; infinite where a range of real numbers is among them."""
    counts = [
        len(values) if isinstance(values, list) else values["high"] - values["low"] + 1 if whole(values) else math.inf
        for values in space.values()
    ]
    return math.prod(counts)


def identity(values: Mapping[str, Any]) -> str:
    """Text that is equal for equal points of a space."""
    return json.dumps(dict(values), sort_keys=True)


def draw(space: Space, random: np.random.Generator) -> dict[str, Any]:
    """A point of the space, every choice equally likely; ranges uniformly, by their logarithm where they say so."""
    return {option: _drawn(values, random) for option, values in space.items()}


def spread(space: Space, count: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """Points that lie in different parts of every option, of `count` equal ones (McKay et al. 1979, Technometrics 21,
    239: Latin hypercube), in their middles."""
    places = {option: (random.permutation(count) + 0.5) / count for option in space}
    return [{option: _at(values, places[option][i]) for option, values in space.items()} for i in range(count)]


def neighbour(space: Space, values: Mapping[str, Any], random: np.random.Generator) -> dict[str, Any]:
    """The point with one option, of those that have a choice, drawn anew."""
    free = [option for option, valid in space.items() if not isinstance(valid, list) or len(valid) > 1]
    option = free[int(random.integers(len(free)))]
    return {**values, option: _drawn(space[option], random)}


def _drawn(values: Any, random: np.random.Generator) -> Any:
    if isinstance(values, list):
        return values[int(random.integers(len(values)))]
    return _at(values, random.random())


def _at(values: Any, share: float) -> Any:
    """The value below which this share of an option lies."""
    if isinstance(values, list):
        return values[int(share * len(values))]
    low, high = values["low"], values["high"] + whole(values)  # a whole number between: each as likely
    if values["log"]:
        drawn = math.exp(math.log(low) + (math.log(high) - math.log(low)) * share)
    else:
        drawn = float(low + (high - low) * share)
    return min(max(int(drawn), low), values["high"]) if whole(values) else min(max(drawn, low), high)
