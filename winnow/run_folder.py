"""One training run as the workflow plans it and the joint tables read it: an entry `runs` of make_table's spec."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunFolder:
    """Where a run is and what it is. `group`: sweep, dense, rounds or in_run; `rate`: "lr0.022" or "best"."""

    group: str
    arm: str
    recipe: str
    round: int
    train_on: str
    rate: str
    seeds: list[int]
    folder: str
