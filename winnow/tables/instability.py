"""Linear mode connectivity: how much the error rises between two copies of a network (see winnow.connectivity)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.connectivity import instability
from winnow.tables._runs import Run

GROUPS = ("instability",)
FILES = ("instability.csv",)
SETS = ("train", "test")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per lane, round and pair of copies; without lanes of which a copy diverged."""
    for run in runs:
        table = run.read("instability.csv", "run_instability")
        for (seed, a, b), line in table.groupby(["seed", "copy_a", "copy_b"], sort=True):
            line = line.sort_values("alpha", kind="stable")
            found: dict[str, object] = {}
            for name in SETS:
                errors = line[f"{name}_error"].to_numpy(dtype=float)
                found[f"{name}_instability"] = instability(errors)
                found[f"{name}_error"] = float(errors[0] + errors[-1]) / 2
            yield {
                "arm": run.arm,
                "recipe": run.recipe,
                "round": run.round,
                "density": float(line["density"].iloc[0]),
                "seed": int(str(seed)),
                "copy_a": int(str(a)),
                "copy_b": int(str(b)),
                **found,
            }
