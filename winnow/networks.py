"""Reading networks to measure: the lanes of a run folder, or weight and mask files of the user's own.

A round's ticket has weights in two states. `selected`: the kept weights with the values that the mask was made from, at
the end of the run before or where the criterion's SELECTED_BY says; a selection by magnitude has a sharp edge there.
`final`: after the training under the mask, which blurs that edge.

A user's file is safetensors or a PyTorch state dict, read with `weights_only=True`; it may hold further things, its 2-D
tensors are what counts. The pairs `<name>_orig`, `<name>_mask` of torch.nn.utils.prune are understood. Files that
winnow wrote have a leading lane axis; each lane is a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow import io, plugins
from winnow.errors import UserError

Array = NDArray[Any]

# The file that holds what a criterion's SELECTED_BY names: of the run before (`final`), or of the dense run.
_FILES = {"weights": "final", "initial": "init", "rewind": "rewind", None: "final"}


class Edge(Enum):
    """What pruning did to the distribution of |w| in one state, and so where fits are truncated."""

    SMALLEST = "each pruned part is cut off at its smallest |w|"
    THRESHOLD = "cut off where these very weights were selected by magnitude"
    NONE = "selected, but not by magnitude: not cut off"
    BLURRED = "trained since: cut off nowhere in particular"


@dataclass(frozen=True)
class Network:
    """One lane: `masks` {tensor: bool [rows, columns]}, `weights` {tensor: [rows, columns]} by state (empty for a bare
    mask), `edges` by state (SMALLEST where nothing is said)."""

    seed: int
    masks: dict[str, Array]
    weights: dict[str, dict[str, Array]] = field(default_factory=dict)
    before: dict[str, Array] = field(default_factory=dict)  # weights at the rewind point
    edges: dict[str, Edge] = field(default_factory=dict)
    trained: bool = True  # False: no step was taken under these masks, `final` holds what training would start from


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a tensor's name matches one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _lane(tensors: Mapping[str, Array], lane: int) -> dict[str, Array]:
    return {name: value[lane] for name, value in tensors.items() if value.ndim == 3}


def read_lanes(path: Path) -> dict[int, dict[str, Array]]:
    """{seed: {tensor: [rows, columns]}} of one tensor file of a run folder (2-D tensors only)."""
    tensors, metadata = io.read_tensors(path)
    return {seed: _lane(tensors, lane) for lane, seed in enumerate(_seeds(metadata, path))}


def _seeds(metadata: Mapping[str, str], path: Path) -> list[int]:
    try:
        return [int(seed) for seed in json.loads(metadata["seeds"])]
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} does not say which seeds its lanes have: it is no tensor file of a run.") from error


def read_round(
    folder: Path, dense: Path | None, previous: Path | None = None, criterion: str | None = None
) -> list[Network]:
    """The tickets of a round. `dense`: folder of the dense run, for the rewind points; `previous`: folder of the run
    that the mask was made from by `criterion`, for the state `selected`, which is left out without it.

    UserError: seeds that a folder lacks, a criterion that does not exist.
    """
    masks, final = read_lanes(folder / "mask.safetensors"), read_lanes(folder / "final.safetensors")
    others = {"final.safetensors": final}
    if dense:
        others["the dense run's rewind point"] = read_lanes(dense / "rewind.safetensors")
    if previous:
        others["the run before"] = read_lanes(_selected(dense, previous, criterion))
    for what, lanes in others.items():
        if missing := sorted(set(masks) - set(lanes)):
            raise UserError(f"{folder}: mask.safetensors has seeds {missing}, which {what} does not have.")
    rewind, selected = others.get("the dense run's rewind point", {}), others.get("the run before", {})
    by_magnitude = criterion is not None and selected_by(criterion) is not None
    edges = {"selected": Edge.THRESHOLD if by_magnitude else Edge.NONE, "final": Edge.BLURRED}
    trained = _last_densities(folder)
    networks = []
    for seed, mask in masks.items():
        weights = ({"selected": selected[seed]} if previous else {}) | {"final": final[seed]}
        density = sum(int(kept.sum()) for kept in mask.values()) / sum(kept.size for kept in mask.values())
        under_mask = abs(density - trained.get(seed, density)) < 1e-6
        networks.append(Network(seed, mask, weights, rewind.get(seed, {}), edges, under_mask))
    return networks


def selected_by(criterion: str) -> str | None:
    """Whose largest |w| a criterion keeps: "weights" (of the run before), "initial" or "rewind"; None: not the largest.

    UserError for a criterion that does not exist, ValueError for one that says something else.
    """
    state: str | None = plugins.constant("criteria", criterion, "SELECTED_BY")
    if state not in _FILES:
        raise ValueError(f"winnow/criteria/{criterion}.py: SELECTED_BY is {state!r}, valid: {list(_FILES)}")
    return state


def _selected(dense: Path | None, previous: Path, criterion: str | None) -> Path:
    """The file with the weights that the mask was made from."""
    if criterion not in (valid := plugins.names("criteria")):
        raise UserError(
            f"criterion: {criterion!r} does not say how the mask was made from the run before. "
            f"Valid: {', '.join(valid)}."
        )
    state = _FILES[selected_by(criterion)]
    if state != "final" and dense is None:
        raise UserError(f"criterion: {criterion} selects by the dense run's weights; name that run's folder (--dense).")
    return (previous if state == "final" or dense is None else dense) / f"{state}.safetensors"


def _last_densities(folder: Path) -> dict[int, float]:
    """The density that each lane trained at in the end, by seed."""
    table = io.read_table(folder / "metrics.csv", "metrics").sort_values("iteration", kind="stable")
    return {int(str(seed)): float(lane["density"].iloc[-1]) for seed, lane in table.groupby("seed")}


def read_dense(folder: Path, prunable: Sequence[str]) -> list[Network]:
    """The lanes of a dense run at its three states; their masks keep all of the prunable tensors."""
    states = {state: read_lanes(folder / f"{state}.safetensors") for state in ("init", "rewind", "final")}
    networks = []
    for seed, final in states["final"].items():
        masks = {name: np.ones(value.shape, dtype=bool) for name, value in final.items() if matches(name, prunable)}
        if not masks:
            raise UserError(f"{folder}: no tensor matches prunable = {list(prunable)}; it has {', '.join(final)}.")
        weights = {state: lanes[seed] for state, lanes in states.items()}
        networks.append(Network(seed, masks, weights, weights["rewind"]))
    return networks


def _read_file(path: Path) -> tuple[dict[str, Array], int | None]:
    """({tensor: array}, number of lanes or None) of a user's file."""
    import torch
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"{path} does not exist.")
    lanes: int | None = None
    try:
        if path.suffix == ".safetensors":
            with safe_open(str(path), framework="pt") as file:
                metadata = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if "format" in metadata and "seeds" in metadata:
                io.read_tensors(path)  # checks the checksum
                lanes = len(_seeds(metadata, path))
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read ({str(error).splitlines()[0]}). Valid: safetensors, or a PyTorch state dict."
        ) from error
    except Exception as error:  # pickle.UnpicklingError and whatever else a foreign file makes it raise
        raise UserError(
            f"{path} is no plain state dict: torch.load(weights_only=True) refuses it. "
            "Save `model.state_dict()`, not the model."
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


def read_user_files(paths: Sequence[Path], patterns: Sequence[str], bare: bool) -> list[Network]:
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
            networks.append(Network(len(networks), masks, {} if bare else {"final": one}))
    return networks
