"""Recipes of config: how a ticket is made, in rounds, inside one run (pruned at moments, or with a mask that changes
while it trains), or with the masks of another recipe.

Densities follow from two of `rounds`, `rate` (share of the remaining weights that a round removes) and `density` (what
is kept in the end); `layer_rates` overrides the rate of the tensors that match a pattern.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, Self

from pydantic import model_validator

from winnow import lottery, plugins
from winnow.errors import UserError
from winnow.fields import (
    ArmNames,
    Copies,
    Criterion,
    Density,
    LayerRates,
    Moments,
    Name,
    Points,
    Rounds,
    Schedule,
    Sparsifier,
    Strict,
    fail,
)

Densities = list[float] | list[dict[str, float]]
_COUNTED = ("rounds", "rate", "density")
_SELECTING = ("criterion", "scope", "one_shot", *_COUNTED, "layer_rates")
_RESTARTING = ("restart", "schedule_restart")


class InRun(Strict):
    """Pruning inside one run: at each moment of `at`, down to `density` at the last."""

    at: Moments
    density: Density
    schedule: Schedule
    schedule_after: Schedule


class Instability(Strict):
    """Linear mode connectivity: `copies` of every round with data orders of their own, errors at `points` on a line.

    `arms`: where, since copies cost as much as the recipe does; all in which the recipe runs if left out.
    """

    arms: ArmNames | None = None
    copies: Copies = 2
    points: Points = 30


class Recipe(Strict):
    """How a ticket is made; which keys it needs depends on its kind. `enabled: false` leaves it out."""

    enabled: bool = True
    arms: ArmNames | None = None
    criterion: Criterion | None = None
    scope: Literal["global", "layerwise"] | None = None
    one_shot: bool | None = None
    restart: Literal["rewind", "random", "keep", "signs"] | None = None
    schedule_restart: Literal["rewind", "constant_last"] | None = None
    rounds: Rounds | None = None
    rate: Density | None = None
    density: Density | None = None
    layer_rates: LayerRates | None = None
    mask_of: Name | None = None
    schedule: Schedule | None = None
    in_run: InRun | None = None
    sparsify: Sparsifier | None = None
    instability: Instability | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.in_run:
            self._needs("with in_run", ("criterion", "scope"))
            self._forbids(
                "in_run, which describes the whole recipe",
                (*_SELECTING[2:], *_RESTARTING, "mask_of", "schedule", "sparsify", "instability"),
            )
        elif self.sparsify:
            self._needs("with sparsify", ("scope",))
            self._forbids(
                "sparsify, which trains one run to the density that it names",
                ("criterion", *_SELECTING[2:], *_RESTARTING, "mask_of", "instability"),
            )
        elif self.mask_of:
            self._needs("with mask_of", _RESTARTING)
            self._forbids("mask_of, which takes masks and densities from another recipe", _SELECTING)
            if self.restart == "keep":
                raise fail(
                    "'keep' is not valid beside mask_of, whose masks come with the other recipe's weights.", "restart"
                )
        else:
            self._needs("without in_run, sparsify and mask_of", ("criterion", "scope", *_RESTARTING))
            self._check_rounds()
        return self

    def _given(self, *names: str) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

    def _needs(self, kind: str, names: tuple[str, ...]) -> None:
        if missing := [name for name in names if getattr(self, name) is None]:
            raise fail(f"{', '.join(missing)} is missing (a recipe {kind} needs it).")

    def _forbids(self, what: str, names: tuple[str, ...]) -> None:
        if given := self._given(*names):
            raise fail(f"{', '.join(given)} cannot stand beside {what}.")

    @model_validator(mode="after")
    def _copies_start_from_the_rewind_point(self) -> Self:
        if self.instability and self.restart != "rewind":
            raise fail("needs restart: rewind, since its copies start from the rewind point.", "instability")
        return self

    def _check_rounds(self) -> None:
        assert self.criterion is not None
        if len(self._given(*_COUNTED)) != 2:
            raise fail("give two of rounds, rate (share of the remaining weights that a round removes) and density.")
        scopes = plugins.constant("criteria", self.criterion, "SCOPES", ("global", "layerwise"))
        if self.scope not in scopes:
            raise fail(
                f"{self.scope!r} is not valid; the criterion {self.criterion} is defined for {scopes[0]}.", "scope"
            )
        if self.layer_rates and (self.scope != "layerwise" or self.density is not None):
            raise fail("this needs scope: layerwise, and rounds and rate instead of a density.", "layer_rates")
        try:
            count = len(self.densities())
        except UserError as error:
            raise fail(str(error)) from error
        if count > 1 and not self.one_shot and plugins.constant("criteria", self.criterion, "ONE_SHOT", False):
            raise fail(
                f"{count} rounds are not valid; the criterion {self.criterion} is defined for one pruning of the "
                "untrained network. Give one round, or one_shot: true to prune the dense network anew to every density."
            )

    def densities(self, tensors: list[str] | None = None, layer_rates: dict[str, float] | None = None) -> Densities:
        """Kept share after each round, or at each moment of an in-run recipe; of each tensor with `layer_rates`.

        `layer_rates`: those of the arm, in place of the recipe's, if it has any.
        """
        if self.in_run:
            return lottery.round_densities(self.in_run.density, rounds=len(self.in_run.at))
        if self.sparsify:
            return [self.sparsify["density"]]
        shares = lottery.round_densities(self.density, rounds=self.rounds, rate=self.rate)
        if not self.layer_rates or tensors is None:
            return shares
        rates = {name: self._rate(name, layer_rates or self.layer_rates) for name in tensors}
        return [{name: (1 - rate) ** r for name, rate in rates.items()} for r in range(1, len(shares) + 1)]

    def _rate(self, tensor: str, layer_rates: dict[str, float]) -> float:
        """That of the first pattern that matches, else the recipe's."""
        assert self.rate is not None
        matching = (rate for pattern, rate in layer_rates.items() if fnmatchcase(tensor, pattern))
        return next(matching, self.rate)

    def runs_in(self, arm: str) -> bool:
        """Whether it is on, and meant for this arm."""
        return self.enabled and (self.arms is None or arm in self.arms)

    def copied_in(self, arm: str) -> bool:
        """Whether copies of its rounds are trained in this arm."""
        return self.instability is not None and (self.instability.arms is None or arm in self.instability.arms)

    @property
    def rounds_of_its_own(self) -> bool:
        """Whether it makes masks in rounds."""
        return self.in_run is None and self.sparsify is None and self.mask_of is None
