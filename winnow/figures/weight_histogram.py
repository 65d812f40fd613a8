"""Distribution of |w| from initialisation to the sparsest ticket; exact zeros (masked weights) are left out."""

from __future__ import annotations

import pandas
from matplotlib.figure import Figure

from winnow.figures import _weights

TABLES = ("histograms",)


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """The density axis is logarithmic: tails matter."""
    return _weights.draw(tables["histograms"], "abs", "|w|", "per unit of |w|", log=True)
