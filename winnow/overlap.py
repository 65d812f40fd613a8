"""Overlap of masks, and signs that differ between two sets of weights. Pure functions of arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray


def jaccard(a: ArrayLike, b: ArrayLike) -> float:
    """Kept by both / kept by either of two masks of one shape. NaN if both are empty, ValueError if shapes differ."""
    first, second = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if first.shape != second.shape:
        raise ValueError(f"masks of shapes {first.shape} and {second.shape} cannot overlap")
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else float("nan")


def chance(kept_a: int, kept_b: int, total: int) -> float:
    """Jaccard overlap of two independent random masks that keep `kept_a` and `kept_b` of `total`: expected intersection
    over expected union (the expectation of the ratio differs by O(1 / total)). NaN if both are empty."""
    both = kept_a * kept_b / total if total else 0.0
    either = kept_a + kept_b - both
    return both / either if either else float("nan")


def nested(kept_a: int, kept_b: int) -> float:
    """Jaccard overlap of two masks of which the larger holds the smaller, however chosen: smaller / larger. NaN if both
    are empty."""
    return min(kept_a, kept_b) / max(kept_a, kept_b) if kept_a or kept_b else float("nan")


def sign_flips(
    before: Mapping[str, NDArray[np.floating]], after: Mapping[str, NDArray[np.floating]]
) -> tuple[int, int]:
    """(flips, total) over the tensors of `after`: weights of opposite sign, among those that are zero in neither."""
    flips = total = 0
    for name, values in after.items():
        product = np.sign(before[name]) * np.sign(values)
        flips += int((product < 0).sum())
        total += int(np.count_nonzero(product))
    return flips, total
