"""Types of configuration values: names, rates, durations, seeds, plug-in entries; each checked, and told in words.

A `UserError` from a check becomes pydantic's error, which knows the key path.
"""

from __future__ import annotations

import functools
import os
import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from winnow import options, plugins
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.rates import rate_text

NAME = re.compile(r"[a-z][a-z0-9_]*")
# Folders beside or below which names stand; the last line: results of presets (results/quick holds no study `quick`).
RESERVED = frozenset(
    {"data", "report", "trackers", "tables", "figures", "best", "dense", "logs", "benchmarks"}
    | {"quick", "gpu", "one_seed", "short_tickets"}
)
BEST = "best"
DEVICE = r"^(cpu|cuda(:\d+)?|mps|xpu|auto)$"


def fail(message: str, path: str = "") -> PydanticCustomError:
    """The error of a validator; `path` leads on from the key that is validated."""
    return PydanticCustomError("winnow", "{message}", {"path": path, "message": message})


def user_error(function: Any) -> Any:
    """A validator that turns UserError into pydantic's error, which knows the key path."""

    def validator(value: Any) -> Any:
        try:
            return function(value)
        except UserError as error:
            raise fail(str(error), getattr(error, "path", "")) from error

    return validator


def _within(valid: str, whole: bool = False, more: str = "") -> Any:
    """A number in a range (see winnow.options), told whole when it is not; `more`: what else is valid."""

    def known(value: Any) -> Any:
        number = value if whole else options.as_number(value)
        if isinstance(number, int if whole else float) and options.allows(valid, number):
            return number
        raise UserError(f"{value!r} is not valid; valid is {options.words(valid, whole)}{more}.")

    return BeforeValidator(user_error(known))


def _images(value: Any) -> int:
    if isinstance(value, int) and options.allows("[1, inf)", value):
        return value
    counts = {name: plugins.constant("datasets", name, "TRAIN") for name in plugins.names("datasets")}
    most = ", ".join(f"{count - 1} for {name}" for name, count in counts.items() if isinstance(count, int))
    raise UserError(f"{value!r} is not valid; valid is 1 to one less than the training images ({most}).")


def _results(value: str) -> str:
    name, parts = PurePath(value).name, PurePath(value).parts
    if name in ("", "..") or os.path.normpath(value) != value or value[0] == "~" or re.search(r"[{}<>\n]", value):
        raise UserError(
            f"{value!r} is not valid; valid is a folder in its shortest spelling, such as results or results/mine, "
            "without ~ and braces."
        )
    if ("results", "data") in pairwise(parts) or (parts[0] == "results" and "data" in parts):
        raise UserError(
            f"{value!r} is not valid; the folder data of a results folder holds data sets. Valid is another one, such "
            "as results/mine."
        )
    return value


