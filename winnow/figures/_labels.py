"""Ticks and names that have room: a logarithmic axis with round numbers, lines that are named at their ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator


def short(value: float, _: object = None) -> str:
    """A tick's number in few characters: 0.03, 20, 1e-4, 5e6."""
    if 0.01 <= value < 10_000:
        return f"{value:g}"
    digits, power = f"{value:.0e}".split("e")
    return f"{digits}e{int(power)}"


def log_ticks(low: float, high: float, gap: float, least: int = 2) -> list[float]:
    """Round numbers between the ends, `gap` of the logarithmic range apart: powers of ten, or if these are fewer than
    `least` also 3 (or 2 and 5) times such a power."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    found: list[float] = []
    for leads in ((1,), (1, 3), (1, 2, 5), range(1, 10)):
        found = []
        for value in (float(f"{lead}e{power}") for power in powers for lead in leads):
            near = bool(found) and np.log(value / found[-1]) < gap * np.log(high / low)
            if low <= value <= high and not near:
                found.append(value)
        if len(found) >= least:
            break
    return found


def log_axis(axis: Axes, gap: float, least: int = 2) -> None:
    """A logarithmic x axis with these ticks; its limits stand from here on."""
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    axis.set_xlim(low, high)
    axis.xaxis.set_major_locator(FixedLocator(log_ticks(low, high, gap, least)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(short))


def apart(wanted: Sequence[float], gap: float) -> np.ndarray:
    """Places in [0, 1] at least `gap` apart (or as far as there is room), in the same order, nearest to `wanted`.

    The least squares solution: with i * gap taken off the i-th smallest, those out of order share their mean.
    """
    order = np.argsort(wanted, kind="stable")
    gap = min(gap, 1 / max(len(order) - 1, 1))
    blocks: list[list[float]] = []
    for i, place in enumerate(order):
        blocks.append([wanted[place] - i * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) >= np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    shared = np.array([float(np.mean(block)) for block in blocks for _ in block])
    places = np.empty(len(order))
    places[order] = np.clip(shared, 0, 1 - (len(order) - 1) * gap) + gap * np.arange(len(order))
    return places


def end_labels(axis: Axes, ends: Sequence[tuple[str, float, float, str]], gap: float) -> None:
    """Name lines at their ends, right of the axes: (text, x, y, colour) each, `gap` of the height apart.

    To be called when the limits of the axes stand.
    """
    to_axes = axis.transData + axis.transAxes.inverted()
    heights = [float(to_axes.transform((x, y))[1]) for _, x, y, _ in ends]
    for (text, x, y, colour), place in zip(ends, apart(heights, gap), strict=True):
        lead = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5)}
        axis.annotate(
            text, (x, y), (1.04, place), textcoords=axis.transAxes, va="center", color=colour, fontsize=6.5,
            arrowprops=lead, annotation_clip=False,
        )  # fmt: skip
