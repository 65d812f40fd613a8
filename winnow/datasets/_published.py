"""Data sets published as files: where they are looked for, and what a user is told when none has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from winnow.datasets import _sources


@dataclass(frozen=True)
class Published:
    """A data set whose files `read(folder)` checks and turns into the four arrays; UserError where it cannot."""

    name: str  # of the plug-in, thus the key under `data:`
    title: str
    read: Callable[[Path], dict[str, np.ndarray]]
    files: str  # what a user has to get ...
    home: str  # ... and where
    torchvision: str  # its class there
    package: tuple[str, str] | None = None  # Debian package, folder in it


def fetch(dataset: Published, work: Path, folder: Path | None) -> dict[str, np.ndarray]:
    """The arrays train_images, train_labels, test_images, test_labels; scratch files go below `work`.

    Tries the `folder` of the user, torchvision's mirrors, then the Debian package if there is one. UserError names each
    source and why it failed.
    """
    key = f"data.{dataset.name}.folder"

    def from_folder(_: Path) -> dict[str, np.ndarray]:
        if folder is None:
            raise _sources.UnavailableError(f"{key} is not set")
        if not folder.is_dir():
            raise _sources.UnavailableError(f"{key} is {folder}, which is not a folder")
        return dataset.read(folder)

    def from_torchvision(scratch: Path) -> dict[str, np.ndarray]:
        _sources.torchvision(dataset.torchvision, scratch)
        return dataset.read(scratch)

    sources = [
        _sources.Source("the folder named in config", from_folder),
        _sources.Source("torchvision's mirrors", from_torchvision, tries=2),
    ]
    if dataset.package is not None:
        package, inside = dataset.package

        def from_debian(scratch: Path) -> dict[str, np.ndarray]:
            return dataset.read(_sources.debian_package(package, scratch) / inside)

        sources.append(_sources.Source(f"the Debian package {package}", from_debian, tries=2))
    advice = (
        f"What you can do: get {dataset.files} from {dataset.home} on any machine, put them in a folder here, name "
        f"that folder in config.yaml under {key}, and run the same command again."
    )
    return _sources.first(dataset.title, sources, work, advice)
