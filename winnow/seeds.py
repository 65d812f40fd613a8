"""Named random streams: every use of randomness draws from its own generator.

A stream is named by (seed, purpose, index), so a new consumer of random numbers never shifts another's, and a killed
run finds its numbers again without saving any generator's state. NumPy only.
"""

from __future__ import annotations

import zlib

import numpy as np

PURPOSES = (
    "init",
    "order",
    "batches",
    "holdout",
    "mask",
    "null",
    "restart",
    "split",
    "drawing",
    "probe",
    "copy",
    "saliency",
    "labels",
    "growth",
    "augmentation",
    "spread",
)


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """The generator of `seed` for one `purpose` (a name from PURPOSES) and `index` (epoch, round or draw).

    Raises ValueError for an unknown purpose and for negative numbers.
    """
    if purpose not in PURPOSES:
        raise ValueError(f"unknown random stream {purpose!r}: one of {', '.join(PURPOSES)}")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), index])))
