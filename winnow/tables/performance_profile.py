"""Performance profiles of the arms of a study of optimisers (Dolan & More 2002, arXiv cs/0102001, equation 2.1).

    share of arm a at tau = |{p: cost(p, a) <= tau * min over arms b of cost(p, b)}| / number of problems

A problem is a target together with a seed, in one scenario; those that no arm solved are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas

from winnow.tables import _finals, time_to_target
from winnow.tables._runs import Run

GROUPS = ("final",)
FILES = ("metrics.csv", "run.json")


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Per scenario, measure of the cost and arm: the share at tau 1, and at every tau where it changes."""
    reached = pandas.DataFrame(list(time_to_target.rows(runs, spec)))
    if not reached.empty:
        yield from profiles(reached)


def profiles(reached: pandas.DataFrame) -> Iterator[dict[str, object]]:
    """The rows of this table from those of the table 'time_to_target'."""
    for scenario, mine in reached.groupby("scenario", sort=False):
        for measure in _finals.COST:
            costs = mine.pivot(index=["target", "seed"], columns="arm", values=measure).astype(float)
            costs = costs.dropna(how="all")
            ratios = costs.div(costs.min(axis=1), axis=0)
            for arm in dict.fromkeys(mine["arm"]) if len(ratios) else ():
                found = np.sort(ratios[arm].dropna())
                for tau in sorted({1.0, *found.tolist()}):
                    share = np.searchsorted(found, tau, side="right") / len(ratios)
                    yield {"scenario": scenario, "measure": measure, "arm": arm, "tau": tau, "share": share}
