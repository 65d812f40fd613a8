"""Overlap (Jaccard) of masks: between arms, seeds and consecutive rounds, and with the mask of the initial magnitudes.

A round keeps none but weights that the round before kept, so the comparison 'rounds' shows what nesting alone makes of
it, and its chance is that of a random mask within the larger one: equal for each criterion (winnow.overlap.nested).

Initialisation and trained weights of orthogonal matrices are close, so much of a "learned" mask may be the draw: the
comparison 'initial' sets every mask against the control that keeps the largest weights of the same initialisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from winnow.overlap import chance, jaccard, nested
from winnow.tables._runs import Run

GROUPS = ("rounds", "in_run")
FILES = ("metrics.csv", "mask.safetensors")
INITIAL = "magnitude_init"  # the criterion of the control


@dataclass(frozen=True)
class _Ticket:
    arm: str
    recipe: str
    round: int
    seed: int
    order: tuple[int, int, int]  # of arm, recipe, round in the runs: sorts rows and orients pairs
    masks: dict[str, np.ndarray]

    @property
    def kept(self) -> int:
        return sum(int(mask.sum()) for mask in self.masks.values())


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per pair of tickets and tensor, and one for all tensors. spec["recipes"]: {name: {"criterion": ...}}."""
    tickets = _tickets(runs)
    controls = {name for name, recipe in spec.get("recipes", {}).items() if recipe.get("criterion") == INITIAL}
    for a, b in combinations(tickets, 2):
        comparison = _comparison(a, b, controls)
        if comparison == "initial" and a.recipe in controls:  # the control is b, wherever config names it
            a, b = b, a
        if comparison is not None:
            yield from _pair(comparison, a, b)


def _tickets(runs: list[Run]) -> list[_Ticket]:
    arms, recipes = ({name: i for i, name in enumerate(dict.fromkeys(names))} for names in _names(runs))
    tickets = []
    for run in runs:
        masks = run.masks()
        for seed, ticket in run.tickets().items():
            number = int(str(ticket["round"]))
            order = (arms[run.arm], recipes[run.recipe], number)
            tickets.append(_Ticket(run.arm, run.recipe, number, seed, order, masks[seed]))
    return sorted(tickets, key=lambda ticket: (*ticket.order, ticket.seed))


def _names(runs: list[Run]) -> tuple[list[str], list[str]]:
    return [run.arm for run in runs], [run.recipe for run in runs]


def _comparison(a: _Ticket, b: _Ticket, controls: set[str]) -> str | None:
    """Which comparison a pair belongs to: they differ in exactly one respect. None for pairs that tell nothing."""
    same = {name: getattr(a, name) == getattr(b, name) for name in ("arm", "recipe", "round", "seed")}
    differ = [name for name, equal in same.items() if not equal]
    if differ == ["arm"]:
        return "arms"
    if differ == ["seed"]:
        return "seeds"
    if differ == ["round"] and abs(a.round - b.round) == 1:
        return "rounds"
    one_control = (a.recipe in controls) != (b.recipe in controls)
    if same["arm"] and same["seed"] and one_control and a.kept == b.kept:
        return "initial"
    return None


def _pair(comparison: str, a: _Ticket, b: _Ticket) -> Iterator[dict[str, object]]:
    parts = {name: (a.masks[name], b.masks[name]) for name in a.masks if name in b.masks}
    parts["all"] = (
        np.concatenate([first.ravel() for first, _ in parts.values()]),
        np.concatenate([second.ravel() for _, second in parts.values()]),
    )
    for part, (first, second) in parts.items():
        row: dict[str, object] = {"comparison": comparison, "part": part}
        for side, ticket in (("a", a), ("b", b)):
            row |= {f"{name}_{side}": getattr(ticket, name) for name in ("arm", "recipe", "round", "seed")}
        kept = int(first.sum()), int(second.sum())
        expected = nested(*kept) if comparison == "rounds" else chance(*kept, first.size)
        yield {**row, "jaccard": jaccard(first, second), "chance": expected}
