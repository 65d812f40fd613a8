"""Cross-entropy against squared error: matched pairs of runs that differ in their loss only.

The two losses are measured in different units, so that the accuracies are what is compared; the losses themselves are
beside them, as they were minimised.
"""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _style as style
from winnow.figures import _trials as look
from winnow.statistics import estimate

TABLES = ("losses",)
LOSSES = ("cross_entropy", "mean_squared_error")
SETS = ("train", "validation", "test")
COLOURS = dict(zip(SETS, style.COLOURS, strict=False))
WIDE = 0.2  # half the width of a cloud of points


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Test accuracy of one loss against the other's; differences of the pairs with their mean; both losses."""
    table = tables["losses"]
    if table.empty:
        return style.nothing("no pairs of runs")
    wide = table.pivot(index="pair", columns="loss")
    sides = {images: _sides(wide, f"{images}_accuracy") for images in SETS}
    figure, axes = style.panels(1, 3, style.PAGE, 2.4, width_ratios=(1.1, 1, 1))
    _against(axes[0, 0], *sides["test"])
    _differences(axes[0, 1], sides)
    _losses(axes[0, 2], table)
    entries = [
        style.handle(f"{images.replace('train', 'training')} images", COLOURS[images], marker="o", linestyle="")
        for images in SETS
    ]
    entries += [
        style.handle("mean, 95 % interval", "black", marker="s", linestyle="-"),
        style.handle("median", "black"),
        style.handle("equal accuracy", linestyle=":"),
    ]
    style.legend(figure, entries, 6)
    return figure


def _sides(wide: pandas.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """The values of the pairs under both losses; NaN where a run diverged or is not there."""
    first, second = (
        wide[column, loss].to_numpy(dtype=float) if (column, loss) in wide else np.full(len(wide), np.nan)
        for loss in LOSSES
    )
    return first, second


def _cloud(axis: Axes, at: float, values: np.ndarray, colour: str) -> None:
    spread = np.random.default_rng(0).uniform(-WIDE, WIDE, len(values))
    axis.plot(at + spread, values, "o", color=colour, markersize=2.2, alpha=0.5)


def _against(axis: Axes, first: np.ndarray, second: np.ndarray) -> None:
    known = np.isfinite(first) & np.isfinite(second)
    low, high = look.ends([*first[known], *second[known]])
    axis.set_xscale("function", functions=(look.place, look.percent))
    look.accuracy_axis(axis, low, high)
    ticks = look.ticks(low, high, 0.12)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_xlim(low, high)
    axis.plot([low, high], [low, high], ":", color=style.GREY, linewidth=0.9)
    axis.plot(100 * second[known], 100 * first[known], "o", color=COLOURS["test"], markersize=3, alpha=0.6)
    lost = {look.value(loss): int(np.isnan(side).sum()) for loss, side in zip(LOSSES, (first, second), strict=True)}
    if any(lost.values()):
        text = "\n".join(["diverged:", *(f"{number} with {name}" for name, number in lost.items() if number)])
        axis.text(0.04, 0.96, text, transform=axis.transAxes, va="top", fontsize=6.5, color=style.GREY)
    axis.set_title(f"test accuracy of {known.sum()} pair{'s' if known.sum() != 1 else ''}", loc="left")
    axis.set_ylabel(f"with {look.value(LOSSES[0])}, %")
    axis.set_xlabel(f"with {look.value(LOSSES[1])}, %")


def _differences(axis: Axes, sides: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    axis.axhline(0, color=style.GREY, linestyle=":", linewidth=0.9)
    for i, (images, (first, second)) in enumerate(sides.items()):
        points = 100 * (first - second)
        points = points[np.isfinite(points)]
        _cloud(axis, i, points, COLOURS[images])
        found = estimate(points.tolist())
        if found.mean is not None:
            half = None if found.high is None else found.high - found.mean
            axis.errorbar(i + 0.34, found.mean, half, fmt="s", color="black", markersize=3.5, capsize=2, elinewidth=1)
    axis.set_xticks(range(len(SETS)), SETS)
    axis.set_xlim(-0.5, len(SETS) - 0.4)
    axis.set_xlabel("images")
    axis.set_ylabel("accuracy: cross-entropy\nminus squared error, points")
    axis.set_title("paired differences", loc="left")


def _losses(axis: Axes, table: pandas.DataFrame) -> None:
    for i, loss in enumerate(LOSSES):
        for shift, images in ((-0.24, "train"), (0.24, "validation")):
            values = table.loc[table["loss"] == loss, f"{images}_loss"].dropna().to_numpy(dtype=float)
            _cloud(axis, i + shift, values, COLOURS[images])
            if len(values):
                ends = i + shift - WIDE, i + shift + WIDE
                axis.hlines(np.median(values), *ends, colors="black", linewidth=1.2, zorder=3)
    axis.set_xticks(range(len(LOSSES)), [look.value(loss) for loss in LOSSES])
    axis.set_xlim(-0.6, len(LOSSES) - 0.4)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("loss, each in its own unit")
    axis.set_ylabel("loss at the last epoch")
    axis.set_title("losses", loc="left")
