"""Data sets in memory: checked on every load, memory-mapped, split, ordered, normalised. `winnow.download` packs them.

``<folder>/{train,test}_{images,labels}.npy`` hold uint8 arrays; ``dataset.json``, written last, holds each file's
size, shape and SHA-256. Batches are gathered by index from the whole data set held in memory on the device; there is no
loader. torch is imported only by the functions that return tensors.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from winnow import plugins
from winnow.errors import UserError
from winnow.io import read_json
from winnow.seeds import stream

if TYPE_CHECKING:
    import torch

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
FORMAT = "1"
EPOCHS = 1_000_000  # more than any run has: copies of a run do not share orders


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


def load(folder: Path, verify: bool = True) -> Data:
    """Map a packed data set. A missing, truncated or (with `verify`) altered file raises UserError naming it."""
    folder = Path(folder)
    name = folder.name if folder.name in plugins.names("datasets") else "NAME"
    fetch = f"`python workflow_scripts/download.py --dataset {name} --out {folder}`"
    again = f"Delete the folder {folder}. Then fetch the data set anew: by {fetch}, or by your snakemake command."
    if not (folder / "dataset.json").is_file():
        raise UserError(f"{folder} holds no data set: {folder / 'dataset.json'} is missing. Fetch it by {fetch}.")
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


def order(seed: int, epoch: int, indices: np.ndarray, copy: int = 0) -> np.ndarray:
    """The order in which the lane of `seed` sees the images `indices` in `epoch` (0-based); `copy` > 0: another one."""
    random = stream(seed, "copy", copy * EPOCHS + epoch) if copy else stream(seed, "order", epoch)
    return random.permutation(indices)


def fixed_order(seed: int, epoch: int, indices: np.ndarray, batch: int, copy: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(images, minibatches) in the order in which the lane of `seed` sees them where its minibatches never change.

    They are those of `order` in epoch 0; a later epoch draws the order of the full ones anew, a short one comes last.
    """
    images, full = order(seed, 0, indices, copy), len(indices) // batch
    drawn = np.arange(full)
    if epoch:
        drawn = stream(seed, "batches", copy * EPOCHS + epoch).permutation(full)
    whole, rest = images[: full * batch].reshape(full, batch), images[full * batch :]
    return np.concatenate([whole[drawn].ravel(), rest]), np.append(drawn, [full] if len(rest) else []).astype(int)


def augmentation_stream(seed: int, epoch: int, copy: int = 0) -> np.random.Generator:
    """The generator of what changes the images that the lane of `seed` sees in `epoch`; `copy` > 0: another one."""
    return stream(seed, "augmentation", copy * EPOCHS + epoch)


def to_device(data: Data, device: str | torch.device) -> dict[str, torch.Tensor]:
    """The four arrays as tensors on `device`: images uint8 [N, *shape], labels int64 [N]."""
    import torch

    tensors = {}
    for key in ARRAYS:
        tensor = torch.from_numpy(np.array(getattr(data, key)))  # a copy: torch wants writable memory
        tensors[key] = tensor.to(device, torch.uint8 if key.endswith("images") else torch.int64)
    return tensors


def per_channel(values: float | tuple[float, ...], device: str | torch.device) -> float | torch.Tensor:
    """A mean or deviation as `normalise` takes it at every step: a float, or a tensor [C, 1, 1] on the device."""
    import torch

    return values if isinstance(values, float) else torch.tensor(values, device=device).reshape(-1, 1, 1)


def normalise(
    images: torch.Tensor,
    mean: float | tuple[float, ...] | torch.Tensor,
    std: float | tuple[float, ...] | torch.Tensor,
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
    centre, spread = (v if isinstance(v, torch.Tensor) else per_channel(v, images.device) for v in (mean, std))
    return out.sub_(255 * centre).div_(255 * spread)
