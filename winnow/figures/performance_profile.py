"""Performance profiles: the share of problems that an arm solves within tau times the best arm's cost on each.

Dolan & More (2002, arXiv cs/0102001). In colour are the arms with the largest area below their line, over log tau and
all measures; `winnow/tables/performance_profile.py` says what a problem is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _arms as shared
from winnow.figures import _labels as labels
from winnow.figures import _style as style

TABLES = ("performance_profile", "outcomes")
END = 1.1  # beyond the largest tau
TICKS = 0.12  # between ticks, of the logarithmic range


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """A row per scenario (of many: the first), a panel per measure of the cost."""
    table = tables["performance_profile"]
    if table.empty:
        return style.nothing("no target that a run reached")
    arms = shared.Arms(tables["outcomes"])
    shown = shared.scenarios(table)
    figure, axes = style.panels(len(shown), len(shared.MEASURES), style.PAGE, 2.2, sharey=True)
    named: list[str] = []
    for line, scenario in zip(axes, shown, strict=True):
        mine = table[table["scenario"] == scenario]
        best = _best(mine)
        named += best
        for axis, (measure, text) in zip(line, shared.MEASURES.items(), strict=True):
            _panel(axis, mine[mine["measure"] == measure], arms.looks(best))
            axis.set_title(text, loc="left")
            axis.set_xlabel("τ: cost / smallest cost of any arm")
        line[0].set_ylabel(f"share of problems solved, %\n({shared.scenario_label(scenario)})")
    looks = arms.looks(style.ordered(named))
    entries = [style.handle(arms.text(arm), look["color"], linestyle=look["linestyle"]) for arm, look in looks.items()]
    if table["arm"].nunique() > len(entries):
        entries.append(style.handle("further arms", shared.PALE, linewidth=0.8))
    style.legend(figure, entries)
    return figure


def _steps(rows: pandas.DataFrame, end: float) -> tuple[np.ndarray, np.ndarray]:
    taus, shares = rows["tau"].to_numpy(dtype=float), rows["share"].to_numpy(dtype=float)
    return np.append(taus, end), np.append(shares, shares[-1])


def _best(mine: pandas.DataFrame) -> list[str]:
    """The arms with the largest areas, the largest first."""
    areas = {arm: 0.0 for arm in style.ordered(mine["arm"])}
    for _, rows in mine.groupby("measure"):
        end = END * float(rows["tau"].max())
        for arm, steps in rows.groupby("arm"):
            taus, shares = _steps(steps, end)
            areas[str(arm)] += float(np.sum(np.diff(np.log(taus)) * shares[:-1])) / np.log(end)
    ranked = sorted(areas, key=lambda arm: -areas[arm])[: shared.BEST]
    return [arm for arm in ranked if areas[arm] > 0]


def _panel(axis: Axes, rows: pandas.DataFrame, looks: dict[str, dict[str, Any]]) -> None:
    end = END * float(rows["tau"].max())
    for arm in reversed(style.ordered([*looks, *rows["arm"]])):
        taus, shares = _steps(rows[rows["arm"] == arm], end)
        look = (
            {"linewidth": 1.4, "zorder": 3, **looks[arm]} if arm in looks else {"color": shared.PALE, "linewidth": 0.7}
        )
        axis.step(taus, 100 * shares, where="post", **look)
    axis.set_xlim(1, end)
    labels.log_axis(axis, TICKS, least=4)
    axis.set_ylim(-2, 102)
