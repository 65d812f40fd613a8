"""The numbers that are reported: mean, standard deviation, n, 95 % Student t interval; paired differences.

With n values of mean m and standard deviation s (divisor n - 1) the interval is m +- t s / sqrt(n), where t is the
0.975 quantile of Student's distribution with n - 1 degrees of freedom (Student 1908, Biometrika 6, 1). All but n and
the correlations are in the units of the values. One value has no interval.
Arms share initialisation and data order per seed, so they are compared by the differences of equal seeds. Groups of
other trials, which share nothing, are compared by Welch's interval (1947, Biometrika 34, 28): variances may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """Mean of n values; `sd` and the ends `low`, `high` of the interval are None where n does not give them."""

    n: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """Difference of two means; the ends `low`, `high` of its interval are None below 2 values on a side."""

    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Paired:
    """Mean difference of values paired by seed, and their correlation (None below 3 pairs or without spread)."""

    difference: Estimate
    correlation: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """Mean, standard deviation (n - 1) and 95 % interval of finite `values`; ValueError for a NaN or infinity."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("estimate() needs finite values: leave out diverged lanes before")
    n = int(array.size)
    if n == 0:
        return Estimate(0, None, None, None, None)
    mean = float(array.mean())
    if n == 1:
        return Estimate(1, mean, None, None, None)
    sd = float(array.std(ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * sd / n**0.5
    return Estimate(n, mean, sd, mean - half, mean + half)


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> Paired:
    """Estimate of a - b over the seeds (keys) that both have, with the correlation (Pearson) of the pairs.

    ValueError for a difference that is not finite.
    """
    seeds = sorted(set(a) & set(b))
    first, second = np.array([a[seed] for seed in seeds]), np.array([b[seed] for seed in seeds])
    correlation = None
    if len(seeds) >= 3 and np.ptp(first) > 0 and np.ptp(second) > 0:
        correlation = float(np.corrcoef(first, second)[0, 1])
    return Paired(estimate((first - second).tolist()), correlation)


def welch(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Mean of `a` - mean of `b`, with the 95 % interval for variances that may differ.

    Degrees of freedom by Welch and Satterthwaite; without any spread the interval is the difference itself. ValueError
    for a value that is not finite.
    """
    one, other = estimate(a), estimate(b)
    if one.mean is None or other.mean is None:
        return Difference(None, None, None)
    mean = one.mean - other.mean
    if one.sd is None or other.sd is None:
        return Difference(mean, None, None)
    parts = [(each.sd or 0.0) ** 2 / each.n for each in (one, other)]
    if sum(parts) == 0:
        return Difference(mean, mean, mean)
    freedom = sum(parts) ** 2 / sum(part**2 / (each.n - 1) for part, each in zip(parts, (one, other), strict=True))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * sum(parts) ** 0.5
    return Difference(mean, mean - half, mean + half)


def adjusted(values: Sequence[float], inside: np.ndarray, others: Sequence[np.ndarray]) -> Difference:
    """Difference of `values` between those `inside` a group and the rest at equal `others`, by least squares.

    values = constant + difference x inside + a coefficient per other column; the 95 % interval has White's standard
    error (1980, Econometrica 48, 817; with n / (n - coefficients)), since spreads may differ. The group's column is
    first freed of the others (Frisch and Waugh 1933). All None where they decide who is in the group.
    """
    y, group = np.asarray(values, dtype=float), np.asarray(inside, dtype=float)
    columns = np.column_stack([np.ones(len(y)), *others])
    if len(y) == 0:
        return Difference(None, None, None)
    fitted, _, rank, _ = np.linalg.lstsq(columns, np.column_stack([group, y]))
    own, rest = (np.column_stack([group, y]) - columns @ fitted).T
    square = float(own @ own)
    if square < 1e-9 * len(y):
        return Difference(None, None, None)
    mean = float(own @ rest) / square
    freedom = len(y) - int(rank) - 1
    if freedom < 1:
        return Difference(mean, None, None)
    error = float(np.sqrt(len(y) / freedom * np.sum((own * (rest - mean * own)) ** 2))) / square
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return Difference(mean, mean - half, mean + half)


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's correlation (1904), ties at their mean rank; None below 3 pairs or without spread."""
    first, second = stats.rankdata(a), stats.rankdata(b)
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])
