"""The tensors of the network that a study of optimisers trains: their sizes, and what they cost.

Those of the first final run: all arms of a study train the same network.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow import io
from winnow.tables._runs import Run

GROUPS = ("final",)
FILES = ("run.json", "final.safetensors", "mask.safetensors")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per tensor, and one for all together."""
    if not runs:
        return
    first = runs[0]
    record = io.read_json(Path(first.folder, "run.json"))
    shapes = {name: value.shape for name, value in first.tensors("final.safetensors")[first.seeds[0]].items()}
    masked = next((run for run in runs if Path(run.folder, "mask.safetensors").is_file()), None)
    prunable = masked.masks()[masked.seeds[0]] if masked else {}
    tensors: list[dict[str, Any]] = [
        {
            "tensor": name,
            "shape": "x".join(map(str, shapes[name])),
            "parameters": size,
            "multiply_adds": size * record["multiply_adds"].get(name, 0),
            "prunable": prunable[name].size if name in prunable else 0,
        }
        for name, size in record["parameters"].items()
    ]
    counts = {name: sum(row[name] for row in tensors) for name in ("parameters", "multiply_adds", "prunable")}
    for row in (*tensors, {"tensor": "total", "shape": None, **counts}):
        yield {"scenario": first.recipe, "arm": first.arm, **row, **({} if masked else {"prunable": None})}
