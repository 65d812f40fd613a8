"""The IDX format of MNIST and its relatives (LeCun, Cortes, Burges, "The MNIST database of handwritten digits").

Two zero bytes, a type code (8 = unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit
integer, then the values, last dimension fastest. Files are often gzipped; gzip headers differ between distributors
(names, times), so checksums are those of the *decompressed* contents.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from winnow.datasets._published import Published
from winnow.datasets._published import fetch as fetch_published
from winnow.errors import UserError

UNSIGNED_BYTE = 8


def parse(data: bytes, name: str, dimensions: int) -> np.ndarray:
    """The uint8 array in the IDX contents `data`. UserError naming the file `name` unless they are just one array."""
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if data[:4] != magic:
        raise UserError(
            f"{name} is not an IDX file of unsigned bytes with {dimensions} dimension(s): it starts with "
            f"{data[:4].hex(' ') or 'nothing'}, not with {magic.hex(' ')}."
        )
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise UserError(f"{name} is truncated: it ends within its header of {header} bytes.")
    shape = struct.unpack(f">{dimensions}I", data[4:header])
    expected = header + int(np.prod(shape, dtype=object))
    if len(data) != expected:
        raise UserError(f"{name} has {len(data)} bytes, but its header (shape {shape}) asks for {expected}.")
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)


def contents(path: Path) -> bytes:
    """The bytes of a file, decompressed when it is gzipped. UserError naming a file that cannot be decompressed."""
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be decompressed ({error}).") from error


def read_folder(folder: Path, files: Mapping[str, tuple[str, str]], nested: str) -> dict[str, np.ndarray]:
    """The four arrays of a data set, from IDX files (gzipped or not) in `folder` or in its subfolder `nested`.

    `files` maps an array's name to (file name without .gz, MD5 of the decompressed contents). UserError names a missing
    file, or a file with other contents with the expected and the found MD5.
    """
    arrays = {}
    for name, (stem, expected) in files.items():
        candidates = [place / file for place in (folder, folder / nested) for file in (stem, f"{stem}.gz")]
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
        if path is None:
            raise UserError(f"{folder} holds neither {stem} nor {stem}.gz, and neither does {folder / nested}.")
        data = contents(path)
        found = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if found != expected:
            raise UserError(f"{path} has other contents: MD5 (decompressed) {found}, expected {expected}.")
        arrays[name] = parse(data, str(path), dimensions=3 if name.endswith("images") else 1)
    return arrays


def fetch(
    name: str,
    title: str,
    files: Mapping[str, tuple[str, str]],
    home: str,
    torchvision: str,
    work: Path,
    folder: Path | None,
    package: tuple[str, str] | None = None,
) -> dict[str, np.ndarray]:
    """The four arrays of MNIST or a relative: `files` as for `read_folder`, the rest as for `_published`."""

    def read(place: Path) -> dict[str, np.ndarray]:
        return read_folder(place, files, f"{torchvision}/raw")  # where torchvision keeps them below its root

    wanted = f"the four files {', '.join(stem for stem, _ in files.values())} (gzipped or not)"
    return fetch_published(Published(name, title, read, wanted, home, torchvision, package), work, folder)
