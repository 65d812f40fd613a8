"""The space of a sweep: which values the options of a from-scratch training may take. Checked without NumPy.

In a checked space every option has a list of choices, or a range {"low": 1e-4, "high": 0.01, "log": True}; a single
value is a list of one. Sizes of hidden layers are text here, "128,64": a setting then is made of texts and numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from winnow import options
from winnow.errors import UserError
from winnow.options import WrongValueError
from winnow.scratch.names import NAMES, RANGES
from winnow.scratch.settings import Settings

if TYPE_CHECKING:
    import numpy as np

Space = dict[str, Any]
WHOLE = ("num_layers", "hidden_size", "batch_size", "epochs")
OPTIONS = ("num_layers", "hidden_size", *(field.name for field in fields(Settings) if field.name != "seed"))


def check(space: Mapping[str, Any]) -> Space:
    """The space in its one form, in the order of OPTIONS. WrongValueError names the option and what is valid."""
    for option in space:
        if option not in OPTIONS:
            raise WrongValueError(str(option), options.unknown("The option", option, OPTIONS))
    equal = [option for option in ("num_layers", "hidden_size") if option in space]
    if "layers" in space and equal:
        raise WrongValueError(equal[0], "layers gives all hidden layers: leave it out, or this.")
    found: Space = {}
    for option in OPTIONS:
        if option in space:
            try:
                found[option] = _checked(option, space[option])
            except UserError as error:
                raise WrongValueError(option, str(error)) from error
    return found


def _checked(option: str, given: Any) -> Any:
    if isinstance(given, Mapping):
        return _range(option, given)
    if option == "layers" and not (isinstance(given, list) and any(isinstance(entry, list) for entry in given)):
        given = [given]  # one list of sizes is one choice
    choices = [_value(option, entry) for entry in (given if isinstance(given, list) else [given])]
    if not choices or len(set(choices)) < len(choices):
        raise UserError(f"{given!r} is not valid; valid is at least one value, and none twice.")
    return choices


def _range(option: str, given: Mapping[str, Any]) -> dict[str, Any]:
    valid = "valid is a list of choices, or {low: 0.0001, high: 0.01, log: true} for an option that is a number"
    log = given.get("log", False)
    if option not in (*WHOLE, *RANGES) or not {"low", "high"} <= given.keys() <= {"low", "high", "log"}:
        raise UserError(f"{dict(given)!r} is not valid; {valid}.")
    low, high = _value(option, given["low"]), _value(option, given["high"])
    if not isinstance(log, bool) or not low < high or (log and low <= 0):
        raise UserError(f"{dict(given)!r} is not valid; {valid}, with low < high, and 0 < low if log is true.")
    return {"low": low, "high": high, "log": log}


def _value(option: str, given: Any) -> Any:
    """One value of an option in its one form: names as Settings has them, numbers of the right type."""
    if option in WHOLE:
        if type(given) is not int or given < 1:
            raise UserError(f"{given!r} is not valid; valid is a whole number of at least 1.")
        return given
    if option in RANGES:
        given = options.as_number(given)
    value = getattr(Settings(**{option: given}), option)
    return ",".join(map(str, value)) if option == "layers" else value


def size(space: Space) -> float:
    """How many settings there are; infinite where a range of real numbers is among them."""
    counts = [
        len(values) if isinstance(values, list) else values["high"] - values["low"] + 1 if option in WHOLE else math.inf
        for option, values in space.items()
    ]
    return math.prod(counts)


def settings(values: Mapping[str, Any], **more: Any) -> Settings:
    """The training that one point of a space means; `more` takes the place of what is there, or adds to it."""
    values = {**values, **more}
    if isinstance(values.get("layers"), str):
        values["layers"] = tuple(int(size) for size in values["layers"].split(",") if size)
    return Settings.of(values)


def identity(values: Mapping[str, Any]) -> str:
    """Text that is equal for equal points of a space."""
    return json.dumps(dict(values), sort_keys=True)


def draw(space: Space, random: np.random.Generator) -> dict[str, Any]:
    """A point of the space, every choice equally likely; ranges uniformly, by their logarithm where they say so."""
    return {option: _drawn(option, values, random) for option, values in space.items()}


def neighbour(space: Space, values: Mapping[str, Any], random: np.random.Generator) -> dict[str, Any]:
    """The point with one option, of those that have a choice, drawn anew."""
    free = [option for option, valid in space.items() if not isinstance(valid, list) or len(valid) > 1]
    option = free[int(random.integers(len(free)))]
    return {**values, option: _drawn(option, space[option], random)}


def _drawn(option: str, values: Any, random: np.random.Generator) -> Any:
    if isinstance(values, list):
        return values[int(random.integers(len(values)))]
    low, high = values["low"], values["high"] + (option in WHOLE)  # a whole number between: each as likely
    if values["log"]:
        drawn = math.exp(random.uniform(math.log(low), math.log(high)))
    else:
        drawn = float(random.uniform(low, high))
    return min(max(int(drawn), low), values["high"]) if option in WHOLE else min(max(drawn, low), high)


def columns(settings: Settings) -> dict[str, Any]:
    """The settings as columns of a table: num_layers and hidden_size, or `layers` where the sizes are unequal."""
    sizes = settings.layers
    equal = len(set(sizes)) <= 1
    found: dict[str, Any] = {
        "epochs": settings.epochs,
        "num_layers": len(sizes),
        "hidden_size": sizes[0] if sizes and equal else None,
        "layers": None if equal else ",".join(map(str, sizes)),
    }
    for option in ("weight_decay", "learning_rate", "optimizer", "batch_size", *NAMES, *RANGES):
        found.setdefault(option, getattr(settings, option))
    return found
