"""Digits: the 1,797 handwritten digits bundled with scikit-learn (8x8, values 0 to 16), enlarged to 28x28. Offline.

From Alpaydin and Kaynak (1998), "Optical recognition of handwritten digits", UCI Machine Learning Repository.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from winnow.seeds import stream

SHAPE = (1, 28, 28)
CLASSES = 10
CLASS_NAMES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
MEAN = 0.3051  # of the training images scaled to [0, 1]
STD = 0.3251

SMALL, LARGE = 8, 28
TRAIN = 1500


def enlarge(images: np.ndarray) -> np.ndarray:
    """Bilinear enlargement (pixel centres aligned) of integer images [N, 8, 8] in 0..16 to uint8 [N, 28, 28] in 0..255.

    Target pixel i lies at (i + 1/2) * 8/28 - 1/2 = (4i - 5) / 14 source pixels, so all weights are fourteenths and
    integers suffice: the result is the same on every machine.
    """
    weights = np.zeros((LARGE, SMALL), dtype=np.int64)  # in fourteenths
    for row, position in enumerate(np.clip(4 * np.arange(LARGE) - 5, 0, 14 * (SMALL - 1))):
        left, part = divmod(int(position), 14)
        weights[row, left] += 14 - part
        weights[row, min(left + 1, SMALL - 1)] += part
    values = weights @ images.astype(np.int64) @ weights.T  # (N, 28, 28), 0..16 * 14 * 14
    largest = 16 * 14 * 14
    return ((2 * 255 * values + largest) // (2 * largest)).astype(np.uint8)


def fetch(work: Path, folder: Path | None = None) -> dict[str, np.ndarray]:
    """The four uint8 arrays: 1,500 training and 297 test images, split at random but always the same."""
    from sklearn.datasets import load_digits

    bundled = load_digits()
    order = stream(0, "split").permutation(len(bundled.target))
    images, labels = enlarge(bundled.images[order]), bundled.target[order].astype(np.uint8)
    (work / "source").write_text("scikit-learn")
    return {
        "train_images": images[:TRAIN],
        "train_labels": labels[:TRAIN],
        "test_images": images[TRAIN:],
        "test_labels": labels[TRAIN:],
    }
