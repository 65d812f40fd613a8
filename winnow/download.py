"""Fetch a data set and pack it into the folder that `winnow.data.load` reads, whole or not at all.

Apart from `winnow.data`, so that a change here makes no training job stale.
"""

from __future__ import annotations

import hashlib
import io as text_io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from winnow import atomic, plugins
from winnow.data import ARRAYS, FORMAT, load
from winnow.errors import UserError
from winnow.io import write_json


def pack(name: str, out: Path, folder: Path | None = None) -> None:
    """Fetch data set `name` (from `folder`, if given, before any other source) and pack it into the folder `out`.

    Does nothing when `out` already holds it whole. UserError when `out` holds another data set, which stays; when no
    source has it or it cannot be written; then `out` has no part of it.
    """
    plugin = plugins.load("datasets", name)
    out = Path(out).absolute()
    if (found := _whole(out)) == name:
        return
    if found:
        raise UserError(f"{out} holds the data set {found}, not {name}. Name another folder, or delete this one.")
    work = _scratch(out)
    try:
        work.mkdir(parents=True)
        arrays = _checked(name, plugin.fetch(work, Path(folder).expanduser() if folder else None))
        source = (work / "source").read_text() if (work / "source").exists() else name
        _write(name, out, arrays, source)
    except OSError as error:
        raise UserError(
            f"The data set {name} could not be written to {out} ({error}). Make sure that there is space left "
            "(600 MB at most) and that you may write there, then run the same command again."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _whole(out: Path) -> str | None:
    """The data set that `out` holds whole."""
    try:
        return load(out).name
    except UserError:
        return None


def _scratch(out: Path) -> Path:
    """A folder beside `out` for this process; those that killed processes left there are removed."""
    prefix = f".{out.name}.download-"
    for left in out.parent.glob(f"{prefix}*"):
        pid = left.name.removeprefix(prefix)
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(left, ignore_errors=True)
        except PermissionError:
            continue
    return out.parent / f"{prefix}{os.getpid()}"


def _checked(name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with images as [N, *SHAPE]; ValueError, a fault of the plug-in, where they break its contract."""
    plugin = plugins.load("datasets", name)
    if set(arrays) != set(ARRAYS) or any(array.dtype != np.uint8 for array in arrays.values()):
        raise ValueError(f"data set {name}: fetch must return uint8 arrays named {', '.join(ARRAYS)}")
    result = dict(arrays)
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        result[f"{part}_images"] = images.reshape(-1, *plugin.SHAPE)
        if len(labels) == 0 or labels.shape != (len(images),) or labels.max() >= plugin.CLASSES:
            raise ValueError(f"data set {name}: {part} labels of shape {labels.shape} do not fit images {images.shape}")
    return result


def _write(name: str, out: Path, arrays: dict[str, np.ndarray], source: str) -> None:
    """Write the four arrays, then dataset.json; on any failure remove them all."""
    description: dict[str, Any] = {"name": name, "format": FORMAT, "source": source, "files": {}}
    existed = out.exists()
    try:
        (out / "dataset.json").unlink(missing_ok=True)
        for key in ARRAYS:
            buffer = text_io.BytesIO()
            np.save(buffer, np.ascontiguousarray(arrays[key]), allow_pickle=False)
            contents = buffer.getbuffer()
            atomic.write(out / f"{key}.npy", contents)  # type: ignore[arg-type]  # any buffer will do
            description["files"][f"{key}.npy"] = {
                "bytes": len(contents),
                "shape": list(arrays[key].shape),
                "sha256": hashlib.sha256(contents).hexdigest(),
            }
        write_json(out / "dataset.json", description)
    except BaseException:
        for file in (*(f"{key}.npy" for key in ARRAYS), "dataset.json"):
            (out / file).unlink(missing_ok=True)
        if not existed and out.exists():
            out.rmdir()
        raise
