"""Fits against scipy and on samples with known parameters, truncated ones too; histograms."""

import math

import numpy as np
import pytest
from scipy import stats

from winnow.distributions import BINS, FAMILIES, Sample, fit_half_normal, fit_log_normal, fit_normal, histograms
from winnow.measures import fits, log_moments


def signs(rng, n):
    return rng.choice([-1.0, 1.0], n)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_whole_samples_agree_with_scipy(rng):
    values = rng.normal(0.02, 0.06, 3000)
    normal = fit_normal(values)
    mu, sigma = stats.norm.fit(values)
    assert normal.parameters == pytest.approx({"mu": mu, "sigma": sigma})
    assert normal.log_likelihood == pytest.approx(stats.norm.logpdf(values, mu, sigma).mean())
    folded = stats.foldnorm(abs(mu) / sigma, 0, sigma)
    assert normal.ks == pytest.approx(stats.kstest(np.abs(values), folded.cdf).statistic)

    half = fit_half_normal(values)
    scale = stats.halfnorm.fit(np.abs(values), floc=0)[1]
    assert half.parameters["sigma"] == pytest.approx(scale)
    expected = stats.halfnorm.logpdf(np.abs(values), 0, scale).mean() - math.log(2)
    assert half.log_likelihood == pytest.approx(expected)
    assert half.ks == pytest.approx(stats.kstest(np.abs(values), stats.halfnorm(0, scale).cdf).statistic)

    log_normal = fit_log_normal(values)
    shape, _, scale = stats.lognorm.fit(np.abs(values), floc=0)
    assert log_normal.parameters == pytest.approx({"mu": math.log(scale), "sigma": shape}, rel=1e-4)
    expected = stats.lognorm.logpdf(np.abs(values), shape, 0, scale).mean() - math.log(2)
    assert log_normal.log_likelihood == pytest.approx(expected, rel=1e-6)
    assert log_normal.ks == pytest.approx(
        stats.kstest(np.abs(values), stats.lognorm(shape, 0, scale).cdf).statistic, abs=1e-4
    )


@pytest.mark.parametrize("cut", [0.02, 0.05, 0.12])
def test_truncated_normals_are_recovered(rng, cut):
    values = rng.normal(0.01, 0.06, 200_000)
    values = values[np.abs(values) >= cut]
    normal, half = fit_normal(values, cut), fit_half_normal(values, cut)
    assert normal.parameters["mu"] == pytest.approx(0.01, abs=0.0015)
    assert normal.parameters["sigma"] == pytest.approx(0.06, rel=0.03)
    assert half.parameters["sigma"] == pytest.approx(np.hypot(0.06, 0.01), rel=0.03)
    assert normal.ks < 2.5 / len(values) ** 0.5
    assert normal.log_likelihood > half.log_likelihood  # the half-normal is the normal with mu = 0
    assert fit_normal(values).parameters["sigma"] > 0.068  # without the cut the fit is wrong
    assert fit_normal(values).ks > 0.05


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_truncated_log_normals_are_recovered(rng, share):
    values = np.exp(rng.normal(-3.0, 0.8, 200_000)) * signs(rng, 200_000)
    cut = float(np.quantile(np.abs(values), share))
    values = values[np.abs(values) >= cut]
    fit = fit_log_normal(values, cut)
    tolerance = 0.02 if share < 0.9 else 0.25
    assert fit.parameters["mu"] == pytest.approx(-3.0, abs=tolerance)
    assert fit.parameters["sigma"] == pytest.approx(0.8, abs=tolerance)
    assert fit.ks < 2.0 / len(values) ** 0.5
    assert fit.log_likelihood > fit_normal(values, cut).log_likelihood


