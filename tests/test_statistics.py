"""Reported numbers against hand-computed ones and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from winnow.statistics import Difference, adjusted, estimate, paired, rank_correlation, welch


def test_hand_computed():
    found = estimate([1.0, 2.0, 3.0])
    assert (found.n, found.mean, found.sd) == (3, 2.0, 1.0)
    # t(0.975, 2) = 4.30265, half width = 4.30265 / sqrt(3) = 2.48414
    assert found.low == pytest.approx(2 - 2.484138, abs=1e-5)
    assert found.high == pytest.approx(2 + 2.484138, abs=1e-5)


def test_against_scipy():
    values = [0.881, 0.893, 0.887, 0.8905, 0.884]
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = estimate(values)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)


def test_one_value_has_no_interval_and_none_has_no_mean():
    one = estimate([0.5])
    assert (one.n, one.mean, one.sd, one.low, one.high) == (1, 0.5, None, None, None)
    assert estimate([]).mean is None


def test_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        estimate([1.0, math.nan])


def test_pairs_are_common_seeds():
    found = paired({0: 3.0, 1: 5.0, 7: 100.0}, {1: 1.0, 0: 1.0, 9: -100.0})
    # differences 2 and 4: mean 3, sd sqrt(2), half width 12.7062 * sqrt(2) / sqrt(2)
    assert (found.difference.n, found.difference.mean) == (2, 3.0)
    assert found.difference.high == pytest.approx(3 + 12.7062, abs=1e-3)
    assert found.correlation is None  # below 3 pairs


def test_paired_against_scipy():
    a, b = [0.90, 0.91, 0.89, 0.92], [0.88, 0.90, 0.885, 0.89]
    found = paired(dict(enumerate(a)), dict(enumerate(b)))
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert found.correlation == pytest.approx(stats.pearsonr(a, b).statistic)


def test_no_correlation_without_spread():
    assert paired({0: 1.0, 1: 1.0, 2: 1.0}, {0: 1.0, 1: 2.0, 2: 3.0}).correlation is None


def test_welch_by_hand():
    """Means 2 and 6, variances 1 and 8, n 3 and 2: error sqrt(1/3 + 4), freedom (13/3)^2 / (1/18 + 16) = 169/144.5."""
    found = welch([1.0, 2.0, 3.0], [4.0, 8.0])
    half = stats.t.ppf(0.975, 169 / 144.5) * math.sqrt(13 / 3)
    assert (found.mean, found.low, found.high) == pytest.approx((-4, -4 - half, -4 + half))


def test_welch_against_scipy():
    a, b = [0.90, 0.91, 0.89, 0.92], [0.88, 0.80, 0.885, 0.89, 0.87]
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    found = welch(a, b)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_welch_of_few_values():
    assert welch([1.0], []).mean is None
    one = welch([3.0], [1.0, 1.5])
    assert (one.mean, one.low, one.high) == (1.75, None, None)
    flat = welch([3.0, 3.0], [1.0, 1.0])
    assert (flat.mean, flat.low, flat.high) == (2.0, 2.0, 2.0)


def test_adjusted_without_others_is_the_difference_of_means():
    """1, 3 against 0, 2: 1. Residuals are 1 throughout and own +-1/2, so White's error is sqrt(4 / 2 x 4 / 4) / 1."""
    found = adjusted([1.0, 3.0, 0.0, 2.0], np.array([True, True, False, False]), [])
    assert found.mean == pytest.approx(1.0)
    assert found.high - found.mean == pytest.approx(4.302653 * math.sqrt(2), abs=1e-5)


def test_adjusted_takes_out_what_others_explain():
    """The group's trials are mostly those with the other setting, which is worth 0.5; the group itself is worth 0.1."""
    inside = np.array([1, 1, 1, 0, 0, 0, 0, 1], dtype=bool)
    other = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    values = 0.2 + 0.1 * inside + 0.5 * other
    assert values[inside].mean() - values[~inside].mean() > 0.3
    found = adjusted(values.tolist(), inside, [other])
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_adjusted_needs_trials_that_differ_in_the_group_alone():
    inside = np.array([True, False, True])
    assert adjusted([1.0, 2.0, 3.0], inside, [inside]).mean is None
    assert adjusted([], np.array([], dtype=bool), []).mean is None
    assert adjusted([1.0, 2.0], inside[:2], []) == Difference(pytest.approx(-1.0), None, None)


def test_rank_correlation_by_hand():
    """Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: covariance 4.5, variances 4.5 and 5."""
    assert rank_correlation([1, 10, 10, 99], [0.1, 0.8, 0.7, 0.9]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert rank_correlation([1, 2, 3], [30, 20, 10]) == pytest.approx(-1)


def test_no_rank_correlation_without_spread_or_below_three():
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1, 2], [1, 2]) is None
