"""Ticks that have room: a logarithmic axis with round numbers."""

from __future__ import annotations

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
