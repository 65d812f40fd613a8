"""In- and out-degrees of the units of the sparsest tickets, against edges placed at random."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from winnow.figures import _style as style
from winnow.figures import _units

TABLES = ("nodes",)
DIRECTIONS = (("in_degree", "in-degree (incoming edges)"), ("out_degree", "out-degree (outgoing edges)"))
BINS = 24


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Columns: recurrent layers; rows: direction. Seeds are pooled. Dotted: binomial with the same mean."""
    entry = style.handle("edges at random (binomial)", linestyle=":")
    return _units.draw(tables["nodes"], DIRECTIONS, integer_bins, _binomial, entry)


def integer_bins(values: np.ndarray) -> np.ndarray:
    """About BINS bins of equal whole width that cover whole numbers."""
    low, high = int(values.min()), int(values.max())
    step = max(1, -(-(high - low + 1) // BINS))
    return np.arange(low, high + step + 1, step) - 0.5


def _binomial(axis: Axes, units: pandas.DataFrame, column: str, edges: np.ndarray, colour: str) -> None:
    """A random directed graph of n units: each of n - 1 possible edges with equal probability."""
    n = units.groupby("seed").size().max()
    random = stats.binom(n - 1, min(1.0, units[column].mean() / max(n - 1, 1)))
    middle = (edges[1:] + edges[:-1]) / 2
    axis.plot(middle, 100 * np.diff(random.cdf(edges)), ":", color=colour, linewidth=1)
