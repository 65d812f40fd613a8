"""The one style of all figures: sizes for a two-column paper, colours that colour-blind readers tell apart (Okabe and
Ito 2008) joined by markers and line styles, and output whose bytes depend on the tables alone.
"""

from __future__ import annotations

import io as bytes_io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from winnow import io
from winnow.errors import UserError

if TYPE_CHECKING:
    import pandas

COLUMN, PAGE = 3.5, 7.2  # widths of one and of two columns, inches
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C564B", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
GREY = "#595959"
KEPT = "kept share of prunable weights, %"
RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.9,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "savefig.dpi": 220,
    "svg.hashsalt": "winnow",
    "pdf.fonttype": 42,
}
# Dates would make equal figures differ.
METADATA: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def render(draw: Callable[[dict[str, pandas.DataFrame]], Figure], tables: dict[str, Any], path: Path) -> None:
    """Draw in this style and write png, pdf or svg by the name's ending: the same bytes for the same tables."""
    kind = path.suffix.removeprefix(".")
    if kind not in METADATA:
        raise UserError(f"{path}: figures are written as {', '.join(METADATA)}, not as {kind!r}.")
    buffer = bytes_io.BytesIO()
    with matplotlib.rc_context(dict(matplotlib.rcParamsDefault) | RC):
        figure = draw(tables)
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format=kind, metadata=METADATA[kind])
    io.write_bytes(path, buffer.getvalue())


