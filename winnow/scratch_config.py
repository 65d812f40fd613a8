"""The sections of config whose study is the network from scratch: those with the key `sweeps`. No NumPy, no Optuna."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from winnow import options, scratch_space, search_space
from winnow.errors import UserError
from winnow.fields import (
    Dataset,
    FigureNames,
    Formats,
    Name,
    Positive,
    Strict,
    Tables,
    TrainOn,
    Whole,
    fail,
    user_error,
)


def _space(value: Any) -> search_space.Space:
    if not isinstance(value, dict) or not value:
        raise UserError(f"{value!r} is not valid; valid is a mapping from options to lists of choices or ranges.")
    return scratch_space.check(value)


Space = Annotated[dict[str, Any], BeforeValidator(user_error(_space))]


def _once_each(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{seeds} is not valid; a seed stands there more than once.")
    return seeds


def _fresh(seeds: list[int]) -> list[int]:
    if 0 in seeds:
        raise UserError(f"{seeds} is not valid; 0 is the seed of the trials, and finalists need others.")
    return seeds


RunSeeds = Annotated[list[Whole], Field(min_length=1), AfterValidator(user_error(_once_each))]
FreshSeeds = Annotated[RunSeeds, AfterValidator(user_error(_fresh))]


class Finalists(Strict):
    """The best configurations of a sweep are trained again with each of these seeds; the best mean wins."""

    configurations: Positive
    seeds: FreshSeeds


class Sweep(Strict):
    """A search of `trials` different settings of a space, by as many processes at once as there are cores."""

    trials: Positive
    workers: Positive = 16
    stop_hopeless: bool = False
    space: Space
    finalists: Finalists | None = None

    @model_validator(mode="after")
    def _enough_settings(self) -> Self:
        if self.trials > (size := search_space.size(self.space)):
            raise fail(f"{self.trials} is not valid; the space has {size:g} settings, each tried once.", "trials")
        if self.finalists and self.finalists.configurations > self.trials:
            raise fail(
                f"{self.finalists.configurations} is not valid; the sweep has {self.trials} trials.",
                "finalists.configurations",
            )
        return self


class Best(Strict):
    """The best configuration of each sweep is trained again, once for each seed."""

    seeds: RunSeeds = [0]
    train_on: TrainOn = "holdout"


class LossPairs(Strict):
    """Settings drawn at random from the space of a sweep, each trained with both losses."""

    sweep: Name
    pairs: Positive


class CarryOver(Strict):
    """The best configurations of a sweep, trained on another data set."""

    enabled: bool = True
    sweep: Name
    configurations: Positive
    dataset: Dataset
    seeds: RunSeeds = [0]


class Figures(Strict):
    """Which figures, in which formats."""

    names: FigureNames = []
    formats: Formats = ["png"]


class ScratchStudy(Strict):
    """A named section: sweeps, and what is made of their best configurations."""

    dataset: Dataset
    sweeps: Annotated[dict[Name, Sweep], Field(min_length=1)]
    best: Best = Best()
    loss_pairs: LossPairs | None = None
    carry_over: CarryOver | None = None
    image: Positive | None = None
    tables: Tables = []
    figures: Figures = Figures()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for key, part in {"loss_pairs": self.loss_pairs, "carry_over": self.carry_over}.items():
            if part and part.sweep not in self.sweeps:
                raise fail(options.unknown("The sweep", part.sweep, self.sweeps), f"{key}.sweep")
        part = self.carry_over
        if part and part.enabled:
            sweep = self.sweeps[part.sweep]
            most, what = (sweep.finalists.configurations, "finalists") if sweep.finalists else (sweep.trials, "trials")
            if part.configurations > most:
                raise fail(
                    f"{part.configurations} is not valid; the sweep {part.sweep} has {most} {what}.",
                    "carry_over.configurations",
                )
        return self
