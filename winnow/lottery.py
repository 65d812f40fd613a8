"""Lottery-ticket arithmetic: how dense each round is, its mask, and where it starts again. Pure functions.

Prune - restart - train after Frankle & Carbin (2019, arXiv 1803.03635); rewinding to an iteration k > 0 after Frankle
et al. (2020, arXiv 1912.05671); learning-rate rewinding and fine-tuning after Renda et al. (2020, arXiv 2003.02389);
the restart from signs after Zhou et al. (2019, arXiv 1905.01067), who take the standard deviation of a layer's initial
weights for the constant, where `signs` takes the mean magnitude at the rewind point.

This module is imported while a Snakefile is parsed, for `round_densities`: NumPy is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from winnow import plugins
from winnow.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from winnow.saliency import Network

RESTARTS = ("rewind", "random", "keep", "signs")
SCHEDULE_RESTARTS = ("rewind", "constant_last")
_REACHED = 1.001  # a round within 0.1 % of the target is the target: 0.7248**5 = 0.20003, 0.9**3 = 0.7290000000000001
_MOST_ROUNDS = 1000


def round_densities(density: float | None = None, rounds: int | None = None, rate: float | None = None) -> list[float]:
    """Densities of the rounds 1, 2, ... from two of target `density`, number of `rounds`, and `rate`.

    With `density` the last one is exactly the target. By `rounds` and `density`: density ** (r / rounds), the same
    share of the survivors pruned each time. By `rate`, the share pruned per round: (1 - rate) ** r for the given
    `rounds`, or until the target is reached (or missed by less than 0.1 %).
    UserError: density or rate outside (0, 1), rounds < 1, not exactly two of the three, more than 1000 rounds.
    """
    if [density, rounds, rate].count(None) != 1:
        raise UserError(
            f"A recipe needs two of density, rounds and rate (the share pruned per round), not {density=}, {rounds=} "
            f"and {rate=}."
        )
    if density is not None and not 0 < density < 1:
        raise UserError(
            f"density: {density} is not a target for pruning; valid is a kept share strictly between 0 and 1."
        )
    if rounds is not None and not 1 <= rounds <= _MOST_ROUNDS:
        raise UserError(f"rounds: {rounds} is not valid; it must be a whole number from 1 to {_MOST_ROUNDS}.")
    if rate is not None and not 0 < rate < 1:
        raise UserError(f"rate: {rate} is not valid; the share pruned per round lies strictly between 0 and 1.")
    if rate is None:
        assert density is not None
        assert rounds is not None
        return [density ** (r / rounds) for r in range(1, rounds)] + [density]
    if density is None:
        assert rounds is not None
        return [(1 - rate) ** r for r in range(1, rounds + 1)]
    densities: list[float] = []
    while (following := (1 - rate) ** (len(densities) + 1)) > density * _REACHED:
        densities.append(following)
        if len(densities) >= _MOST_ROUNDS:
            raise UserError(f"rate: {rate} would take more than {_MOST_ROUNDS} rounds to the density {density}.")
    return [*densities, density]


@dataclass(frozen=True)
class Context:
    """What a criterion may look at. All arrays have a leading lane axis [L, ...].

    weights, initial, rewind: all parameters at the end of the round before, at initialisation and at the rewind point
    (None where the criterion does not need them); mask: the round before's, None for a dense network; streams: one
    generator per lane; names: the prunable tensors, in the model's order; network: the differentiable loss on a batch
    of training images (None as above).
    """

    weights: Mapping[str, NDArray[Any]] | None
    initial: Mapping[str, NDArray[Any]] | None
    rewind: Mapping[str, NDArray[Any]] | None
    mask: Mapping[str, NDArray[np.bool_]] | None
    streams: Sequence[np.random.Generator]
    names: Sequence[str]
    network: Network | None = None

    def masked(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All arrays, with exact zeros where the mask has pruned."""
        from winnow import masks

        return masks.apply(arrays, self.mask or {})


