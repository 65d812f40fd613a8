"""What the network sees of an image with the pixels x: (x - shift) * scale, from the images that it trains on.

    unit           x / 255            from 0 to 1
    centred        (x - m) / 255      m is the mean image: every input is 0 on average
    standardised   (x - m) / s        s^2 is the variance about m, averaged over the pixels

Pixels that are no bytes count as they are: 1 in place of 255. s is the same for all pixels: a deviation of its own
would blow up a pixel that is nearly always black. Source: LeCun, Bottou, Orr and Mueller (1998), Efficient BackProp,
section 4.3, where inputs whose mean is not 0 are shown to slow learning down.
"""

from __future__ import annotations

import numpy as np

from winnow.scratch.images import Images

CHUNK = 1000  # images at once, so that no copy of all of them is made


def shift_and_scale(inputs: str, images: Images, train: np.ndarray) -> tuple[np.ndarray, float]:
    """(shift [pixels], scale) by one of these names, from the images `train` (indices) of `images`."""
    pixels, unit = images.rows.shape[1], 1 / 255 if images.bytes else 1.0
    if inputs == "unit":
        return np.zeros(pixels), unit
    chunks = [np.sort(train[start : start + CHUNK]) for start in range(0, len(train), CHUNK)]
    mean = sum(images.rows[chunk].sum(axis=0, dtype=np.float64) for chunk in chunks) / len(train)
    if inputs == "centred":
        return mean, unit
    squares = sum(np.square(images.rows[chunk] - mean).sum() for chunk in chunks)
    return mean, float(np.sqrt(len(train) * pixels / squares)) if squares else unit
