"""What figures of sweeps share: how settings are called, and an axis of accuracies that shows the good ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from winnow.figures import _style as style
from winnow.trial_statistics import text

SETTINGS = {
    "num_layers": "hidden layers",
    "hidden_size": "hidden size",
    "optimizer": "optimiser",
    "weight_init": "initialisation",
    "layers": "layer sizes",
}
VALUES = {
    "sgd": "SGD",
    "nag": "Nesterov",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "nadam": "Nadam",
    "xavier": "Xavier",
    "relu": "ReLU",
    "cross_entropy": "cross-entropy",
    "mean_squared_error": "squared error",
}
NAMES = ("optimizer", "weight_init", "activation", "loss", "inputs", "layers")  # settings without an order
ACCURACY = "validation accuracy, %"
TICKS = (0, 10, 30, 50, 60, 70, 75, 80, 84, 86, 88, 90, 92, 94, 95, 96, 97, 98, 99, 99.5, 100)


def setting(name: str) -> str:
    """How an axis calls a setting."""
    return SETTINGS.get(name, name.replace("_", " "))


def value(shown: object) -> str:
    """How a tick calls a setting's value."""
    return VALUES.get(str(shown), text(shown).replace("_", " "))


def place(percent: np.ndarray | float) -> np.ndarray:
    """Where an accuracy lies: minus the logarithm of the error, bent so that 100 % has a place, too."""
    return np.asarray(-np.log(101 - np.asarray(percent, dtype=float)))


def percent(at: np.ndarray | float) -> np.ndarray:
    """The inverse of `place`."""
    return np.asarray(101 - np.exp(-np.asarray(at, dtype=float)))


def ends(accuracies: Iterable[float]) -> tuple[float, float]:
    """The ends, in percent, of an axis that holds these shares with a small margin."""
    known = [100 * one for one in accuracies if np.isfinite(one)] or [0.0, 100.0]
    low, high = min(known), max(known)
    margin = 0.04 * float(place(high) - place(low)) or 0.05
    return float(percent(place(low) - margin)), min(float(percent(place(high) + margin)), 100.5)


def ticks(low: float, high: float, gap: float = 0.07) -> list[float]:
    """Round percentages between the ends, the good ones first, `gap` of the axis apart."""
    span = float(place(high) - place(low))
    kept: list[float] = []
    for one in (tick for tick in reversed(TICKS) if low <= tick <= high):
        if all(abs(float(place(one) - place(other))) > gap * span for other in kept):
            kept.append(one)
    if len(kept) < 2:  # a narrow range
        kept = [one for one in MaxNLocator(4).tick_values(low, high) if low <= one <= high]
    return sorted(kept)


def accuracy_axis(axes: Axes, low: float, high: float) -> None:
    """Percentages from `low` to `high` on the y axis, by the logarithm of the error."""
    axes.set_yscale("function", functions=(place, percent))
    axes.yaxis.set_major_locator(FixedLocator(ticks(low, high)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:g}"))
    axes.set_ylim(low, high)


def title(sweep: str, trials: pandas.DataFrame) -> str:
    """'sweep seed: 500 trials'."""
    return f"sweep {style.label(sweep)}: {len(trials)} trial{'s' if len(trials) != 1 else ''}"
