"""Size of the weights: how many are not zero; mean and largest |w|, smallest kept |w|, in the units of the weights. NaN
(but the count) without weights."""

import numpy as np

from winnow.distributions import Sample

WEIGHTS = True


def measure(sample: Sample) -> dict[str, float]:
    size = np.abs(sample.values)
    nan = float("nan")
    return {
        "weights": float(len(size)),
        "mean_abs": float(size.mean()) if len(size) else nan,
        "max_abs": float(size.max()) if len(size) else nan,
        "min_abs": float(size.min()) if len(size) else nan,
    }
