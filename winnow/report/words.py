"""Numbers in sentences: never more than the data support. Without an interval (one seed) nothing is more or less."""

from __future__ import annotations

import math
from collections.abc import Sequence


def missing(value: object) -> bool:
    """Whether a cell is empty."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def count(number: int, thing: str) -> str:
    """'1 seed', '3 seeds'."""
    return f"{int(number):,} {thing}{'' if number == 1 else 's'}"


def sample(number: int, low: object, thing: str = "seed") -> str:
    """How much an estimate rests on: '3 seeds', or '1 seed, hence no interval'."""
    return count(number, thing) + (", hence no interval" if missing(low) else "")


def percent(value: float, digits: int = 2) -> str:
    """0.8983 -> '89.83 %'."""
    return f"{_number(100 * value, digits)} %"


def points(value: float, digits: int = 1) -> str:
    """0.031 -> '3.1', of a difference of shares."""
    return _number(100 * value, digits)


def density(value: float) -> str:
    """0.2 -> '20 %', 0.0321 -> '3.21 %'."""
    return f"{100 * value:.3g} %"


def densities(some: Sequence[float], every: Sequence[float]) -> str:
    """'2.89 to 24 %' where they are neighbours among all that there are, else '2.89, 24 and 70 %'."""
    ordered, order = sorted(some), sorted(every)
    first = order.index(ordered[0])
    if len(ordered) > 2 and order[first : first + len(ordered)] == ordered:
        return f"{density(ordered[0])[:-2]} to {density(ordered[-1])}"
    return f"{listing([density(value)[:-2] for value in ordered])} %"


def length(text: str) -> str:
    """'20ep' -> '20 epochs', '4000it' -> '4,000 iterations'."""
    for unit, thing in (("ep", "epoch"), ("it", "iteration")):
        if text.endswith(unit) and text[: -len(unit)].isdigit():
            return count(int(text[: -len(unit)]), thing)
    return text


def options(value: object) -> str:
    """{'name': 'rnn', 'layers': 3} -> 'rnn (layers 3)'."""
    if isinstance(value, dict):
        rest = ", ".join(f"{key} {options(item)}" for key, item in value.items() if key != "name")
        return f"{value.get('name', '')} ({rest})".strip() if rest else str(value.get("name", ""))
    if isinstance(value, list):
        return ", ".join(map(options, value))
    return "" if value is None else str(value)


def _number(value: float, digits: int = 2) -> str:
    text = f"{value:.{digits}f}".replace("-", "−")
    return text.replace("−", "") if float(text.replace("−", "-")) == 0 else text


def interval(low: object, high: object, factor: float = 100.0, digits: int = 2) -> str:
    """' [0.10, 0.70]', or nothing where there is none."""
    if missing(low) or missing(high):
        return ""
    return f" [{_number(factor * float(str(low)), digits)}, {_number(factor * float(str(high)), digits)}]"


def accuracy(mean: float, low: object, high: object, n: int) -> str:
    """'89.8 % [89.1, 90.5] (3 seeds)'."""
    return f"{percent(mean)}{interval(low, high)} ({sample(n, low)})"


def spread(values: Sequence[float], factor: float = 100.0, unit: str = " %", digits: int = 2) -> str:
    """Smallest to largest of the seeds, in words: '88.10 to 88.73 %'."""
    low, high = _number(factor * min(values), digits), _number(factor * max(values), digits)
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def verdict(difference: float, low: object, high: object) -> str:
    """'more', 'less', or '' where the interval holds 0 or there is none."""
    if missing(low) or missing(high):
        return ""
    return "more" if float(str(low)) > 0 else "less" if float(str(high)) < 0 else ""


def compare(
    a: str,
    b: str,
    difference: float,
    low: object,
    high: object,
    pairs: int,
    verb: str = "reaches",
    thing: str = "paired seed",
) -> str:
    """'eg reaches 0.40 [0.10, 0.70] points less than gd (3 paired seeds)', or what can be said instead."""
    size = f"{_number(100 * abs(difference))}"
    told = verdict(difference, low, high)
    if missing(low):
        direction = "above" if difference > 0 else "below"
        return f"{a} lies {size} points {direction} {b} ({sample(pairs, low, thing)})"
    if not told:
        signed = f"{_number(100 * difference)}{interval(low, high)}"
        return f"{a} and {b} cannot be told apart: {signed} points ({count(pairs, thing)})"
    ends = (low, high) if difference > 0 else (-float(str(high)), -float(str(low)))
    return f"{a} {verb} {size}{interval(*ends)} points {told} than {b} ({count(pairs, thing)})"


def listing(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


def amount(value: float) -> str:
    """'300,000', '2.63e11'."""
    return f"{value:,.0f}" if 1000 <= value < 1e7 else f"{value:.3g}".replace("e+", "e")


def seconds(value: float) -> str:
    """'3.2 s', '14 min', '5.1 h'."""
    if value < 100:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if value < 6000 else f"{value / 3600:.3g} h"