def test_truncated_likelihoods_are_densities_of_the_signed_weight(rng):
    values = rng.normal(0.1, 1.0, 4000)
    values = values[np.abs(values) >= 0.5]
    normal = fit_normal(values, 0.5)
    law = stats.norm(normal.parameters["mu"], normal.parameters["sigma"])
    kept = law.cdf(-0.5) + law.sf(0.5)
    assert normal.log_likelihood == pytest.approx((law.logpdf(values) - math.log(kept)).mean())
    assert normal.ks == pytest.approx(
        stats.kstest(
            np.abs(values), lambda x: (law.cdf(x) - law.cdf(-x) - law.cdf(0.5) + law.cdf(-0.5)) / kept
        ).statistic
    )
    log_normal = fit_log_normal(values, 0.5)
    law = stats.lognorm(log_normal.parameters["sigma"], 0, math.exp(log_normal.parameters["mu"]))
    expected = (law.logpdf(np.abs(values)) - law.logsf(0.5)).mean() - math.log(2)
    assert log_normal.log_likelihood == pytest.approx(expected)
    half = fit_half_normal(values, 0.5)
    law = stats.halfnorm(0, half.parameters["sigma"])
    assert half.log_likelihood == pytest.approx((law.logpdf(np.abs(values)) - law.logsf(0.5)).mean() - math.log(2))
    assert half.ks == pytest.approx(
        stats.kstest(np.abs(values), lambda x: 1 - law.sf(x) / law.sf(0.5)).statistic, rel=1e-6
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_fits_are_maxima_and_follow_the_scale(family, rng):
    values = rng.normal(0.2, 1.0, 3000)
    cut = 0.4
    values = values[np.abs(values) >= cut]
    small = FAMILIES[family](values * 1e-3, cut * 1e-3)
    large = FAMILIES[family](values, cut)
    assert small.ks == pytest.approx(large.ks, abs=1e-5)
    assert small.log_likelihood == pytest.approx(large.log_likelihood + math.log(1e3))


def test_a_power_law_tail_is_met_at_the_limit(rng):
    values = (1 - rng.random(20_000)) ** -0.8 * signs(rng, 20_000)  # Pareto, log|w| exponential
    fit = fit_log_normal(values, 1.0)
    assert fit.parameters["mu"] < -5
    assert fit.ks < 0.02


def test_the_better_family_wins_the_likelihood_ratio(rng):
    normal = fits.measure(Sample(rng.normal(0, 1, 5000)))
    log_normal = fits.measure(Sample(np.exp(rng.normal(0, 1, 5000)) * signs(rng, 5000)))
    assert normal["log_normal_against_normal"] < -0.05
    assert log_normal["log_normal_against_normal"] > 0.05
    assert log_normal["log_normal_against_half_normal"] > 0.05


def test_distances_of_all_families_are_on_one_scale(rng):
    values = rng.laplace(0, 1, 65_536)  # symmetric: the normal and the half-normal are the same law of |w|
    normal, half, log_normal = (FAMILIES[name](values, 0.0).ks for name in ("normal", "half_normal", "log_normal"))
    assert normal == pytest.approx(half, rel=0.02)
    assert log_normal < normal


def test_a_blurred_edge_is_not_fitted():
    assert fits.measure(Sample(np.array([0.1, -0.2, 0.3, 0.4]), None)) == {}


def test_moments_of_the_logarithm(rng):
    values = rng.gamma(2.0, 1.0, 500) * signs(rng, 500)
    found = log_moments.measure(Sample(values))
    logs = np.log(np.abs(values))
    assert found["log_skewness"] == pytest.approx(stats.skew(logs))
    assert found["log_excess_kurtosis"] == pytest.approx(stats.kurtosis(logs))


def test_histograms_have_fixed_bins_and_leave_the_range_out():
    counts = histograms(np.array([0.0049, -0.0051, 1.0, 3.0, 1e-9, 1e-8]))
    assert counts["abs"][0] == 3
    assert counts["abs"][1] == 1
    assert counts["abs"][-1] == 1
    assert counts["abs"].sum() == 5  # 3.0 lies beyond
    assert counts["log10_abs"].sum() == 5  # 1e-9 lies beyond
    assert all(len(counts[name]) == len(BINS[name]) - 1 for name in BINS)
