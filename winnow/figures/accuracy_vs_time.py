"""Validation accuracy of a sweep's trials when they finished, with the best one so far."""

from __future__ import annotations

import pandas
from matplotlib.figure import Figure

from winnow.figures import _course as course

TABLES = ("trials",)
UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """One panel per sweep; in hours, or for short sweeps in smaller units."""
    trials = tables["trials"]
    longest = 0.0 if trials.empty else float(trials["finished"].max())
    unit, seconds = next((unit for unit in UNITS if longest >= 2 * unit[1]), UNITS[-1])
    return course.draw(trials.assign(time=trials["finished"] / seconds), "time", f"{unit} since the sweep began")
