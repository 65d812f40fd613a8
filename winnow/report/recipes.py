"""Recipes in words: what is pruned, and what the rest starts from again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from winnow import io
from winnow.report import words
from winnow.report.captions import sentence

SCOPE = {"global": "among all prunable weights together", "layerwise": "in each layer by itself"}
RESTART = {
    "rewind": "Then all that is left goes back to its values {point}.",
    "random": "Then all that is left starts from a fresh initialisation.",
    "keep": "Then training goes on from the trained weights.",
    "signs": "Then every weight goes back to its sign {point}, with one magnitude per layer.",
}


def told(folder: Path, runs: list[tuple[Path, dict[str, Any]]]) -> dict[str, str]:
    """{recipe: what it does}, of the runs under a study's folder."""
    found: dict[str, str] = {}
    for path, run in runs:
        parts, spec = path.relative_to(folder).parts, run.get("spec") or {}
        if len(parts) == 5 and parts[3].startswith("round") and parts[1] not in found:
            found[parts[1]] = _recipe(path, spec)
    return found


def _recipe(path: Path, spec: dict[str, Any]) -> str:
    rewind = (spec.get("training") or {}).get("rewind", "0it")
    point = "at initialisation" if rewind.startswith("0") else f"after {words.length(rewind)}"
    if spec.get("sparsify"):
        return f"Thinned while it trains. {sentence('sparsifiers', spec['sparsify']['name'])}"
    if in_run := spec.get("in_run"):
        at = words.listing([words.length(moment) for moment in in_run["at"]])
        restart = f"Inside one run, after {at}; each time all that is left goes back to its values {point}."
        return f"{_chosen(spec)} {restart}"
    recipe = spec.get("recipe") or {}
    restart = RESTART.get(recipe.get("restart", ""), "").format(point=point)
    if recipe.get("criterion") is None:
        return f"The masks of {_twin(path) or 'another recipe'}. {restart}"
    shot = " Chosen anew from the dense network for every density." if recipe.get("one_shot") else ""
    return f"{_chosen(recipe)}{shot} {restart}"


def _chosen(recipe: dict[str, Any]) -> str:
    scope = SCOPE.get(recipe.get("scope", ""), "")
    return f"{sentence('criteria', recipe['criterion'])[:-1]}, {scope}."


def _twin(path: Path) -> str:
    """The recipe whose masks a run has."""
    mine, *_, arm = path.parent / "mask.safetensors", path.parents[3]
    if mine.exists():
        kept, _ = io.read_tensors(mine)
        for other in sorted(arm.glob(f"*/{mine.relative_to(path.parents[2])}")):
            if other != mine and _equal(kept, io.read_tensors(other)[0]):
                return other.relative_to(arm).parts[0]
    return ""


def _equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