def _device(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(DEVICE, value):
        return value
    raise UserError(f"{value!r} is not valid; valid is one of cpu, cuda, mps, xpu, auto, or cuda:1 for the second GPU.")


def _duration(value: Any) -> str:
    return str(Duration.parse(value))


def _positive_duration(value: Any) -> str:
    if Duration.parse(value).count == 0:
        raise UserError(f"{value!r} is not valid here: at least 1ep or 1it.")
    return _duration(value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value) or value in RESERVED:
        raise UserError(
            f"{value!r} cannot be a name here. A name consists of a-z, 0-9 and _, starts with a letter and is not one "
            f"of {', '.join(sorted(RESERVED))}."
        )
    return value


def _plugin(kind: str) -> Any:
    def known(value: Any) -> str:
        plugins.path(kind, value)
        return str(value)

    return BeforeValidator(user_error(known))


def _entry(kind: str) -> Any:
    def known(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise UserError(f"{value!r} must be a mapping with the key 'name' and the options of that plug-in.")
        return options.check(kind, value)

    return BeforeValidator(user_error(known))


def _distinct(values: list[Any]) -> list[Any]:
    twice = [value for value, count in Counter(map(str, values)).items() if count > 1]
    if twice:
        raise UserError(f"{', '.join(twice)} stands there more than once.")
    return values


def _blocks(blocks: list[list[int]]) -> list[list[int]]:
    if any(not block for block in blocks):
        raise UserError("A seed block is empty; each inner list needs at least one seed.")
    _distinct([seed for block in blocks for seed in block])
    return [sorted(block) for block in blocks]


@functools.cache
def _measures(constant: str) -> list[str]:
    return [name for name in plugins.names("measures") if plugins.constant("measures", name, constant)]


def _measure(constant: str) -> Any:
    def known(value: Any) -> str:
        valid = _measures(constant)
        if value not in valid:
            raise UserError(options.unknown("The measure", value, valid))
        return str(value)

    return BeforeValidator(user_error(known))


Name = Annotated[str, BeforeValidator(user_error(_name))]
Rate = Annotated[str, BeforeValidator(user_error(rate_text))]
PruningRate = Annotated[str, BeforeValidator(user_error(lambda value: value if value == BEST else rate_text(value)))]
Length = Annotated[str, BeforeValidator(user_error(_positive_duration))]
Moment = Annotated[str, BeforeValidator(user_error(_duration))]
Number = Annotated[float, BeforeValidator(options.as_number)]
Density = Annotated[float, _within("(0, 1)"), Field(gt=0, lt=1)]
Whole = Annotated[int, _within("[0, inf)", whole=True), Field(ge=0)]
Positive = Annotated[int, _within("[1, inf)", whole=True), Field(ge=1)]
Copies = Annotated[int, _within("[2, inf)", whole=True), Field(ge=2)]
Points = Annotated[int, _within("[3, inf)", whole=True), Field(ge=3)]
PositiveNumber = Annotated[float, _within("(0, inf)"), Field(gt=0)]
NotNegative = Annotated[float, _within("[0, inf)"), Field(ge=0)]
Clip = Annotated[float, _within("(0, inf)", more=", or null to clip nothing"), Field(gt=0)]
Smoothing = Annotated[float, _within("[0, 1)"), Field(ge=0, lt=1)]
LayerRates = Annotated[dict[str, Density], Field(min_length=1)]
Rounds = Annotated[int, _within("[1, 1000]", whole=True), Field(ge=1, le=1000)]
Images = Annotated[int, BeforeValidator(user_error(_images)), Field(ge=1)]
Device = Annotated[str, BeforeValidator(user_error(_device)), Field(pattern=DEVICE)]
Schedule = Annotated[dict[str, Any], _entry("schedules")]
BatchSchedule = Annotated[dict[str, Any], _entry("batch_schedules")]
Augmentation = Annotated[dict[str, Any], _entry("augmentations")]
Model = Annotated[dict[str, Any], _entry("models")]
Dataset = Annotated[str, _plugin("datasets")]
Results = Annotated[str, AfterValidator(user_error(_results))]
Prunable = Annotated[list[str], Field(min_length=1), AfterValidator(user_error(_distinct))]
Seeds = Annotated[list[list[Whole]], Field(min_length=1), AfterValidator(user_error(_blocks))]
ArmNames = Annotated[list[Name], Field(min_length=1), AfterValidator(user_error(_distinct))]
TrainOn = Literal["holdout", "all"]
Optimizer = Annotated[dict[str, Any], _entry("optimizers")]
Sparsifier = Annotated[dict[str, Any], _entry("sparsifiers")]
Criterion = Annotated[str, _plugin("criteria")]
Rates = Annotated[list[Rate], AfterValidator(user_error(_distinct))]
Moments = Annotated[list[Length], Field(min_length=1)]
GraphMeasures = Annotated[list[Annotated[str, _measure("GRAPHS")]], AfterValidator(user_error(_distinct))]
WeightMeasures = Annotated[list[Annotated[str, _measure("WEIGHTS")]], AfterValidator(user_error(_distinct))]
Tables = Annotated[list[Annotated[str, _plugin("tables")]], AfterValidator(user_error(_distinct))]
FigureNames = Annotated[list[Annotated[str, _plugin("figures")]], AfterValidator(user_error(_distinct))]
Format = Literal["png", "pdf", "svg"]
FORMATS: tuple[str, ...] = get_args(Format)
Formats = Annotated[list[Format], Field(min_length=1), AfterValidator(user_error(_distinct))]


class Strict(BaseModel):
    """Frozen, no conversions between types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            for key in values:
                if key not in cls.model_fields:
                    raise fail(options.unknown("The key", key, cls.model_fields), str(key))
        return values
