"""The only reader of config: strict models, and errors that name the key, its value and what is valid.

Snakemake has merged the overlays (`--configfile`: mappings deeply, lists replaced) before `validate` sees them; a
`null` removes the entry. Nothing heavy is imported here: a Snakefile is parsed for every command and every cluster job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from winnow import options, plugins, study_checks
from winnow.errors import UserError
from winnow.fields import (
    BEST,
    BatchSchedule,
    Clip,
    Dataset,
    Device,
    GraphMeasures,
    Images,
    LayerRates,
    Length,
    Model,
    Moment,
    Name,
    Optimizer,
    Positive,
    PositiveNumber,
    Prunable,
    PruningRate,
    Rate,
    Rates,
    Results,
    Schedule,
    Seeds,
    Strict,
    Tables,
    TrainOn,
    WeightMeasures,
    Whole,
    fail,
)
from winnow.recipes import Recipe
from winnow.scratch_config import Figures, ScratchStudy

__all__ = ["Config", "Rate", "load", "validate"]
GENERAL = ("studies", "execution", "data", "pathvars")
KINDS = {"arms", "sweeps"}  # a section with one of these keys is a study
LONGEST_VALUE = 80  # characters of a wrong value that a message shows
WORDS = {  # what pydantic's types of error mean to a reader
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "list_type": "a list [...]",
    "string_type": "text",
    "too_short": "at least one entry",
}


class Execution(Strict):
    """How it runs. `device` and `threads` decide bits, so training specs carry them."""

    device: Device = "cpu"
    threads: Positive = 1
    store_gb: PositiveNumber = 20.0


class DataSource(Strict):
    """Where a data set may already lie."""

    folder: str | None = None


class Training(Strict):
    """One training run, except for what the arm says."""

    length: Length
    rewind: Moment
    evaluate_every: Length = "1ep"
    test_every: Length | None = None
    batch_size: Positive = 256
    batch_schedule: BatchSchedule = {"name": "constant"}
    clip: Clip | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    schedule: Schedule


class Arm(Strict):
    """An optimiser with its rates; data set, model and training are the study's unless given here.

    `enabled: false` leaves it out. `layer_rates` takes the place of that of the recipes that have one: the rates that
    suit a layer belong to its network.
    """

    enabled: bool = True
    optimizer: Optimizer
    rates: Rates = []
    pruning_rate: PruningRate
    dataset: Dataset | None = None
    validation: Images | None = None
    model: Model | None = None
    training: dict[str, Any] = {}
    prunable: Prunable | None = None
    layer_rates: LayerRates | None = None

    @model_validator(mode="after")
    def _best_of_something(self) -> Self:
        if self.pruning_rate == BEST and not self.rates:
            raise fail("'best' is not valid; rates is empty, so there is nothing to select from.", "pruning_rate")
        return self


class Sweep(Strict):
    """The runs that select learning rates; `last`: how many evaluations the selection loss averages."""

    seeds: Seeds = [[0]]
    train_on: TrainOn = "holdout"
    last: Positive = 3


class Dense(Strict):
    """The dense runs at the pruning rate, and all rounds that start from them."""

    seeds: Seeds
    train_on: TrainOn = "all"


class Measures(Strict):
    """Names of graph and weight measures, draws per null model; whether tickets' edge lists are exported."""

    graph: GraphMeasures = []
    weights: WeightMeasures = []
    nulls: Whole = 20
    edge_lists: bool = True


class Study(Strict):
    """A named section: what its arms share, and what is asked of them."""

    dataset: Dataset
    validation: Images
    model: Model
    training: Training
    arms: Annotated[dict[Name, Arm], Field(min_length=1)]
    reference: str
    sweep: Sweep = Sweep()
    dense: Dense
    prunable: Prunable
    recipes: dict[Name, Recipe] = {}
    measures: Measures = Measures()
    tables: Tables = []
    figures: Figures = Figures()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.reference in self.arms and self.reference not in self.running():
            on = ", ".join(self.running()) or "none"
            raise fail(
                f"the arm {self.reference!r} is switched off (enabled: false); those that are on: {on}.", "reference"
            )
        if self.reference not in self.arms:
            raise fail(options.unknown("The arm", self.reference, self.running()), "reference")
        try:
            for name in self.recipes:
                study_checks.check_recipe(self, name)
            for name in self.arms:
                study_checks.check_arm(self, name, self.training_of(name))
        except options.WrongValueError as error:
            raise fail(str(error), error.path) from error
        return self

    def running(self) -> list[str]:
        """The arms that are on."""
        return [name for name, arm in self.arms.items() if arm.enabled]

    def masks_of(self, recipe: str) -> Recipe:
        """The recipe that makes the masks which `recipe` trains: itself, or the one that its `mask_of` names."""
        return self.recipes[self.recipes[recipe].mask_of or recipe]

    def training_of(self, arm: str) -> Training:
        """The study's training with what the arm changes; a schedule is replaced whole."""
        try:
            return Training.model_validate({**self.training.model_dump(), **self.arms[arm].training})
        except ValidationError as error:
            path, text = _first(error)
            raise fail(text, f"arms.{arm}.training.{path}".rstrip(".")) from error


