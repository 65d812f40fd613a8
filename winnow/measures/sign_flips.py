"""Sign flips: weights whose sign differs from that at the rewind point, and their share among the (kept) weights that
are zero at neither time. Only where there is a rewind point to compare with (state `final`)."""

import numpy as np

from winnow.distributions import Sample
from winnow.overlap import sign_flips

WEIGHTS = True


def measure(sample: Sample) -> dict[str, float]:
    if sample.before is None:
        return {}
    flips, total = sign_flips({"": sample.before}, {"": sample.values})
    return {"sign_flips": float(flips), "sign_flip_share": flips / total if total else float(np.nan)}
