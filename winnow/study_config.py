"""The sections of config whose study trains networks and prunes them: those with the key `arms` and no `scenarios`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from winnow import config_errors, options, study_checks
from winnow.fields import (
    BEST,
    Augmentation,
    BatchSchedule,
    Clip,
    Dataset,
    GraphMeasures,
    Images,
    LayerRates,
    Length,
    Model,
    Moment,
    Name,
    NotNegative,
    Optimizer,
    Positive,
    Prunable,
    PruningRate,
    Rates,
    Schedule,
    Seeds,
    Smoothing,
    Strict,
    Tables,
    TrainOn,
    WeightMeasures,
    Whole,
    fail,
)
from winnow.recipes import Recipe
from winnow.scratch_config import Figures


class Training(Strict):
    """One training run, except for what the arm says."""

    length: Length
    rewind: Moment = "0it"
    evaluate_every: Length = "1ep"
    test_every: Length | None = None
    batch_size: Positive = 256
    batch_schedule: BatchSchedule = {"name": "constant"}
    clip: Clip | None = None
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    inputs: Literal["standardised", "unit"] = "standardised"
    label_smoothing: Smoothing = 0.0
    l2: NotNegative = 0.0
    augmentation: Augmentation = {"name": "none"}
    step_losses: bool = False
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
    """The runs that select learning rates; `last`: how many evaluations the selection loss averages.

    fuse: ["lr"] trains all rates and seeds of an arm as lanes of one job.
    """

    seeds: Seeds = [[0]]
    fuse: list[Literal["lr"]] = []
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
            path, text = config_errors.first(error)
            raise fail(text, f"arms.{arm}.training.{path}".rstrip(".")) from error
