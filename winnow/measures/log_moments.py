"""Mean, standard deviation, skewness and excess kurtosis of log|w| (natural logarithm, zeros left out; population
moments).

A log-normal has skewness and excess kurtosis 0. NaN where the weights do not differ in size.
"""

import numpy as np

from winnow.distributions import Sample

WEIGHTS = True


def measure(sample: Sample) -> dict[str, float]:
    logs = np.log(np.abs(sample.values))
    mean = float(logs.mean()) if len(logs) else float("nan")
    sd = float(logs.std()) if len(logs) else float("nan")
    standard = (logs - mean) / sd if sd > 1e-12 else np.full(1, np.nan)
    return {
        "log_mean": mean,
        "log_sd": sd,
        "log_skewness": float((standard**3).mean()),
        "log_excess_kurtosis": float((standard**4).mean()) - 3,
    }