def panels(
    rows: int, columns: int, width: float = PAGE, height: float = 2.4, **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of rows x columns axes (2-D array), `height` inches per row; `options` go to Figure.subplots."""
    figure = Figure(figsize=(width, height * rows + 0.25), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def nothing(text: str = "no data to show") -> Figure:
    """A figure that says why it is empty."""
    figure, axes = panels(1, 1, COLUMN, 1.6)
    say(axes[0, 0], text)
    return figure


def say(axes: Axes, text: str) -> None:
    """Write in the middle of empty axes."""
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=GREY)
    # Not set_xticks([]): axes that share theirs with these would lose them, too.
    axes.tick_params(bottom=False, left=False, labelbottom=False, labelleft=False)
    axes.set_xlabel("")
    axes.grid(False)


def label(name: str) -> str:
    """How an arm or recipe is called in a legend: short arm names are acronyms."""
    return name.upper() if len(name) <= 3 else name.replace("_", " ")


def ordered(values: Iterable[Any]) -> list[Any]:
    """Distinct values in order of first appearance: tables keep the order of config."""
    return list(dict.fromkeys(values))


def colours(arms: Sequence[str]) -> dict[str, str]:
    """A colour per arm, by order."""
    return {arm: COLOURS[i % len(COLOURS)] for i, arm in enumerate(arms)}


def markers(arms: Sequence[str]) -> dict[str, str]:
    """A marker per arm, by order."""
    return {arm: MARKERS[i % len(MARKERS)] for i, arm in enumerate(arms)}


def part_label(part: str) -> str:
    """'rnn.weight_hh_l0' and 'recurrent0' -> 'recurrent 0': layers count from 0, as in tensors and tables."""
    for start, word in (("rnn.weight_hh_l", "recurrent"), ("rnn.weight_ih_l", "input")):
        part = part.replace(start, word)
    match = re.fullmatch(r"(recurrent|input)(\d+)", part)
    return f"{match[1]} {match[2]}" if match else {"whole": "whole network", "all": "all prunable"}.get(part, part)


def density_axis(axes: Axes, densities: Iterable[float], text: str = KEPT) -> None:
    """Logarithmic x axis in percent that runs from dense (left) to sparse, with ticks at the trained densities."""
    percents = sorted({100 * float(d) for d in densities})
    axes.set_xscale("log")
    ticks = thin(percents, 0.115)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    if percents:
        margin = 1.08 if percents[-1] / percents[0] > 1.2 else 1.3
        axes.set_xlim(percents[-1] * margin, percents[0] / margin)
    axes.set_xlabel(text)


def thin(values: Sequence[float], gap: float, must: Iterable[float] = ()) -> list[float]:
    """Those of ascending positive values that keep `gap` of the logarithmic range from all others kept.

    The largest, the smallest and those in `must` always stay.
    """
    if not values:
        return []
    span = max(float(np.log(values[-1] / values[0])), 1e-9)
    kept = [values[0], values[-1], *must]
    for value in reversed(values):
        if all(abs(np.log(value / other)) > gap * span for other in kept):
            kept.append(value)
    return sorted(set(kept))


def spread(
    axes: Axes,
    points: pandas.DataFrame,
    x: str,
    y: str,
    colour: str,
    *,
    marker: str = "o",
    line: Any = "-",
    filled: bool = True,
    scale: float = 1.0,
    dodge: float = 1.0,
    interval: bool = True,
) -> None:
    """Mean over seeds against x, with its 95 % interval as a bar (n >= 2) and every seed's point (2 <= n <= 3).

    `scale` multiplies y, `dodge` multiplies x (to set lines beside each other on a logarithmic axis). interval=False:
    for values that are not independent.
    """
    from winnow.statistics import estimate

    points = points.dropna(subset=[y])
    if points.empty:
        return
    groups = [(float(str(at)) * dodge, group[y].to_numpy(dtype=float) * scale) for at, group in points.groupby(x)]
    at = np.array([position for position, _ in groups])
    found = [estimate(values.tolist()) for _, values in groups]
    mean = np.array([one.mean for one in found], dtype=float)
    half = np.array([np.nan if one.high is None else one.high - (one.mean or 0.0) for one in found])
    face = colour if filled else "white"
    axes.plot(at, mean, color=colour, linestyle=line, marker=marker, markerfacecolor=face, zorder=3)
    if interval and np.isfinite(half).any():
        axes.errorbar(at, mean, half, fmt="none", ecolor=colour, elinewidth=0.7, capsize=1.8, capthick=0.7, zorder=2)
    for position, values in groups:
        if 2 <= len(values) <= 3:
            axes.plot(np.full(len(values), position), values, ".", color=colour, markersize=2.5, alpha=0.8, zorder=4)


def legend(figure: Figure, handles: Sequence[Any], columns: int | None = None) -> None:
    """One legend for the figure, above the axes, where it covers no data."""
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=columns or min(len(handles), 6))


def handle(text: str, colour: str = GREY, **options: Any) -> Line2D:
    """A legend entry."""
    return Line2D([], [], color=colour, label=text, **options)


def arm_handles(arms: Sequence[str], **options: Any) -> list[Line2D]:
    """Legend entries of the arms."""
    colour, marker = colours(arms), markers(arms)
    return [handle(label(arm), colour[arm], marker=marker[arm], **options) for arm in arms]


def crosses(axes: Axes, positions: Sequence[float], colour: str, text: str = "diverged") -> None:
    """Mark diverged lanes by crosses at the lower edge, labelled once (or, without text, by the figure's legend)."""
    if len(positions) == 0:
        return
    transform = axes.get_xaxis_transform()
    axes.plot(
        positions,
        np.full(len(positions), 0.04),
        "x",
        color=colour,
        markersize=5,
        markeredgewidth=1.3,
        transform=transform,
        clip_on=False,
        zorder=5,
    )
    axes.annotate(
        text,
        (float(np.mean(positions)), 0.04),
        xycoords=transform,
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        color=colour,
        fontsize=6.5,
    )


def main_recipe(table: pandas.DataFrame) -> str | None:
    """The recipe that a figure with room for one shows: the first with most rounds, rather not an in-run one."""
    recipes = [r for r in ordered(table["recipe"]) if r != "dense"]
    rounds = {r: table.loc[table["recipe"] == r, "round"] for r in recipes}
    plain = [r for r in recipes if rounds[r].min() > 0] or recipes
    return max(plain, key=lambda r: rounds[r].nunique(), default=None)


def last_round(table: pandas.DataFrame) -> pandas.DataFrame:
    """The rows of the last round of the main recipe."""
    mine = table.loc[table["recipe"] == main_recipe(table)]
    rows: pandas.DataFrame = mine[mine["round"] == mine["round"].max()]
    return rows
