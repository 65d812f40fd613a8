"""The Python version of CIFAR-10: an archive of pickled batches, read without giving pickle a free hand.

The files that users have, and torchvision's mirror, are pickles; MD5 sums of single files are published for this
version only. A pickle can call whatever it names, so a batch is opened only once its MD5 is the published one, and then
by an unpickler that knows an array, its type, and nothing else. This is the one place where winnow reads a pickle.

A batch is a dict with `data`, uint8 [N, 3072], each row the red, green and blue planes of 32x32, and `labels`, a list.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from winnow.datasets._published import Published
from winnow.datasets._published import fetch as fetch_published
from winnow.errors import UserError

ARCHIVE = "cifar-10-python.tar.gz"
FOLDER = "cifar-10-batches-py"
HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
SHAPE = (3, 32, 32)


def _array(*_: Any) -> np.ndarray:
    """An empty array, whatever the file asks for: shape and contents are set by the state that follows."""
    return np.empty(0, dtype=np.uint8)


def _dtype(name: str, *_: Any) -> np.dtype[Any]:
    """Without the two flags of old files, which NumPy 2.4 warns about."""
    return np.dtype(name)


KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy", "ndarray"): _array,  # only an argument of the former
    ("numpy", "dtype"): _dtype,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return KNOWN[module, name]


def parse(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(images uint8 [N, 3, 32, 32], labels uint8 [N]) of a pickled batch. UserError naming the file `name`."""
    try:
        batch = _Unpickler(io.BytesIO(data), encoding="latin1").load()  # written by Python 2: its bytes become text
        images, labels = batch["data"], np.array(batch["labels"])
    except Exception as error:  # an unpickler raises anything
        raise UserError(f"{name} is not a batch of CIFAR images ({type(error).__name__}: {error}).") from error
    if labels.ndim != 1 or labels.dtype.kind != "i" or labels.min(initial=0) < 0 or labels.max(initial=0) > 255:
        raise UserError(f"{name} is not a batch of CIFAR images: its labels are not small whole numbers.")
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape != (len(labels), 3072):
        raise UserError(f"{name} is not a batch of CIFAR images: there are not 3072 bytes for each label.")
    return images.reshape(-1, *SHAPE), labels.astype(np.uint8)


def read_folder(folder: Path, files: Mapping[str, Mapping[str, str]]) -> dict[str, np.ndarray]:
    """The four arrays, from the batches in `folder`, in its subfolder cifar-10-batches-py, or in its archive.

    `files` maps train and test to their batches in order, each with its MD5. UserError names what is missing, or a
    batch with other contents with the expected and the found MD5.
    """
    expected = {name: md5 for part in files.values() for name, md5 in part.items()}
    where, contents = _contents(folder, expected)
    batches = {}
    for name, md5 in expected.items():
        if name not in contents:
            raise UserError(f"{where} holds no {name}.")
        found = hashlib.md5(contents[name], usedforsecurity=False).hexdigest()
        if found != md5:
            raise UserError(f"{where}/{name} has other contents: MD5 {found}, expected {md5}.")
        batches[name] = parse(contents.pop(name), f"{where}/{name}")
    arrays = {}
    for part, names in files.items():
        for index, kind in enumerate(("images", "labels")):
            arrays[f"{part}_{kind}"] = np.concatenate([batches[name][index] for name in names])
    return arrays


def _contents(folder: Path, names: Collection[str]) -> tuple[Path, dict[str, bytes]]:
    """Where batches lie, a folder or an archive, and the bytes of those of `names` that are there."""
    for place in (folder, folder / FOLDER):
        found = {name: (place / name).read_bytes() for name in names if (place / name).is_file()}
        if found:
            return place, found
    archive = folder / ARCHIVE
    if not archive.is_file():
        raise UserError(f"{folder} holds neither {ARCHIVE} nor {FOLDER}/ with its batches.")
    try:
        with tarfile.open(archive, "r|*") as members:  # one pass
            wanted = ((Path(member.name).name, member) for member in members if member.isreg())
            found = {
                name: file.read() for name, member in wanted if name in names and (file := members.extractfile(member))
            }
        return archive, found
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise UserError(f"{archive} cannot be unpacked ({error}).") from error


def fetch(
    name: str, title: str, files: Mapping[str, Mapping[str, str]], work: Path, folder: Path | None
) -> dict[str, np.ndarray]:
    """The four arrays; `files` as for `read_folder`, the rest as for `_published`."""

    def read(place: Path) -> dict[str, np.ndarray]:
        return read_folder(place, files)

    wanted = f"{ARCHIVE} (packed, or its folder {FOLDER})"
    return fetch_published(Published(name, title, read, wanted, HOME, "CIFAR10"), work, folder)