def make_mask(
    criterion: str, context: Context, density: float | Mapping[str, float], scope: str
) -> dict[str, NDArray[np.bool_]]:
    """The mask of a round: score by the plug-in `criterion`, then select exactly (errors: `masks.select`).

    A criterion with STEPS = n scores and selects n times, each time a like share of what is left.
    """
    from winnow import masks

    plugin = plugins.load("criteria", criterion)
    missing = [need for need in plugin.NEEDS if getattr(context, need) is None]
    if missing:
        raise ValueError(f"criterion {criterion!r} needs {', '.join(missing)}")
    shares: list[float | Mapping[str, float]] = [density]
    if (steps := getattr(plugin, "STEPS", 1)) > 1 and not isinstance(density, Mapping):
        start = 1.0 if context.mask is None else float(masks.density(context.mask).min())
        shares = [start * (density / start) ** (step / steps) for step in range(1, steps)] + [density]
    for share in shares:
        scores = plugin.score(context)
        if set(scores) != set(context.names):
            raise ValueError(f"criterion {criterion!r} scored {sorted(scores)} instead of {sorted(context.names)}")
        previous = None if context.mask is None else {name: context.mask[name] for name in context.names}
        mask = masks.select({name: scores[name] for name in context.names}, share, scope, previous)
        context = replace(context, mask=mask)
    return mask


def restart(
    kind: str,
    *,
    trained: Mapping[str, NDArray[Any]],
    initial: Mapping[str, NDArray[Any]],
    rewind: Mapping[str, NDArray[Any]] | None,
    fresh: Mapping[str, NDArray[Any]] | None,
    mask: Mapping[str, NDArray[np.bool_]],
) -> dict[str, NDArray[Any]]:
    """New arrays of all parameters ([L, ...], pruned weights exactly zero) from which a round starts.

    `rewind`: the rewind point (None: the initialisation is the rewind point); `random`: `fresh`, a new initialisation;
    `keep`: `trained`, as the round before left them; `signs`: the rewind point's signs times the mean magnitude of all
    the entries of its tensor, lane by lane (a zero stays zero). UserError for another kind.
    """
    import numpy as np

    from winnow import masks

    point = initial if rewind is None else rewind
    if kind == "rewind":
        start = dict(point)
    elif kind == "random":
        if fresh is None:
            raise ValueError("the restart 'random' needs a fresh initialisation")
        start = dict(fresh)
    elif kind == "keep":
        start = dict(trained)
    elif kind == "signs":
        start = {}
        for name, value in point.items():
            size = np.abs(value).mean(axis=tuple(range(1, value.ndim)), keepdims=True, dtype=np.float64)
            start[name] = (np.sign(value) * size).astype(value.dtype)
    else:
        raise UserError(f"There is no restart {kind!r}: valid are {', '.join(RESTARTS)}.")
    return {name: value.copy() for name, value in masks.apply(start, mask).items()}


@dataclass(frozen=True)
class RoundStart:
    """Where a round's training starts: iterations `start` to `total` - 1 of the dense run, with fresh optimiser state.

    Minibatches are those of the dense run at the same iterations; metrics count iterations and epochs the same way.
    """

    start: int
    total: int
    schedule_restart: str

    @property
    def iterations(self) -> int:
        """Number of iterations to train."""
        return self.total - self.start

    def position(self, iteration: int) -> int:
        """The schedule's position (the argument of its factor) at `iteration`, counted since initialisation."""
        return iteration if self.schedule_restart == "rewind" else self.total - 1


def start_of(restart: str, schedule_restart: str, rewind_iteration: int, total_iterations: int) -> RoundStart:
    """The start of a round after a dense run of `total_iterations` with its rewind point at `rewind_iteration` = k.

    `rewind`, `keep`, `signs` train the iterations k to T - 1 with the dense run's data order there (also `keep`, whose
    weights are older: restarts that are compared then see the same minibatches); `random` trains all T. The schedule
    goes on from the first of them (`rewind`), or stays at the last iteration's factor (`constant_last`).
    UserError: unknown names, or a rewind point outside [0, T).
    """
    if restart not in RESTARTS:
        raise UserError(f"There is no restart {restart!r}: valid are {', '.join(RESTARTS)}.")
    if schedule_restart not in SCHEDULE_RESTARTS:
        raise UserError(f"There is no schedule_restart {schedule_restart!r}: valid are {', '.join(SCHEDULE_RESTARTS)}.")
    if not 0 <= rewind_iteration < total_iterations:
        raise UserError(
            f"The rewind point at iteration {rewind_iteration} is not before the end of training at iteration "
            f"{total_iterations}: nothing would be left to train."
        )
    return RoundStart(0 if restart == "random" else rewind_iteration, total_iterations, schedule_restart)
