"""Exact masks: which weights a ticket keeps.

A mask keeps exactly floor(density * N + 0.5) weights per lane, with N the *original* number of prunable weights: over
all tensors together (`global`) or per tensor (`layerwise`). Ties keep the lower index, counted through the tensors in
their given order, row by row; what was pruned once stays pruned. A criterion only scores (winnow/criteria/); everything
about counting is here. Thresholding with `score > cut` instead keeps too few or too many when scores tie, hence the
explicit tie step (after jaxpruner's mask calculator).

All arrays have a leading lane axis [L, ...]; lanes never see each other. NumPy only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.errors import UserError

Arrays = Mapping[str, NDArray[Any]]
Masks = dict[str, NDArray[np.bool_]]

SCOPES = ("global", "layerwise")


def kept_count(density: float, total: int) -> int:
    """Number of weights that `density` keeps of `total`: floor(density * total + 0.5); UserError outside [0, 1].

    A product that rounding left a hair below a half counts as the half (0.145 * 100 is 14.499999999999998 in binary).
    """
    if not 0 <= density <= 1:
        raise UserError(f"A density of {density} is impossible: the kept share of the weights lies between 0 and 1.")
    return math.floor(density * total * (1 + 1e-12) + 0.5)


def check_kept(density: float | Mapping[str, float], sizes: Mapping[str, int], scope: str | None) -> None:
    """UserError if a density keeps not one weight of the prunable tensors (`sizes`: weights by name)."""
    if isinstance(density, Mapping):
        if not any(kept_count(density[name], size) for name, size in sizes.items()):
            raise UserError(f"The densities {dict(density)} keep no weight of any prunable tensor.")
        return
    total = max(sizes.values()) if scope == "layerwise" else sum(sizes.values())
    if kept_count(density, total) == 0:
        where = "in any of the prunable tensors" if scope == "layerwise" else f"of the {total} prunable ones"
        raise UserError(
            f"A density of {density} keeps no weight {where}. The smallest density that keeps one is {0.5 / total}."
        )


def select(
    scores: Arrays, density: float | Mapping[str, float], scope: str = "global", previous: Arrays | None = None
) -> Masks:
    """Masks (bool [L, ...], true = kept) that keep the highest `scores` ([L, ...], per tensor) of every lane.

    density: kept share of all weights of `scores`, those pruned before included; with scope "layerwise" also one per
    tensor, {name: density}. previous: the masks of the round before; no weight pruned there comes back.
    UserError: unknown scope, impossible density, or `previous` keeps fewer weights than asked. ValueError: NaN scores,
    or names and shapes that do not fit together.
    """
    names = list(scores)
    lanes = _check(scores, previous)
    if scope == "global" and not isinstance(density, Mapping):
        groups = [(names, density)]
    elif scope == "layerwise":
        groups = [([name], share) for name, share in _per_tensor(names, density)]
    elif scope in SCOPES:
        raise UserError("Densities per tensor need the scope 'layerwise': the scope 'global' takes one density.")
    else:
        raise UserError(f"There is no scope {scope!r}: valid are {', '.join(SCOPES)}.")
    masks = {name: np.zeros(scores[name].shape, dtype=np.bool_) for name in names}
    for group, share in groups:
        count = kept_count(share, sum(scores[name][0].size for name in group))
        for lane in range(lanes):
            values = _flat(scores, group, lane)
            allowed = None if previous is None else _flat(previous, group, lane)
            if allowed is not None and np.count_nonzero(allowed) < count:
                raise UserError(
                    f"A density of {share} keeps {count} weights of {', '.join(group)}, but the mask before keeps "
                    f"only {np.count_nonzero(allowed)} in lane {lane}. A pruned weight never comes back: ask for a "
                    "lower density."
                )
            start = 0
            kept = _highest(values, count, allowed)
            for name in group:
                part = masks[name][lane]
                masks[name][lane] = kept[start : start + part.size].reshape(part.shape)
                start += part.size
    return masks


def _check(scores: Arrays, previous: Arrays | None) -> int:
    """The number of lanes; ValueError where the inputs do not fit together or a score is NaN."""
    if not scores:
        raise ValueError("no scores: nothing can be pruned")
    if len({values.shape[0] for values in scores.values()}) != 1:
        raise ValueError(f"tensors differ in lanes: { {name: values.shape for name, values in scores.items()} }")
    if previous is not None and {name: values.shape for name, values in previous.items()} != {
        name: values.shape for name, values in scores.items()
    }:
        raise ValueError(
            f"the mask before has {sorted(previous)}, or other shapes, but scores exist for {sorted(scores)}"
        )
    for name, values in scores.items():
        bad = np.flatnonzero(np.isnan(values).any(axis=tuple(range(1, values.ndim))))
        if bad.size:
            raise ValueError(f"the scores of {name} are NaN in lane {bad[0]}: a lane that diverged cannot be pruned")
    return int(next(iter(scores.values())).shape[0])


def _per_tensor(names: Sequence[str], density: float | Mapping[str, float]) -> list[tuple[str, float]]:
    if not isinstance(density, Mapping):
        return [(name, density) for name in names]
    if set(density) != set(names):
        raise UserError(
            f"Densities are given for {', '.join(density)}, but the prunable tensors are {', '.join(names)}."
        )
    return [(name, density[name]) for name in names]


def _flat(arrays: Arrays, names: Sequence[str], lane: int) -> NDArray[Any]:
    return np.concatenate([arrays[name][lane].ravel() for name in names])


def _highest(values: NDArray[Any], count: int, allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Boolean [N]: the `count` highest of `values` [N] among the allowed positions; ties keep the lower index."""
    kept = np.zeros(values.size, dtype=np.bool_)
    if count == 0:
        return kept
    positions = np.arange(values.size) if allowed is None else np.flatnonzero(allowed)
    values = values[positions]
    cut = np.partition(values, values.size - count)[values.size - count]  # the count-th highest value
    above = values > cut
    ties = np.flatnonzero(values == cut)[: count - np.count_nonzero(above)]
    kept[positions[above]] = True
    kept[positions[ties]] = True
    return kept


def apply(weights: Arrays, mask: Arrays) -> dict[str, NDArray[Any]]:
    """The weights with pruned ones exactly +0 (even where NaN or inf); parameters without a mask as they are."""
    masked = dict(weights)
    for name, keep in mask.items():
        masked[name] = np.where(keep, weights[name], 0)
    return masked


def kept(mask: Arrays) -> NDArray[np.int64]:
    """Kept weights, per lane: int64 [L]."""
    counts = [np.count_nonzero(keep.reshape(len(keep), -1), axis=1) for keep in mask.values()]
    return np.asarray(np.sum(counts, axis=0), dtype=np.int64)


def density(mask: Arrays) -> NDArray[np.float64]:
    """Kept share of all prunable weights, per lane: float64 [L]."""
    return np.asarray(kept(mask) / sum(keep[0].size for keep in mask.values()), dtype=np.float64)


def prunable(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The parameters (in their given order) whose name matches one of the glob `patterns`, e.g. ``rnn.weight_hh_l*``.

    UserError for a pattern that matches none, and for no pattern at all: both would silently prune too little.
    """
    names, patterns = list(names), list(patterns)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"prunable: the pattern {pattern!r} matches no parameter. There are {', '.join(names)}.")
    if not patterns:
        raise UserError(f"prunable: at least one name pattern is needed. The parameters are {', '.join(names)}.")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
