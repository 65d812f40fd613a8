"""The only reader of config: strict models, and errors that name the key, its value and what is valid.

Snakemake has merged the overlays (`--configfile`: mappings deeply, lists replaced) before `validate` sees them; a
`null` removes the entry. Nothing heavy is imported here: a Snakefile is parsed for every command and every cluster job.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from winnow import lottery, options, plugins
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.fields import (
    BEST,
    Criterion,
    Dataset,
    Density,
    FigureNames,
    Formats,
    GraphMeasures,
    Length,
    Model,
    Moment,
    Moments,
    Name,
    Number,
    Optimizer,
    Prunable,
    PruningRate,
    Rate,
    Rates,
    Schedule,
    Seeds,
    Tables,
    TrainOn,
    WeightMeasures,
    fail,
)

__all__ = ["Config", "Rate", "load", "validate"]
GENERAL = ("studies", "execution", "data", "pathvars")


class Strict(BaseModel):
    """Frozen, no conversions between types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            for key in values:
                if key not in cls.model_fields:
                    raise fail(options.unknown("The key", key, cls.model_fields))
        return values


class Execution(Strict):
    """How it runs. `device` and `threads` decide bits, so training specs carry them."""

    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?|mps|xpu|auto)$")] = "cpu"
    threads: Annotated[int, Field(ge=1)] = 1
    store_gb: Annotated[Number, Field(gt=0)] = 20.0


class DataSource(Strict):
    """Where a data set may already lie."""

    folder: str | None = None


class Training(Strict):
    """One training run, except for what the arm says."""

    length: Length
    rewind: Moment
    evaluate_every: Length = "1ep"
    batch_size: Annotated[int, Field(ge=1)] = 256
    clip: Annotated[Number, Field(gt=0)] | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    schedule: Schedule

    @model_validator(mode="after")
    def _rewind_before_the_end(self) -> Self:
        rewind, length = Duration.parse(self.rewind), Duration.parse(self.length)
        if rewind.unit == length.unit and rewind.count >= length.count:
            raise fail(
                f"rewind is {self.rewind}, but the rewind point must lie before the last epoch (length: {self.length})."
            )
        return self


class Arm(Strict):
    """An optimiser with its rates; data set, model and training are the study's unless given here."""

    optimizer: Optimizer
    rates: Rates = []
    pruning_rate: PruningRate
    dataset: Dataset | None = None
    validation: Annotated[int, Field(ge=1)] | None = None
    model: Model | None = None
    training: dict[str, Any] = {}
    prunable: Prunable | None = None

    @model_validator(mode="after")
    def _best_of_something(self) -> Self:
        if self.pruning_rate == BEST and not self.rates:
            raise fail("pruning_rate is 'best', but rates is empty: there is nothing to select from.")
        return self


class Sweep(Strict):
    """The runs that select learning rates; `last`: how many evaluations the selection loss averages."""

    seeds: Seeds
    train_on: TrainOn = "holdout"
    last: Annotated[int, Field(ge=1)] = 3


class Dense(Strict):
    """The dense runs at the pruning rate, and all rounds that start from them."""

    seeds: Seeds
    train_on: TrainOn = "all"


class InRun(Strict):
    """Pruning inside one run: at each moment of `at`, down to `density` at the last."""

    at: Moments
    density: Density
    schedule: Schedule
    schedule_after: Schedule

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        moments = [Duration.parse(text) for text in self.at]
        if len({moment.unit for moment in moments}) > 1 or any(
            second.count <= first.count for first, second in pairwise(moments)
        ):
            raise fail(f"at is {self.at}, but the moments must be in one unit and ascending.")
        return self


class Recipe(Strict):
    """How a ticket is made: in rounds (restart, schedule_restart, rounds or rate, density) or inside one run (in_run).

    `enabled: false` leaves a recipe out.
    """

    enabled: bool = True
    criterion: Criterion
    scope: Literal["global", "layerwise"]
    restart: Literal["rewind", "random", "keep", "signs"] | None = None
    schedule_restart: Literal["rewind", "constant_last"] | None = None
    rounds: Annotated[int, Field(ge=1, le=1000)] | None = None
    rate: Density | None = None
    density: Density | None = None
    schedule: Schedule | None = None
    in_run: InRun | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = {name for name in ("restart", "schedule_restart", "rounds", "rate", "density", "schedule")}
        given = {name for name in given if getattr(self, name) is not None}
        if self.in_run:
            if given:
                raise fail(f"{', '.join(sorted(given))} cannot stand beside in_run, which describes the whole recipe.")
            return self
        missing = {"restart", "schedule_restart", "density"} - given
        if missing:
            raise fail(f"{', '.join(sorted(missing))} is missing (a recipe without in_run needs it).")
        if ("rounds" in given) == ("rate" in given):
            raise fail("give either rounds or rate (the share pruned per round).")
        try:
            self.densities()
        except UserError as error:
            raise fail(str(error)) from error
        return self

    def densities(self) -> list[float]:
        """Kept share after each round, or at each moment of an in-run recipe."""
        if self.in_run:
            return lottery.round_densities(self.in_run.density, rounds=len(self.in_run.at))
        assert self.density is not None
        return lottery.round_densities(self.density, rounds=self.rounds, rate=self.rate)


