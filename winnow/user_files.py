"""Weight and mask files of the user's own, as networks to measure.

A user's file is safetensors or a PyTorch state dict, read with `weights_only=True`; it may hold further things, its 2-D
tensors are what counts. The pairs `<name>_orig`, `<name>_mask` of torch.nn.utils.prune are understood. Files that
winnow wrote have a leading lane axis; each lane is a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from winnow import io
from winnow.errors import UserError
from winnow.networks import Array, Network, matches, seeds_of


def _read_file(path: Path) -> tuple[dict[str, Array], int | None]:
    """({tensor: array}, number of lanes or None) of a user's file."""
    import torch
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"{path} is no file, but a folder." if path.is_dir() else f"{path} does not exist.")
    lanes: int | None = None
    try:
        if path.suffix == ".safetensors":
            with safe_open(str(path), framework="pt") as file:
                metadata = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if "format" in metadata and "seeds" in metadata:
                io.read_tensors(path)  # checks the checksum
                lanes = len(seeds_of(metadata, path))
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError) as error:
        what = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} cannot be read ({what}). Valid: safetensors, or a PyTorch state dict.") from error
    except Exception as error:  # pickle.UnpicklingError and whatever else, KeyError say, a foreign file makes it raise
        raise UserError(
            f"{path} is no plain state dict: torch.load(weights_only=True) refuses it. Valid: safetensors, or a "
            "PyTorch state dict (save `model.state_dict()`, not the model)."
        ) from error
    for wrapper in ("state_dict", "model_state_dict", "model"):
        if isinstance(tensors, Mapping) and isinstance(tensors.get(wrapper), Mapping):
            tensors = tensors[wrapper]
    if not isinstance(tensors, Mapping):
        raise UserError(f"{path} holds a {type(tensors).__name__}, not a dictionary of tensors by name.")
    arrays = {}
    for name, value in tensors.items():
        if isinstance(value, torch.Tensor) and value.ndim == (2 if lanes is None else 3):
            dense = value.detach()
            arrays[str(name)] = (dense.float() if dense.is_floating_point() else dense).numpy()
    if not arrays:
        raise UserError(
            f"{path} has no matrix (2-D tensor) to measure. Its keys: {', '.join(map(str, tensors)) or 'none'}."
        )
    return arrays, lanes


def _joined(tensors: dict[str, Array]) -> dict[str, Array]:
    """Replaces `<name>_orig` and `<name>_mask` by their product, `<name>`."""
    result = dict(tensors)
    for name in tensors:
        base, mask = name.removesuffix("_orig"), name.removesuffix("_orig") + "_mask"
        if base != name and mask in tensors:
            result[base] = result.pop(name) * (result.pop(mask) != 0)
    return result


def _check(path: Path, name: str, matrix: Array) -> None:
    """UserError for a matrix of which no measure would mean anything."""
    what = ""
    if matrix.size == 0:
        what = f"is empty (its shape is {matrix.shape})"
    elif np.iscomplexobj(matrix):
        what = "is complex"
    elif not np.isfinite(matrix).all():
        what = "has a NaN or an infinity"
    if what:
        raise UserError(
            f"{path}: the matrix {name} {what}. Valid are finite real numbers; --pattern can leave a matrix out."
        )


def read(paths: Sequence[Path], patterns: Sequence[str], bare: bool) -> list[Network]:
    """The networks in the user's files, numbered from 0 in the files' order (`seed`).

    A weight is kept when it is not zero. `bare`: the files are masks, their values mean nothing but kept or not.
    """
    networks: list[Network] = []
    for path in paths:
        tensors, lanes = _read_file(path)
        if bare and any(name.endswith("_mask") for name in tensors):
            tensors = {name.removesuffix("_mask"): value for name, value in tensors.items() if name.endswith("_mask")}
        tensors = _joined(tensors)
        for lane in range(lanes or 1):
            one = tensors if lanes is None else {name: value[lane] for name, value in tensors.items()}
            masks = {name: value != 0 for name, value in one.items() if matches(name, patterns)}
            if not masks:
                raise UserError(
                    f"{path}: no matrix matches the pattern {', '.join(patterns)}. "
                    f"Its matrices: {', '.join(one) or 'none'}."
                )
            for name in masks:
                _check(path, name, one[name])
            networks.append(Network(len(networks), masks, {} if bare else {"final": one}))
    return networks
