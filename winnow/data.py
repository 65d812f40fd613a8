"""Data sets on disk and in memory: packed once as four .npy files, checked on every load, memory-mapped, normalised.

``<folder>/{train,test}_{images,labels}.npy`` hold uint8 arrays; ``dataset.json``, written last, holds each file's
size, shape and SHA-256. Batches are gathered by index from the whole data set held in memory on the device; there is no
loader. torch is imported only by the functions that return tensors.
"""

from __future__ import annotations

import hashlib
import io as text_io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from winnow import plugins
from winnow.errors import UserError
from winnow.io import read_json, write_bytes, write_json
from winnow.seeds import stream

if TYPE_CHECKING:
    import torch

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
FORMAT = "1"


@dataclass(frozen=True)
class Data:
    """A data set: uint8 images [N, *shape] and labels [N], memory-mapped read-only; mean and std for scaled images."""

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    shape: tuple[int, int, int]
    classes: int
    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]


def pack(name: str, out: Path, folder: Path | None = None) -> None:
    """Fetch data set `name` (from `folder`, if given, before any other source) and pack it into the folder `out`.

    Does nothing when `out` already holds it whole. UserError when no source has it or it cannot be written; then `out`
    has no part of it.
    """
    plugin = plugins.load("datasets", name)
    out = Path(out).absolute()
    if _is_whole(name, out):
        return
    work = _scratch(out)
    try:
        work.mkdir(parents=True)
        arrays = _checked(name, plugin.fetch(work, Path(folder) if folder else None))
        source = (work / "source").read_text() if (work / "source").exists() else name
        _write(name, out, arrays, source)
    except OSError as error:
        raise UserError(
            f"The data set {name} could not be written to {out} ({error}). Make sure that there is space left "
            "(about 150 MB) and that you may write there, then run the same command again."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _is_whole(name: str, out: Path) -> bool:
    try:
        return load(out).name == name
    except UserError:
        return False


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
            write_bytes(out / f"{key}.npy", contents)  # type: ignore[arg-type]  # any buffer will do
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


def load(folder: Path, verify: bool = True) -> Data:
    """Map a packed data set. A missing, truncated or (with `verify`) altered file raises UserError naming it."""
    folder = Path(folder)
    again = f"Delete the folder {folder} and run the same command again to fetch the data set anew."
    if not (folder / "dataset.json").is_file():
        raise UserError(f"{folder} holds no data set: {folder / 'dataset.json'} is missing. {again}")
    description = read_json(folder / "dataset.json")
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise UserError(f"{folder / 'dataset.json'} was not written by this version of winnow. {again}")
    arrays = {}
    for key in ARRAYS:
        path = folder / f"{key}.npy"
        try:
            expected = description["files"][path.name]
            size = path.stat().st_size
            if size != expected["bytes"]:
                raise UserError(f"{path} has {size} bytes, but {expected['bytes']} were written: truncated? {again}")
            if verify:
                with open(path, "rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
                if found != expected["sha256"]:
                    raise UserError(f"{path} is corrupt: SHA-256 {found}, expected {expected['sha256']}. {again}")
            arrays[key] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({type(error).__name__}: {error}). {again}") from error
    plugin = plugins.load("datasets", description["name"])
    return Data(
        name=description["name"],
        **arrays,
        shape=plugin.SHAPE,
        classes=plugin.CLASSES,
        mean=plugin.MEAN,
        std=plugin.STD,
    )


def holdout(count: int, validation: int) -> tuple[np.ndarray, np.ndarray]:
    """(training, validation) indices of `count` training images: validation is the last part of a fixed shuffle.

    UserError where either part would be empty.
    """
    if not 0 < validation < count:
        left = "validation" if validation <= 0 else "training"
        raise UserError(
            f"No {left} images left: validation is {validation}, and the data set has {count} training images. "
            f"Valid: 1 to {count - 1}."
        )
    shuffled = stream(0, "holdout").permutation(count)
    return shuffled[: count - validation], shuffled[count - validation :]


def order(seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
    """The order in which the lane of `seed` sees the images `indices` in `epoch` (0-based)."""
    return stream(seed, "order", epoch).permutation(indices)


def to_device(data: Data, device: str | torch.device) -> dict[str, torch.Tensor]:
    """The four arrays as tensors on `device`: images uint8 [N, *shape], labels int64 [N]."""
    import torch

    tensors = {}
    for key in ARRAYS:
        tensor = torch.from_numpy(np.array(getattr(data, key)))  # a copy: torch wants writable memory
        tensors[key] = tensor.to(device, torch.uint8 if key.endswith("images") else torch.int64)
    return tensors


def normalise(
    images: torch.Tensor,
    mean: float | tuple[float, ...],
    std: float | tuple[float, ...],
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """(images / 255 - mean) / std in float32, for uint8 images [..., C, H, W]; mean and std for all or per channel.

    Written into `out` (float32, same shape) without further memory where given. Equals torchvision's ToTensor followed
    by Normalize to 1e-6.
    """
    import torch

    if out is None:
        out = torch.empty(images.shape, dtype=torch.float32, device=images.device)
    elif out.dtype != torch.float32 or out.shape != images.shape:
        raise ValueError(f"out must be float32 of shape {tuple(images.shape)}, not {out.dtype} of {tuple(out.shape)}")
    out.copy_(images)
    if isinstance(mean, float) and isinstance(std, float):
        return out.sub_(255 * mean).mul_(1 / (255 * std))
    centre, spread = (torch.tensor(values, device=images.device).reshape(-1, 1, 1) for values in (mean, std))
    return out.sub_(255 * centre).div_(255 * spread)