class Measures(Strict):
    """Names of graph and weight measures, and the number of draws per null model."""

    graph: GraphMeasures = []
    weights: WeightMeasures = []
    nulls: Annotated[int, Field(ge=0)] = 20


class Figures(Strict):
    """Which figures, in which formats."""

    names: FigureNames = []
    formats: Formats = ["png"]


class Study(Strict):
    """A named section: what its arms share, and what is asked of them."""

    dataset: Dataset
    validation: Annotated[int, Field(ge=1)]
    model: Model
    training: Training
    arms: Annotated[dict[Name, Arm], Field(min_length=1)]
    reference: str
    sweep: Sweep
    dense: Dense
    prunable: Prunable
    recipes: dict[Name, Recipe] = {}
    measures: Measures = Measures()
    tables: Tables = []
    figures: Figures = Figures()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.reference not in self.arms:
            raise fail(options.unknown("reference: the arm", self.reference, self.arms))
        for name, arm in self.arms.items():
            training = self.training_of(name)
            dataset, validation = arm.dataset or self.dataset, arm.validation or self.validation
            count = plugins.constant("datasets", dataset, "TRAIN")
            if isinstance(count, int) and validation >= count:
                raise fail(
                    f"validation is {validation}, but {dataset} has {count} training images: none would be left to "
                    f"train on. Valid: 1 to {count - 1}."
                )
            length = Duration.parse(training.length)
            for recipe, values in self.recipes.items():
                last = Duration.parse(values.in_run.at[-1]) if values.in_run else None
                if last and last.unit == length.unit and last.count > length.count:
                    raise fail(f"recipes.{recipe}.in_run.at ends at {last}, after the end of training ({length}).")
        return self

    def training_of(self, arm: str) -> Training:
        """The study's training with what the arm changes; a schedule is replaced whole."""
        try:
            return Training.model_validate({**self.training.model_dump(), **self.arms[arm].training})
        except ValidationError as error:
            raise fail(f"arms.{arm}.training: {_message(error)}") from error


class Config(Strict):
    """The whole configuration. `studies` holds the sections by name, `run` the names of those that run, in order."""

    run: list[str]
    execution: Execution
    data: dict[str, DataSource]
    results: str
    studies: dict[Name, Study]


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return value


def _message(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"] if part != "[key]")
    where = path.removeprefix("studies.") or "config"
    if first["type"] == "missing":
        text = f"The key {where} is missing."
    elif first["type"] == "winnow":
        text = f"{where}: {first['msg']}"
    else:
        text = f"{where} is {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}."
    more = error.error_count() - 1
    return text + (f" ({more} more after this one.)" if more else "")


def validate(raw: Mapping[str, Any]) -> Config:
    """Check a merged configuration, studies that do not run included. UserError, one paragraph, for what is wrong."""
    values = _without_null(raw)
    run = values.get("studies")
    sections = {key: value for key, value in values.items() if key not in GENERAL}
    if not isinstance(run, list) or not run:
        raise UserError(f"config: studies is {run!r}; it must list at least one of {', '.join(sections) or '(none)'}.")
    for key, value in sections.items():
        if not isinstance(value, Mapping) or (key not in run and "arms" not in value):
            raise UserError(f"config: {options.unknown('the key', key, [*GENERAL, *map(str, run)])}")
    for study in run:
        if study not in sections:
            raise UserError(f"config: studies: {options.unknown('the study', study, sections)}")
    if len(set(run)) < len(run):
        raise UserError(f"config: studies is {run}; a study stands there more than once.")
    pathvars = values.get("pathvars", {})
    if not isinstance(pathvars, Mapping) or set(pathvars) - {"results"}:
        raise UserError(f"config: pathvars is {pathvars!r}; the only key is results.")
    try:
        config = Config(
            run=run,
            execution=values.get("execution", {}),
            data=values.get("data", {}),
            results=pathvars.get("results", "results"),
            studies=sections,
        )
    except ValidationError as error:
        raise UserError(f"config: {_message(error)}") from error
    for name in config.data:
        try:
            plugins.path("datasets", name)
        except UserError as error:
            raise UserError(f"config: data: {error}") from error
    return config


def load(base: Mapping[str, Any], overlays: list[Mapping[str, Any]]) -> Config:
    """Merge as Snakemake does (mappings deeply, everything else replaced) and validate."""
    merged: dict[str, Any] = dict(base)
    for overlay in overlays:
        merged = _merge(merged, overlay)
    return validate(merged)


def _merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = _merge(old if isinstance(old, Mapping) else {}, value) if isinstance(value, Mapping) else value
    return merged
