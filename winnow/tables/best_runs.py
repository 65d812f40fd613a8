"""The best configuration of every sweep, trained again with several seeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.tables import _from_scratch
from winnow.tables._from_scratch import REACHED, TESTED
from winnow.tables._runs import Run

GROUPS = ("best",)
FILES = ("metrics.csv", "config.json")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One per sweep and seed."""
    for run in runs:
        reached = _from_scratch.last(run, *REACHED, *TESTED)
        yield {"sweep": run.arm, "seed": run.seeds[0], **_from_scratch.settings(run), **reached}
