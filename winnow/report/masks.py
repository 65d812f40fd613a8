"""Masks for the explorer: the kept share of blocks of every tensor, arm beside arm, and of what two arms both keep.

Of each job the first seed. Counts are of whole masks; only the pictures are coarser.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from winnow import io

SIZES = (64, 48, 32, 24, 16, 8)  # blocks per side at most
ROOM = 600_000  # bytes of blocks per study; the coarsest size is taken if none fits


def collect(folder: Path, arms: Sequence[str]) -> dict[str, Any] | None:
    """{"entries": [...], "pairs": [...], "maps": [...]} of the rounds under a study's folder; None without masks.
    `arms`: their order.

    An entry is one tensor of one round: arm, recipe, round, seed, tensor, kept, total, shape, the number of its map.
    A pair has two arms, and kept by both and by either. A map has rows, columns and bytes (255: all kept), as base64.
    """
    masks = {key: mask for path in _paths(folder, arms) for key, mask in _tensors(folder, path)}
    if not masks:
        return None
    pairs = [
        (a, b)
        for a, b in combinations(masks, 2)
        if a[1:] == b[1:] and a[0] != b[0] and masks[a].shape == masks[b].shape
    ]
    different = {digest(mask): mask.shape for mask in masks.values()}
    shapes = [*different.values(), *(masks[a].shape for a, _ in pairs)]
    size = next((size for size in SIZES if sum(_cells(shape, size) for shape in shapes) <= ROOM), SIZES[-1])
    maps: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}

    def number(mask: np.ndarray) -> int:
        name = digest(mask)
        if name not in numbers:
            numbers[name] = len(maps)
            maps.append(blocks(mask, size))
        return numbers[name]

    entries = [
        {
            "arm": arm, "recipe": recipe, "round": round_, "seed": seed, "tensor": tensor, "kept": int(mask.sum()),
            "total": int(mask.size), "shape": list(mask.shape), "map": number(mask),
        }
        for (arm, recipe, round_, seed, tensor), mask in masks.items()
    ]  # fmt: skip
    both = [
        {
            "a": a[0], "b": b[0], "recipe": a[1], "round": a[2], "seed": a[3], "tensor": a[4],
            "both": int((masks[a] & masks[b]).sum()), "either": int((masks[a] | masks[b]).sum()),
            "map": number(masks[a] & masks[b]),
        }
        for a, b in pairs
    ]  # fmt: skip
    return {"entries": entries, "pairs": both, "maps": maps}


def digest(mask: np.ndarray) -> str:
    """A name for a mask's contents and shape."""
    return hashlib.sha256(repr(mask.shape).encode() + mask.tobytes()).hexdigest()


def blocks(mask: np.ndarray, size: int) -> dict[str, Any]:
    """The kept share of at most size x size blocks of a 2-D mask, in bytes."""
    edges = [np.arange(min(n, size)) * n // min(n, size) for n in mask.shape]  # first index of each block
    counts = np.add.reduceat(np.add.reduceat(mask.astype(np.int64), edges[0], axis=0), edges[1], axis=1)
    sizes = [np.diff([*edge, n]) for edge, n in zip(edges, mask.shape, strict=True)]
    share = np.rint(255 * counts / np.outer(*sizes)).astype(np.uint8)
    return {"rows": share.shape[0], "columns": share.shape[1], "data": base64.b64encode(share.tobytes()).decode()}


def _cells(shape: tuple[int, ...], size: int) -> int:
    return min(shape[0], size) * min(shape[1], size)


def _paths(folder: Path, arms: Sequence[str]) -> list[Path]:
    """The masks of all rounds of these arms, of each recipe in the first seed block."""
    found: dict[tuple[str, str, int], Path] = {}
    for path in sorted(folder.glob("*/*/seeds*/round*/mask.safetensors")):
        arm, recipe, _, round_, _ = path.relative_to(folder).parts
        if match := re.fullmatch(r"round(\d+)", round_):
            found.setdefault((arm, recipe, int(match[1])), path)
    return [found[key] for arm in arms for key in sorted(found) if key[0] == arm]


def _tensors(folder: Path, path: Path) -> list[tuple[tuple[str, str, int, int, str], np.ndarray]]:
    """((arm, recipe, round, seed, tensor), 2-D mask) of a file's first lane; kernels are laid out beside each other."""
    arm, recipe, _, round_, _ = path.relative_to(folder).parts
    arrays, metadata = io.read_tensors(path)
    seed = json.loads(metadata["seeds"])[0]
    number = int(round_.removeprefix("round"))
    return [((arm, recipe, number, seed, name), mask[0].reshape(mask.shape[1], -1)) for name, mask in arrays.items()]
