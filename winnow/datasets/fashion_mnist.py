"""Fashion-MNIST: 60,000 + 10,000 grey images of clothes, 28x28 (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np

SHAPE = (1, 28, 28)
TRAIN = 60_000  # training images, for checks before any job starts
CLASSES = 10
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
MEAN = 0.2860  # of the training images scaled to [0, 1]
STD = 0.3530

# array -> (file, MD5 of its decompressed contents)
FILES = {
    "train_images": ("train-images-idx3-ubyte", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    "train_labels": ("train-labels-idx1-ubyte", "9018921c3c673c538a1fc5bad174d6f9"),
    "test_images": ("t10k-images-idx3-ubyte", "8181f5470baa50b63fa0f6fddb340f0a"),
    "test_labels": ("t10k-labels-idx1-ubyte", "15d484375f8d13e6eb1aabb0c3f46965"),
}
HOME = "https://github.com/zalandoresearch/fashion-mnist"
PACKAGE = ("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist")  # Debian's, and the folder in it


def fetch(work: Path, folder: Path | None = None) -> dict[str, np.ndarray]:
    """The four uint8 arrays train_images [60000, 28, 28], train_labels [60000], test_images, test_labels."""
    # By name: training jobs depend on this file, but not on how the data are fetched (see provenance.closure).
    _idx = import_module("winnow.datasets._idx")
    return dict(_idx.fetch("fashion_mnist", "Fashion-MNIST", FILES, HOME, "FashionMNIST", work, folder, PACKAGE))