class Config(Strict):
    """The whole configuration: `run` names the studies that run, in order; their sections are in one of the last two.

    A section with the key `sweeps` is a study of the network from scratch.
    """

    run: list[str]
    execution: Execution
    data: dict[str, DataSource]
    results: Results
    studies: dict[Name, Study]
    scratch: dict[Name, ScratchStudy] = {}


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return value


def _path(parts: Iterable[int | str], more: str = "") -> str:
    """`gd_vs_eg.arms.gd.rates[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts if part != "[key]")
    return f"{text}.{more}".strip(".")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _first(error: ValidationError) -> tuple[str, str]:
    """(key path, what is wrong there) of the first of pydantic's errors, in plain words."""
    first = error.errors()[0]
    context = first.get("ctx", {})
    path = _path(first["loc"], context.get("path", "") if first["type"] == "winnow" else "")
    if first["type"] == "missing":
        text = "This key is missing."
    elif first["type"] == "winnow":
        text = first["msg"]
    else:
        given = _shown(first["input"])
        valid = WORDS.get(first["type"], context.get("expected", first["msg"]))
        text = f"{given} is not valid; valid is {valid}."
    more = error.error_count() - 1
    return path, text + (f" ({more} more after this one.)" if more else "")


def _wrong(path: str, text: str) -> options.WrongValueError:
    return options.WrongValueError(path, f"config: {path}: {text}")


def validate(raw: Mapping[str, Any]) -> Config:
    """Check a merged configuration, studies that do not run included. UserError, one paragraph, for what is wrong."""
    values = _without_null(raw)
    run = values.get("studies")
    sections = {key: value for key, value in values.items() if key not in GENERAL}
    if not isinstance(run, list) or not run:
        known = ", ".join(map(str, sections)) or "(none)"
        raise _wrong("studies", f"{run!r} is not valid; it must list at least one of {known}.")
    for key, value in sections.items():
        if key in run and not isinstance(value, Mapping):
            raise _wrong(str(key), f"{_shown(value)} is not valid; valid is {WORDS['model_type']}.")
        if key not in run and not (isinstance(value, Mapping) and value.keys() & KINDS):
            raise _wrong(str(key), options.unknown("The key", key, [*GENERAL, *map(str, run)]))
    for index, study in enumerate(run):
        if not isinstance(study, str) or study not in sections:
            raise _wrong(f"studies[{index}]", options.unknown("The study", study, map(str, sections)))
    if len(set(run)) < len(run):
        raise _wrong("studies", f"{run} is not valid; a study stands there more than once.")
    pathvars = values.get("pathvars", {})
    if not isinstance(pathvars, Mapping) or set(pathvars) - {"results"}:
        raise _wrong("pathvars", f"{pathvars!r} is not valid; the only key is results.")
    try:
        config = Config(
            run=run,
            execution=values.get("execution", {}),
            data=values.get("data", {}),
            results=pathvars.get("results", "results"),
            studies={name: section for name, section in sections.items() if "sweeps" not in section},
            scratch={name: section for name, section in sections.items() if "sweeps" in section},
        )
    except ValidationError as error:
        path, text = _first(error)
        path = f"pathvars.{path}" if path == "results" else path.removeprefix("studies.").removeprefix("scratch.")
        raise _wrong(path, text) from error
    for name in config.data:
        try:
            plugins.path("datasets", name)
        except UserError as error:
            raise _wrong(f"data.{name}", str(error)) from error
    return config


def check_folders(config: Config) -> None:
    """UserError unless the folders named under `data` exist; apart, since a cluster's nodes may not have them."""
    for name, source in config.data.items():
        if source.folder is not None and not Path(source.folder).expanduser().is_dir():
            raise _wrong(
                f"data.{name}.folder", f"{source.folder!r} is not valid; valid is a folder that exists, or null."
            )


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
