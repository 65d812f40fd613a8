"""The space of a sweep of the network from scratch: which values its options may take. Checked without NumPy.

A single value is a list of one. Sizes of hidden layers are text here, "128,64": a setting then is made of texts and
numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from winnow import options
from winnow.errors import UserError
from winnow.options import WrongValueError
from winnow.scratch.names import NAMES, RANGES
from winnow.scratch.settings import Settings
from winnow.search_space import Space, choices, interval

WHOLE = ("num_layers", "hidden_size", "batch_size", "epochs")
FIXED = ("seed", "train_on")  # the same for every trial
OPTIONS = ("num_layers", "hidden_size", *(field.name for field in fields(Settings) if field.name not in FIXED))


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
        return interval(given, (lambda end: _value(option, end)) if option in (*WHOLE, *RANGES) else None)
    if option == "layers" and not (isinstance(given, list) and any(isinstance(entry, list) for entry in given)):
        given = [given]  # one list of sizes is one choice
    return choices(given, lambda entry: _value(option, entry))


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


def settings(values: Mapping[str, Any], **more: Any) -> Settings:
    """The training that one point of a space means; `more` takes the place of what is there, or adds to it."""
    values = {**values, **more}
    if isinstance(values.get("layers"), str):
        values["layers"] = tuple(int(size) for size in values["layers"].split(",") if size)
    return Settings.of(values)


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
