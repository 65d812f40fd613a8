"""Nested state (dicts, lists, tensors, JSON scalars) as a JSON value plus named arrays, and back. No pickle."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

_TENSOR, _ITEMS = "__tensor__", "__items__"


def flatten(tree: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Replace every tensor in `tree` by a reference; TypeError for anything JSON cannot hold."""
    arrays: dict[str, np.ndarray] = {}

    def walk(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            name = f"{len(arrays):05d}"
            arrays[name] = value.detach().cpu().numpy().copy()
            return {_TENSOR: name}
        if isinstance(value, dict):  # as pairs: optimiser states have integer keys
            return {_ITEMS: [[key, walk(item)] for key, item in value.items()]}
        if isinstance(value, (list, tuple)):
            return [walk(item) for item in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise TypeError(f"state holds a {type(value).__name__}; only tensors and JSON scalars can be saved")

    return walk(tree), arrays


def unflatten(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The inverse of `flatten` (tuples come back as lists)."""
    if isinstance(value, dict):
        if _TENSOR in value:
            return torch.from_numpy(arrays[value[_TENSOR]].copy())
        return {key: unflatten(item, arrays) for key, item in value[_ITEMS]}
    return [unflatten(item, arrays) for item in value] if isinstance(value, list) else value
