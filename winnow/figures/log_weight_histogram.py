"""Distribution of log10 |w| from initialisation to the sparsest ticket; a log-normal is a bell curve here."""

from __future__ import annotations

import pandas
from matplotlib.figure import Figure

from winnow.figures import _weights

TABLES = ("histograms",)


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Per decade of |w|; exact zeros (masked weights) are left out."""
    return _weights.draw(tables["histograms"], "log10_abs", "log10 |w|", "per decade", log=False)
