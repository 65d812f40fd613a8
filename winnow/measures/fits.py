"""Maximum-likelihood normal, half-normal and log-normal (see `winnow.distributions`), truncated where a mask selected
by magnitude.

Per family its parameters, the Kolmogorov-Smirnov distance of |w| and the mean log-likelihood per weight in nats; then
the log-likelihood ratios per weight of the log-normal against the others (above 0: the log-normal fits better); and
`cut`, in the units of the weights, below which |w| is truncated (0: not truncated). Nothing for weights that were
trained after they were pruned: their distribution has no sharp edge, and would look log-normal for that reason alone.
"""

from winnow.distributions import FAMILIES, Sample

WEIGHTS = True


def measure(sample: Sample) -> dict[str, float]:
    if sample.cut is None:
        return {}
    result = {"cut": sample.cut}
    fits = {name: fit(sample.values, sample.cut) for name, fit in FAMILIES.items()}
    for name, fit in fits.items():
        result |= {f"{name}_{key}": value for key, value in fit.parameters.items()}
        result[f"{name}_ks"] = fit.ks
        result[f"{name}_log_likelihood"] = fit.log_likelihood
    for other in ("normal", "half_normal"):
        ratio = fits["log_normal"].log_likelihood - fits[other].log_likelihood
        result[f"log_normal_against_{other}"] = ratio
    return result
