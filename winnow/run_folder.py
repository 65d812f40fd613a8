"""One training run as the workflow plans it and the joint tables read it: an entry `runs` of make_table's spec."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunFolder:
    """Where a run is and what it is. `rate`: "lr0.022" or "best".

    group: "sweep", "dense", "rounds" (of a recipe, or its one run, where a sparsifier leads to one density) or "in_run"
    (pruned at several moments). Of a study of optimisers "tuning" and "final": there `recipe` is the scenario.
    """

    group: str
    arm: str
    recipe: str
    round: int
    train_on: str
    rate: str
    seeds: list[int]
    folder: str
