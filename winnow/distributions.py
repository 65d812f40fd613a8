"""Distributions of weights: samples, histograms with fixed bins, and maximum-likelihood fits.

Three families, all as densities of the signed weight w, so that their log-likelihoods compare:
- `normal`: w ~ N(mu, sigma^2);
- `half_normal`: |w| half-normal with scale sigma, the sign a fair coin (a normal with mu = 0);
- `log_normal`: log|w| ~ N(mu, sigma^2), the sign a fair coin.

Selection by magnitude cuts |w| < c away. With `cut` = c > 0 each family is truncated there: the normal to w outside
(-c, c), the others to |w| >= c. c is the threshold of the selection, estimated by the smallest |w| that it kept. This
holds for the weights that the mask was made from only: training afterwards blurs the edge, and then a truncation at the
smallest |w| favours the log-normal, whatever the weights are. Such samples have no `cut` (None) and are not fitted.

Truncation, KS distance and likelihood ratio follow Clauset, Shalizi and Newman (2009, SIAM Review 51, 661, arXiv
0706.1062); unlike there the cut is that of the selection, not one that is fitted, and no p value is given.

The truncated likelihoods depend on the sample through two means only, so the search costs nothing. A left-truncated
log-normal need not have a maximum: when the tail is a power law or heavier it tends to one, mu falling without bound;
the search stops LIMIT standard deviations below the cut.

KS distances compare all families on one scale: the empirical and the fitted (truncated) distribution function of |w|,
also for the normal, whose two sides are folded onto each other (on signed weights its distance would be about half as
large). All is NaN for fewer than 3 weights, or weights that do not differ in size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LIMIT = 30.0
SAME = 1e-9  # relative spread below which weights count as equal
LOG_2PI = float(np.log(2 * np.pi))

# Bins are fixed so that counts of different seeds, rounds and arms add up. Weights beyond the last edge are not counted
# (`max_abs` and `weights` of the measure `magnitudes` tell of them).
BINS = {"abs": np.linspace(0.0, 1.0, 201), "log10_abs": np.linspace(-8.0, 2.0, 201)}


@dataclass(frozen=True)
class Sample:
    """Weights of one part [n]: finite, exact zeros left out. `cut` > 0: truncated at |w| = cut; None: truncated at no
    sharp edge, so that nothing can be fitted. `before`: the same weights at the rewind point [n], or None."""

    values: Values
    cut: float | None = 0.0
    before: Values | None = None


@dataclass(frozen=True)
class Fit:
    """Parameters (in the units of the weights; of log|w| for the log-normal), mean log-likelihood per weight (nats, as
    a density of w) and KS distance (of |w|, in [0, 1])."""

    parameters: dict[str, float]
    log_likelihood: float
    ks: float


def histograms(values: Values) -> dict[str, NDArray[np.intp]]:
    """{quantity: counts per bin of BINS [200]} of weights [n] without zeros; the last bin includes its right edge."""
    size = np.abs(values)
    with np.errstate(under="ignore"):
        quantities = {"abs": size, "log10_abs": np.log10(size)}
    return {name: np.histogram(quantity, BINS[name])[0] for name, quantity in quantities.items()}


def ks_distance(values: Values, cdf: Callable[[Values], Values]) -> float:
    """Largest distance, in [0, 1], between the empirical distribution function of `values` [n] and `cdf`."""
    count = len(values)
    expected = cdf(np.sort(values))
    steps = np.arange(count + 1) / count
    return float(max((steps[1:] - expected).max(), (expected - steps[:-1]).max()))


def _undefined(*names: str) -> Fit:
    return Fit(dict.fromkeys(names, float("nan")), float("nan"), float("nan"))


def _minimise(loss: Callable[[Values], float], start: list[float], bounds: list[tuple[float, float]]) -> Values:
    from scipy.optimize import minimize

    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000, "maxfev": 4000}
    found = minimize(loss, start, method="Nelder-Mead", bounds=bounds, options=options)
    return np.asarray(found.x, dtype=np.float64)


def fit_normal(values: Values, cut: float = 0.0) -> Fit:
    """N(mu, sigma^2) of w [n], truncated to |w| >= cut; its KS distance is that of |w|, as for the other families."""
    from scipy.special import log_ndtr

    if len(values) < 3 or np.abs(values).std() <= SAME * np.abs(values).max():
        return _undefined("mu", "sigma")
    scale = float(np.sqrt((values**2).mean()))  # the search runs in units of the root mean square
    first, edge = float(values.mean()) / scale, cut / scale

    def loss(theta: Values) -> float:
        mu, log_sigma = float(theta[0]), float(theta[1])
        sigma = float(np.exp(log_sigma))
        kept = np.logaddexp(log_ndtr((-edge - mu) / sigma), log_ndtr((mu - edge) / sigma)) if cut else 0.0
        return log_sigma + LOG_2PI / 2 + (1 - 2 * mu * first + mu**2) / (2 * sigma**2) + float(kept)

    if cut:
        best = _minimise(loss, [first, -0.3], [(-10, 10), (-10, 10)])
    else:
        best = np.array([first, np.log(values.std() / scale)])
    mu, sigma = float(best[0]) * scale, float(np.exp(best[1])) * scale

    def log_tail(x: Values) -> Values:  # log P(|w| > x): both sides
        return np.asarray(np.logaddexp(log_ndtr((-x - mu) / sigma), log_ndtr((mu - x) / sigma)))

    def cdf(x: Values) -> Values:
        return np.asarray(-np.expm1(log_tail(x) - log_tail(np.asarray(cut))))

    return Fit({"mu": mu, "sigma": sigma}, -loss(best) - float(np.log(scale)), ks_distance(np.abs(values), cdf))


def fit_half_normal(values: Values, cut: float = 0.0) -> Fit:
    """Half-normal of |w| with scale sigma, truncated to |w| >= cut; values [n]."""
    from scipy.special import log_ndtr

    size = np.abs(values)
    if len(size) < 3 or size.std() <= SAME * size.max():
        return _undefined("sigma")
    scale = float(np.sqrt((size**2).mean()))
    edge = cut / scale

    def loss(theta: Values) -> float:  # in units of `scale`: the mean square is 1
        log_sigma = float(theta[0])
        sigma = float(np.exp(log_sigma))
        return log_sigma + LOG_2PI / 2 + 1 / (2 * sigma**2) + float(np.log(2.0) + log_ndtr(-edge / sigma))

    best = _minimise(loss, [-0.3], [(-10, 10)]) if cut else np.zeros(1)
    sigma = float(np.exp(best[0])) * scale

    def cdf(x: Values) -> Values:
        return np.asarray(-np.expm1(log_ndtr(-x / sigma) - log_ndtr(-cut / sigma)))

    return Fit({"sigma": sigma}, -loss(best) - float(np.log(scale)), ks_distance(size, cdf))


def fit_log_normal(values: Values, cut: float = 0.0) -> Fit:
    """Normal of log|w|, truncated to |w| >= cut; values [n]."""
    from scipy.special import log_ndtr

    logs = np.log(np.abs(values))
    spread = float(logs.std()) if len(logs) else 0.0
    if len(logs) < 3 or spread <= SAME:
        return _undefined("mu", "sigma")
    start = float(np.log(cut)) if cut else -np.inf
    mean = float(logs.mean())
    if cut:
        mean_above = (mean - start) / spread  # of (log|w| - log cut) in units of the spread

        def loss(theta: Values) -> float:
            # theta = (mu / sigma, log sigma), mu counted from the cut
            ratio, log_sigma = float(theta[0]), float(theta[1])
            sigma = float(np.exp(log_sigma))
            square = (1 + (mean_above - ratio * sigma) ** 2) / (2 * sigma**2)
            return log_sigma + LOG_2PI / 2 + square + float(log_ndtr(ratio))

        best = _minimise(loss, [min(mean_above, 100.0), 0.0], [(-LIMIT, 1e3), (-10, 10)])
        sigma = float(np.exp(best[1])) * spread
        mu = start + float(best[0]) * sigma
        likelihood = -loss(best) - float(np.log(spread))
    else:
        mu, sigma = mean, spread
        likelihood = -float(np.log(sigma)) - LOG_2PI / 2 - 0.5
    tail = log_ndtr((mu - start) / sigma)

    def cdf(x: Values) -> Values:
        return np.asarray(-np.expm1(log_ndtr((mu - x) / sigma) - tail))

    # From a density of log|w| to one of w: 1 / |w| for the logarithm, 1 / 2 for the sign.
    return Fit({"mu": mu, "sigma": sigma}, likelihood - mean - float(np.log(2.0)), ks_distance(logs, cdf))


FAMILIES: dict[str, Callable[[Values, float], Fit]] = {
    "normal": fit_normal,
    "half_normal": fit_half_normal,
    "log_normal": fit_log_normal,
}
