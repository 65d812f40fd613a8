"""Validation accuracy of a sweep's trials in the order in which they began, with the best one so far."""

from __future__ import annotations

import pandas
from matplotlib.figure import Figure

from winnow.figures import _course as course

TABLES = ("trials",)


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """One panel per sweep."""
    trials = tables["trials"]
    return course.draw(trials.assign(number=trials["trial"] + 1), "number", "trial, in order of start")
