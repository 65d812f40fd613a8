"""Local clustering coefficients of the units of the sparsest tickets."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _style as style
from winnow.figures import _units

TABLES = ("nodes",)
KINDS = (
    ("clustering", "clustering (undirected,\nWatts and Strogatz)"),
    ("clustering_directed", "clustering (directed,\nFagiolo)"),
)
BINS = 30


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Columns: recurrent layers; rows: definition. Seeds are pooled. Vertical lines: means over units."""
    return _units.draw(tables["nodes"], KINDS, _bins, _mean, style.handle("mean over units", linestyle="--"))


def _bins(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return np.linspace(low, high if high > low else low + 0.01, BINS + 1)


def _mean(axis: Axes, units: pandas.DataFrame, column: str, edges: np.ndarray, colour: str) -> None:
    axis.axvline(units[column].mean(), color=colour, linestyle="--", linewidth=0.8)
