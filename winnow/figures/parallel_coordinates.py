"""Parallel coordinates of a sweep: which settings go together in good trials.

An axis per setting that differs between the trials, and one of validation accuracies, by the logarithm of the error. A
line is a trial, darker the better; the best are drawn last, and thicker. Choices are shown a little beside their place,
so that lines through the same one can be told apart.
"""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from winnow.figures import _style as style
from winnow.figures import _trials as look
from winnow.trial_statistics import LOG, listed, text, varied

TABLES = ("trials",)
MAP = "viridis_r"  # light for bad trials: on white they recede
BEST = 10  # trials with a thick line, of 50 or more
DIVERGED = -0.1  # where lines of diverged trials end, below the axis of accuracies
JITTER = 0.16  # of the distance of two choices, and at most half as much of the axis


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """One panel per sweep, with the same colours."""
    trials = tables["trials"]
    if trials.empty:
        return style.nothing("no trials")
    sweeps = style.ordered(trials["sweep"])
    low, high = look.ends(trials["validation_accuracy"].dropna())
    figure, axes = style.panels(len(sweeps), 1, style.PAGE, 2.9)
    for axis, sweep in zip(axes[:, 0], sweeps, strict=True):
        mine = trials[trials["sweep"] == sweep]
        _panel(axis, mine, low, high)
        axis.set_ylabel(look.title(sweep, mine))
    shades = [to_hex(colormaps[MAP](at)) for at in (1.0, 0.85, 0.1)]
    entries = [
        style.handle("the best trials", shades[0], linewidth=1.6),
        style.handle("another good trial", shades[1], linewidth=0.7),
        style.handle("a bad trial", shades[2], linewidth=0.7),
    ]
    if trials["validation_accuracy"].isna().any():
        entries.append(style.handle("diverged", linewidth=0.7, linestyle=":"))
    style.legend(figure, entries)
    return figure


def _panel(axis: Axes, mine: pandas.DataFrame, low: float, high: float) -> None:
    mine = mine.sort_values(["validation_accuracy", "trial"], na_position="first", kind="stable")
    parameters = varied(mine)
    random = np.random.default_rng(0)
    heights = [_coordinate(axis, number, mine[name], random) for number, name in enumerate(parameters)]
    last = len(parameters)
    span = float(look.place(high) - look.place(low))
    reached = (look.place(100 * mine["validation_accuracy"].to_numpy(dtype=float)) - look.place(low)) / span
    dead = np.isnan(reached)
    heights.append(np.where(dead, DIVERGED, reached))
    lines = np.stack([np.broadcast_to(np.arange(last + 1.0), (len(mine), last + 1)), np.array(heights).T], axis=2)
    axis.add_collection(LineCollection(lines[dead], colors=style.GREY, linewidths=0.5, linestyles=":", alpha=0.6))
    thick = np.arange(len(mine)) >= len(mine) - min(BEST, -(-len(mine) // 5))
    for chosen, width, alpha in ((~thick & ~dead, 0.45, 0.5), (thick & ~dead, 1.3, 1.0)):
        colours = colormaps[MAP](reached[chosen])
        axis.add_collection(LineCollection(list(lines[chosen]), colors=colours, linewidths=width, alpha=alpha))
    strip = np.linspace(0, 1, 256)[:, None]
    axis.imshow(strip, extent=(last, last + 0.12, 0, 1), cmap=MAP, origin="lower", aspect="auto", vmin=0, vmax=1)
    for tick in look.ticks(low, high, 0.05):
        axis.annotate(
            f"{tick:g}", (last + 0.12, float(look.place(tick) - look.place(low)) / span), (2, 0),
            textcoords="offset points", va="center", fontsize=6.5, annotation_clip=False,
        )  # fmt: skip
    if dead.any():
        _name(axis, last, DIVERGED, "diverged")
    names = [*map(look.setting, parameters), look.ACCURACY]
    axis.set_xticks(range(last + 1), [_wrapped(name) for name in names])
    axis.xaxis.tick_top()
    axis.tick_params(top=False, left=False, labelleft=False)
    axis.grid(False, axis="y")
    axis.grid(True, axis="x", color=style.GREY, linewidth=0.7)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
    axis.set_xlim(-0.35, last + 0.5)
    axis.set_ylim(DIVERGED - 0.05 if dead.any() else -0.1, 1.1)


def _coordinate(axis: Axes, number: int, column: pandas.Series, random: np.random.Generator) -> np.ndarray:
    """The trials' heights on a setting's axis, from 0 to 1, whose values it names; nothing is below all values."""
    if listed(column):
        choices = sorted(column.dropna().unique())
        places = np.linspace(0, 1, len(choices)) if len(choices) > 1 else [0.5]
        for choice, at in zip(choices, places, strict=True):
            _name(axis, number, at, look.value(choice))
        heights = column.map(dict(zip(choices, places, strict=True))).to_numpy(dtype=float)
        most = JITTER * min(1 / len(choices), 0.5)
        heights = heights + random.uniform(-most, most, len(heights))
    else:
        values = column.to_numpy(dtype=float)
        least, most = np.nanmin(values), np.nanmax(values)
        logarithmic = least > 0 and most / least >= LOG
        scale = np.log if logarithmic else np.asarray
        heights = (scale(values) - scale(least)) / (scale(most) - scale(least))
        middle = np.sqrt(least * most) if logarithmic else (least + most) / 2
        for at, shown in ((0.0, least), (0.5, middle), (1.0, most)):
            _name(axis, number, at, text(float(f"{shown:.3g}")))
    return np.where(np.isnan(heights), -0.04, heights)


def _name(axis: Axes, number: float, height: float, text: str) -> None:
    axis.annotate(
        text, (number, height), (3, 0), textcoords="offset points", va="center", fontsize=6.5, zorder=6,
        path_effects=[withStroke(linewidth=2, foreground="white")],
    )  # fmt: skip


def _wrapped(name: str) -> str:
    return name.replace(" ", "\n", 1)
