"""Which settings of a sweep matter: importance, and correlation with the validation accuracy.

Importance is the share of the accuracies' variance that a setting explains by itself (fANOVA), of what all settings so
explain; correlations are Spearman's. A sweep looks where good trials were: they are those of its trials.
"""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _style as style
from winnow.figures import _trials as look

TABLES = ("importance", "values")
MORE, LESS = style.COLOURS[0], style.COLOURS[1]
LINE = 0.15  # inches per bar
TITLES = ("importance", "correlation: numbers", "correlation: names")
UNITS = ("share of explained variance, %", "Spearman's ρ with accuracy", "Spearman's ρ with accuracy")

Bars = list[tuple[str, float]]


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """A row per sweep: importances, correlations of settings that are numbers, and of having each of the names."""
    importance, values = tables["importance"], tables["values"]
    if importance.empty:
        return style.nothing("no settings that differ between trials")
    sweeps = style.ordered(importance["sweep"])
    blocks = [_blocks(importance[importance["sweep"] == sweep], values[values["sweep"] == sweep]) for sweep in sweeps]
    most = max((abs(rho) for _, *both in blocks for bars in both for _, rho in bars if rho == rho), default=1.0)
    height = max(len(bars) for block in blocks for bars in block)
    figure, axes = style.panels(len(sweeps), 3, style.PAGE, LINE * height + 0.75)
    for row, block, sweep in zip(axes, blocks, sweeps, strict=True):
        for axis, bars in zip(row, block, strict=True):
            _draw(axis, bars, height)
        for place, (_, share) in enumerate(block[0]):
            if share == share:
                row[0].annotate(f"{share:.1f}", (share, place), (2, 0), textcoords="offset points", va="center")
        row[0].set_xlim(0, 112)
        row[0].set_ylabel(f"sweep {style.label(sweep)}")
        for axis in row[1:]:
            axis.set_xlim(-1.15 * most, 1.15 * most)
            axis.axvline(0, color=style.GREY, linewidth=0.8)
    for axis, title in zip(axes[0], TITLES, strict=True):
        axis.set_title(title)
    for axis, text in zip(axes[-1], UNITS, strict=True):
        axis.set_xlabel(text)
    return figure


def _blocks(mine: pandas.DataFrame, values: pandas.DataFrame) -> tuple[Bars, Bars, Bars]:
    """(text, length) of the bars of one sweep's three panels, all in the order of importance."""
    shares: Bars = []
    numbers: Bars = []
    names: Bars = []
    for row in mine.to_dict("records"):
        shares.append((look.setting(row["parameter"]), 100 * float(row["importance"])))
        if row["parameter"] not in look.NAMES:
            numbers.append((look.setting(row["parameter"]), float(row["correlation"])))
            continue
        for one in values[values["parameter"] == row["parameter"]].to_dict("records"):
            names.append((look.value(one["value"]), float(one["correlation"])))
    return shares, numbers, names


def _draw(axis: Axes, bars: Bars, height: int) -> None:
    """Horizontal bars from the top; `height` bars would fill the axes."""
    axis.set_ylim(height - 0.4, -0.6)
    if not bars:
        style.say(axis, "no such setting")
        return
    at = np.arange(len(bars))
    numbers = np.array([number for _, number in bars])
    axis.barh(at, np.nan_to_num(numbers), 0.7, color=np.where(numbers < 0, LESS, MORE))
    for place in at[np.isnan(numbers)]:
        axis.annotate("not known", (0, place), (3, 0), textcoords="offset points", va="center", color=style.GREY)
    axis.set_yticks(at, [text for text, _ in bars])
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
