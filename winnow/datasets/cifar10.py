"""CIFAR-10: 50,000 + 10,000 colour images of ten kinds of objects, 32x32 (Krizhevsky 2009, technical report)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np

SHAPE = (3, 32, 32)
TRAIN = 50_000  # training images, for checks before any job starts
CLASSES = 10
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN = (0.4914, 0.4822, 0.4465)  # red, green, blue of the training images scaled to [0, 1]
STD = (0.2470, 0.2435, 0.2616)

# file of the Python version -> its MD5, as in torchvision
FILES = {
    "train": {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    "test": {"test_batch": "40351d587109b95175f43aff81a1287e"},
}


def fetch(work: Path, folder: Path | None = None) -> dict[str, np.ndarray]:
    """The four uint8 arrays train_images [50000, 3, 32, 32], train_labels [50000], test_images, test_labels."""
    # By name: training jobs depend on this file, but not on how the data are fetched (see provenance.closure).
    return dict(import_module("winnow.datasets._cifar").fetch("cifar10", "CIFAR-10", FILES, work, folder))
