"""The space of a tuning: paths into what a run is told, `lr`, `batch_size`, `l2` or `optimizer.momentum`.

Checked against the plug-ins' signatures without importing them. `entry` is what a run is told: {"lr": 0.1,
"batch_size": 64, "l2": 0.0, "optimizer": {...}, "schedule": {...}, "sparsify": {...} or None}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from winnow import options
from winnow.errors import UserError
from winnow.options import WrongValueError
from winnow.rates import rate_text
from winnow.search_space import Space, choices, interval

KINDS = {"optimizer": "optimizers", "schedule": "schedules", "sparsify": "sparsifiers"}
DIGITS = 3  # significant, of a tuned number: more say nothing, and rates are names


def check(space: Mapping[str, Any], entry: Mapping[str, Any]) -> Space:
    """The space in its one form. WrongValueError names the path and what is valid."""
    found: Space = {}
    for path, given in space.items():
        try:
            _check_path(path, entry)
            if isinstance(given, Mapping):
                found[path] = interval(given, partial(_number, path, entry))
            else:
                found[path] = choices(given, partial(_value, path, entry))
        except UserError as error:
            raise WrongValueError(str(path), str(error)) from error
    return found


def start(space: Space, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What `entry`, or a plug-in's default, says of the options of a checked space, where it lies in the space."""
    found = {}
    for path, valid in space.items():
        kind, _, option = path.partition(".")
        value = float(entry["lr"]) if path == "lr" else entry[path] if not option else None
        if option:
            value = options.value_of(KINDS[kind], entry[kind], option)
        if value in valid if isinstance(valid, list) else value is not None and valid["low"] <= value <= valid["high"]:
            found[path] = value
    return found


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """A point of a space, its numbers to DIGITS digits."""
    return {path: float(f"{x:.{DIGITS}g}") if isinstance(x, float) else x for path, x in values.items()}


def apply(settings: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """`entry` with these settings: `lr` as text, options within their plug-in's."""
    found = dict(entry)
    for path, value in settings.items():
        kind, _, option = path.partition(".")
        if option:
            found[kind] = {**found[kind], option: value}
        else:
            found[path] = rate_text(value) if path == "lr" else value
    return found


def _check_path(path: Any, entry: Mapping[str, Any]) -> None:
    kinds = {kind: known for kind, known in KINDS.items() if entry.get(kind)}
    valid = ["lr", "batch_size", "l2"]
    for kind, known in kinds.items():
        valid += [f"{kind}.{option}" for option in options.parameters(known, entry[kind]["name"])]
    if path not in valid:
        raise UserError(options.unknown("The option", path, valid))


def _value(path: str, entry: Mapping[str, Any], given: Any) -> Any:
    kind, _, option = path.partition(".")
    if path == "lr":
        return float(rate_text(given))
    if path == "batch_size":
        if type(given) is not int or given < 1:
            raise UserError(f"{given!r} is not valid; valid is a whole number of at least 1.")
        return given
    if path == "l2":
        if not isinstance(value := options.as_number(given), float) or not 0 <= value < math.inf:
            raise UserError(f"{given!r} is not valid; valid is a number >= 0.")
        return value
    return options.check(KINDS[kind], {**entry[kind], option: given})[option]


def _number(path: str, entry: Mapping[str, Any], given: Any) -> Any:
    value = _value(path, entry, given)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{given!r} is not valid; a range is one of numbers.")
    return value
