"""MNIST: 60,000 + 10,000 grey images of handwritten digits, 28x28 (LeCun, Bottou, Bengio, Haffner 1998, Proc. IEEE)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np

SHAPE = (1, 28, 28)
TRAIN = 60_000  # training images, for checks before any job starts
CLASSES = 10
CLASS_NAMES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
MEAN = 0.1307  # of the training images scaled to [0, 1]
STD = 0.3081

# array -> (file, MD5 of its decompressed contents)
FILES = {
    "train_images": ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
    "train_labels": ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
    "test_images": ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
    "test_labels": ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
}
HOME = "https://ossci-datasets.s3.amazonaws.com/mnist/ (file by file) or http://yann.lecun.com/exdb/mnist/"


def fetch(work: Path, folder: Path | None = None) -> dict[str, np.ndarray]:
    """The four uint8 arrays train_images [60000, 28, 28], train_labels [60000], test_images, test_labels."""
    # By name: training jobs depend on this file, but not on how the data are fetched (see provenance.closure).
    _idx = import_module("winnow.datasets._idx")
    return dict(_idx.fetch("mnist", "MNIST", FILES, HOME, "MNIST", work, folder))
