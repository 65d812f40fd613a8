"""What the network sees of an image with the pixels x: (x^power - shift) * scale, from the images that train it.

    unit           x / 255            from 0 to 1
    centred        (x - m) / 255      m is the mean image: every input is 0 on average
    standardised   (x - m) / s        s^2 is the variance about m, averaged over the pixels
    roots          as standardised, of sqrt(x) in place of x: dark parts of an image differ more, bright ones less

Pixels that are no bytes count as they are: 1 in place of 255; for roots they must not be negative. s is the same for
all pixels: a deviation of its own would blow up a pixel that is nearly always black. Source: LeCun, Bottou, Orr and
Mueller (1998), Efficient BackProp, section 4.3, where inputs whose mean is not 0 are shown to slow learning down; the
square root is usual for brightness (a gamma of 2), and for counts whose variance grows with their mean.
"""

from __future__ import annotations

import numpy as np

from winnow.scratch.images import Images

CHUNK = 1000  # images at once, so that no copy of all of them is made


def fit(inputs: str, images: Images, train: np.ndarray) -> tuple[float, np.ndarray, float]:
    """(power, shift [pixels], scale) by one of these names, from the images `train` (indices) of `images`.

    The network sees (x ** power - shift) * scale.
    """
    pixels, unit = images.rows.shape[1], 1 / 255 if images.bytes else 1.0
    if inputs == "unit":
        return 1, np.zeros(pixels), unit
    power = 0.5 if inputs == "roots" else 1

    def rows(start: int) -> np.ndarray:
        return images.rows[np.sort(train[start : start + CHUNK])].astype(np.float64) ** power  # type: ignore[no-any-return]

    starts = range(0, len(train), CHUNK)
    mean = sum(rows(start).sum(axis=0) for start in starts) / len(train)
    if inputs == "centred":
        return 1, mean, unit
    squares = sum(np.square(rows(start) - mean).sum() for start in starts)
    return power, mean, float(np.sqrt(len(train) * pixels / squares)) if squares else unit
