"""Density of every prunable tensor in every ticket: where a global criterion takes its weights from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables._runs import Run

GROUPS = ("rounds", "in_run")
FILES = ("metrics.csv", "mask.safetensors")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per lane and tensor, counted from the mask itself."""
    for run in runs:
        tickets, found = run.tickets(), run.masks()
        for seed, ticket in tickets.items():
            for name, mask in found[seed].items():
                kept, total = int(mask.sum()), int(mask.size)
                yield {**ticket, "tensor": name, "kept": kept, "total": total, "layer_density": kept / total}
