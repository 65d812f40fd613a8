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
NESTED = "FashionMNIST/raw"  # where torchvision keeps the files below its root
PACKAGE = "dataset-fashion-mnist"
ADVICE = (
    f"What you can do: get the four files {', '.join(stem for stem, _ in FILES.values())} (gzipped or not) from "
    "https://github.com/zalandoresearch/fashion-mnist on any machine, put them in a folder here, name that folder in "
    "config.yaml under data.fashion_mnist.folder, and run the same command again."
)


def fetch(work: Path, folder: Path | None = None) -> dict[str, np.ndarray]:
    """The four uint8 arrays train_images [60000, 28, 28], train_labels [60000], test_images, test_labels.

    Tries the `folder` of the user, torchvision's mirrors, then the Debian package; scratch files go below `work`.
    UserError names each source and why it failed.
    """
    # By name: training jobs depend on this file, but not on how the data are fetched (see provenance.closure).
    _sources = import_module("winnow.datasets._sources")
    read_folder = import_module("winnow.datasets._idx").read_folder

    def from_folder(_: Path) -> dict[str, np.ndarray]:
        if folder is None:
            raise _sources.UnavailableError("data.fashion_mnist.folder is not set")
        if not folder.is_dir():
            raise _sources.UnavailableError(f"data.fashion_mnist.folder is {folder}, which is not a folder")
        return dict(read_folder(folder, FILES, NESTED))

    def from_torchvision(scratch: Path) -> dict[str, np.ndarray]:
        _sources.torchvision("FashionMNIST", scratch)
        return dict(read_folder(scratch, FILES, NESTED))

    def from_debian(scratch: Path) -> dict[str, np.ndarray]:
        tree = _sources.debian_package(PACKAGE, scratch)
        return dict(read_folder(tree / "usr/share/datasets/fashion-mnist", FILES, NESTED))

    sources = (
        _sources.Source("the folder named in config", from_folder),
        _sources.Source("torchvision's mirrors", from_torchvision, tries=2),
        _sources.Source(f"the Debian package {PACKAGE}", from_debian, tries=2),
    )
    return dict(_sources.first("Fashion-MNIST", sources, work, ADVICE))
