"""The sections of config whose study compares optimisers: those with the key `scenarios`. Nothing heavy is imported.

An arm is an optimiser with the space in which it is tuned, a scenario what changes against the study for the arms that
run in it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from winnow import config_errors, options, tuning_space
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.fields import (
    ArmNames,
    Dataset,
    Density,
    Images,
    Length,
    Model,
    Name,
    Optimizer,
    Positive,
    Prunable,
    Rate,
    Seeds,
    Sparsifier,
    Strict,
    Tables,
    TrainOn,
    fail,
)
from winnow.recipes import Recipe
from winnow.scratch_config import Figures
from winnow.search_space import Space
from winnow.study_config import Arm, Dense, Study, Training


class Contender(Strict):
    """An optimiser. `lr` and its options are what the first trial takes, or all that is trained where nothing is tuned.

    space: {path: choices or range}, see winnow/tuning_space.py. `enabled: false` leaves it out.
    """

    enabled: bool = True
    optimizer: Optimizer
    lr: Rate
    space: dict[str, Any] = {}
    training: dict[str, Any] = {}


class Tuning(Strict):
    """`trials` settings of every arm are trained for `length`, the best `finalists` of them in full."""

    trials: Positive = 10
    length: Length = "3ep"
    finalists: Positive = 2

    @model_validator(mode="after")
    def _some_are_chosen(self) -> Self:
        if self.finalists > self.trials:
            raise fail(f"{self.finalists} is not valid; there are {self.trials} trials.", "finalists")
        return self


class Final(Strict):
    """The runs with the chosen setting, which are reported."""

    seeds: Seeds
    train_on: TrainOn = "all"


class Scenario(Strict):
    """What changes for its `arms` (all that are on, if left out): options, training, a sparsifier of `prunable`.

    space: added to that of each arm. tuned_in: the scenario whose chosen settings it takes instead of tuning anew.
    """

    enabled: bool = True
    arms: ArmNames | None = None
    optimizer: dict[str, Any] = {}
    space: dict[str, Any] = {}
    training: dict[str, Any] = {}
    sparsify: Sparsifier | None = None
    scope: Literal["global", "layerwise"] = "global"
    tuned_in: Name | None = None


class BenchmarkStudy(Strict):
    """A named section: optimisers, tuned with the same budget each, in every scenario."""

    dataset: Dataset
    validation: Images
    model: Model
    training: Training
    prunable: Prunable
    tuning: Tuning = Tuning()
    final: Final
    targets: Annotated[list[Density], Field(min_length=1)]
    reference: Name
    baseline: Name | None = None
    arms: Annotated[dict[Name, Contender], Field(min_length=1)]
    scenarios: Annotated[dict[Name, Scenario], Field(min_length=1)]
    tables: Tables = []
    figures: Figures = Figures()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.reference not in (on := [name for name, arm in self.arms.items() if arm.enabled]):
            raise fail(options.unknown("The arm", self.reference, on), "reference")
        if self.baseline is not None and self.baseline not in self.scenarios:
            raise fail(options.unknown("The scenario", self.baseline, self.scenarios), "baseline")
        for name, scenario in self.scenarios.items():
            for index, arm in enumerate(scenario.arms or []):
                if arm not in self.arms:
                    path = f"scenarios.{name}.arms[{index}]"
                    raise fail(options.unknown("The arm", arm, self.arms), path)
            if scenario.tuned_in:
                self._check_tuned_in(name, scenario)
        for name, scenario in self.scenarios.items():
            for arm in scenario.arms or self.arms:
                self._check(arm, name)
        for name, scenario in self.scenarios.items():
            for arm in self.arms_of(name) if scenario.tuned_in else ():
                self._check_taken(arm, name, scenario)
        return self

    # -- what an arm is in a scenario ---------------------------------------------------------------------------

    def running(self) -> list[tuple[str, str]]:
        """(arm, scenario) of all that are on."""
        return [(arm, name) for name, one in self.scenarios.items() if one.enabled for arm in self.arms_of(name)]

    def arms_of(self, scenario: str) -> list[str]:
        """The arms of a scenario that are on."""
        return [arm for arm in self.scenarios[scenario].arms or self.arms if self.arms[arm].enabled]

    def entry(self, arm: str, scenario: str) -> dict[str, Any]:
        """What a tuning may change, see winnow/tuning_space.py."""
        return self._entry(arm, scenario, self.training_of(arm, scenario))

    def _entry(self, arm: str, scenario: str, training: Training) -> dict[str, Any]:
        mine, there = self.arms[arm], self.scenarios[scenario]
        return {
            "lr": mine.lr,
            "batch_size": training.batch_size,
            "l2": training.l2,
            "optimizer": {**mine.optimizer, **there.optimizer},
            "schedule": training.schedule,
            "sparsify": there.sparsify,
        }

    def space(self, arm: str, scenario: str) -> Space:
        """In which the arm is tuned there, checked; empty: it is not."""
        given = {**self.arms[arm].space, **self.scenarios[scenario].space}
        return tuning_space.check(given, self.entry(arm, scenario))

    def tuned_in(self, arm: str, scenario: str) -> str | None:
        """The scenario whose chosen setting the arm takes there; None: its own."""
        other = self.scenarios[scenario].tuned_in or scenario
        return other if self.space(arm, other) else None

    def training_of(self, arm: str, scenario: str) -> Training:
        """The study's training with what the arm, and then the scenario, changes."""
        changes = {"arms." + arm: self.arms[arm].training, "scenarios." + scenario: self.scenarios[scenario].training}
        found = self.training
        for place, changed in changes.items():
            try:
                found = Training.model_validate({**found.model_dump(), **changed}) if changed else found
            except ValidationError as error:
                path, text = config_errors.first(error)
                raise fail(text, f"{place}.training.{path}".rstrip(".")) from error
        return found

    # -- checks -------------------------------------------------------------------------------------------------

    def _check_tuned_in(self, name: str, scenario: Scenario) -> None:
        path, valid = f"scenarios.{name}.tuned_in", [n for n, one in self.scenarios.items() if not one.tuned_in]
        if scenario.tuned_in not in valid:
            raise fail(options.unknown("The scenario (with a tuning of its own)", scenario.tuned_in, valid), path)
        if scenario.enabled and not self.scenarios[scenario.tuned_in].enabled:
            raise fail(
                f"{scenario.tuned_in!r} is switched off (enabled: false), but {name}, which needs it, is on.", path
            )
        if scenario.space:
            raise fail("a scenario with tuned_in is not tuned itself: leave this out.", f"scenarios.{name}.space")
        missing = [arm for arm in self.arms_of(name) if arm not in self.arms_of(scenario.tuned_in)]
        if missing:
            raise fail(f"{scenario.tuned_in!r} is not valid; {', '.join(missing)} does not run there.", path)

    def _check_taken(self, arm: str, name: str, scenario: Scenario) -> None:
        """What was tuned elsewhere must be known here, and not be set here: it would not count."""
        assert scenario.tuned_in is not None
        path = f"scenarios.{name}.tuned_in"
        taken = self.space(arm, scenario.tuned_in)
        try:
            tuning_space.check(taken, self.entry(arm, name))
        except options.WrongValueError as error:
            text = f"the setting chosen there has {error.path}, which does not fit here: {error}"
            raise fail(f"{scenario.tuned_in!r} is not valid; {text} (Arm {arm}.)", path) from error
        own = {*scenario.training, *(f"optimizer.{option}" for option in scenario.optimizer)}
        if twice := [one for one in taken if {one, one.partition(".")[0]} & own]:
            text = f"{', '.join(twice)} is tuned there, and set here, too. Leave one of them out."
            raise fail(f"{scenario.tuned_in!r} is not valid; {text} (Arm {arm}.)", path)

    def _check(self, arm: str, scenario: str) -> None:
        """The same checks that a study with this one arm would go through, for all that is trained."""
        there, training = self.scenarios[scenario], self.training_of(arm, scenario)
        entry = self._entry(arm, scenario, training)
        try:
            options.check("optimizers", entry["optimizer"])
        except options.WrongValueError as error:
            raise fail(f"{error} (Arm {arm}.)", f"scenarios.{scenario}.optimizer.{error.path}") from error
        try:
            tuned = {} if there.tuned_in else tuning_space.check({**self.arms[arm].space, **there.space}, entry)
        except options.WrongValueError as error:
            place = f"scenarios.{scenario}" if error.path in there.space else f"arms.{arm}"
            raise fail(str(error), f"{place}.space.{error.path}") from error
        short, full_length = Duration.parse(self.tuning.length), Duration.parse(training.length)
        if tuned and short.unit == full_length.unit and short.count > full_length.count:
            text = f"that is longer than the runs it stands for: arm {arm} trains for {full_length} in {scenario}"
            raise fail(f"{short} is not valid; {text}.", "tuning.length")
        sizes = tuned.get("batch_size", [training.batch_size])
        for size in sizes if isinstance(sizes, list) else [sizes["high"]]:
            full = training.model_copy(update={"batch_size": size})
            trial = full.model_copy(update={"length": self.tuning.length})
            for one in (full, trial) if tuned else (full,):
                self._check_training(arm, scenario, one, training.length)

    def _check_training(self, arm: str, scenario: str, training: Training, full: str) -> None:
        there = self.scenarios[scenario]
        recipe = {scenario: Recipe(sparsify=there.sparsify, scope=there.scope)} if there.sparsify else {}
        try:
            Study(
                dataset=self.dataset, validation=self.validation, model=self.model, training=training,
                arms={arm: Arm(optimizer={**self.arms[arm].optimizer, **there.optimizer}, rates=[self.arms[arm].lr],
                               pruning_rate=self.arms[arm].lr)},
                reference=arm, dense=Dense(seeds=self.final.seeds, train_on=self.final.train_on),
                prunable=self.prunable, recipes=recipe,
            )  # fmt: skip
        except ValidationError as error:
            path, text = config_errors.first(error)
            trial = f", trials of {training.length}" if training.length != full else ""
            raise fail(f"{text} (Arm {arm}, scenario {scenario}{trial}.)", self._place(path, arm, scenario)) from error
        except UserError as error:
            raise fail(str(error)) from error

    def _place(self, path: str, arm: str, scenario: str) -> str:
        """Where the value stands that a Study of one arm complains of."""
        path = path.replace(f"recipes.{scenario}.", f"scenarios.{scenario}.").replace(
            f"arms.{arm}.training", "training"
        )
        key = path.removeprefix("training.")
        if key != path:
            for place, given in (("scenarios", self.scenarios[scenario]), ("arms", self.arms[arm])):
                if key in given.training:
                    return f"{place}.{scenario if place == 'scenarios' else arm}.{path}"
            if key == "length" or (key == "batch_size" and key in self.arms[arm].space):
                return f"arms.{arm}.space.{key}" if key == "batch_size" else "tuning.length"
        return path
