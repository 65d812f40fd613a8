"""What the best networks of a sweep take for what: confusion on the test images, and how well each class is found."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _style as style

TABLES = ("confusion", "per_class")
DARK = 40  # percent: cells above have white numbers
SHOWN = 0.5  # percent: smaller shares have no number
SCORES = ("precision", "recall", "f1")


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """A row per sweep: share of the images of each true class, mean over seeds; precision, recall and F1 by class."""
    confusion, scores = tables["confusion"], tables["per_class"]
    if confusion.empty:
        return style.nothing("no retrained runs")
    sweeps = style.ordered(confusion["sweep"])
    figure, axes = style.panels(len(sweeps), 2, style.PAGE, 3.5, width_ratios=(1.5, 1))
    for row, sweep in zip(axes, sweeps, strict=True):
        mine = confusion[confusion["sweep"] == sweep].astype({"true": str, "predicted": str})
        classes = style.ordered(mine["true"])
        seeds = mine["seed"].nunique()
        _matrix(row[0], mine, classes)
        right = mine.loc[mine["true"] == mine["predicted"], "count"].sum() / max(1, mine["count"].sum())
        count = f"{seeds} seed{'s' if seeds != 1 else ''}"
        title = f"sweep {style.label(sweep)}: best configuration, {count}, test accuracy {100 * right:.1f} %"
        row[0].set_title(title, loc="left")
        _scores(row[1], scores[scores["sweep"] == sweep].astype({"class": str}), classes)
    entries = [
        style.handle(name.replace("f1", "F1"), style.COLOURS[i], marker=style.MARKERS[i], linestyle="")
        for i, name in enumerate(SCORES)
    ]
    style.legend(figure, entries)
    return figure


def _matrix(axis: Axes, mine: pandas.DataFrame, classes: list[str]) -> None:
    counts = mine.groupby(["true", "predicted"])["count"].sum().unstack(fill_value=0)
    matrix = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy(dtype=float)
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # The root shows confusions of a few percent beside the diagonal.
    axis.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=10, aspect="auto")
    for (i, j), share in np.ndenumerate(shares):
        if share >= SHOWN:
            text = f"{share:.0f}" if share >= 1 else f"{share:.1f}"
            axis.text(j, i, text, ha="center", va="center", color="white" if share > DARK else "black", fontsize=6.5)
    axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(classes)), classes)
    axis.set_xlabel("predicted class; numbers: % of the images of the true class")
    axis.set_ylabel("true class")
    axis.tick_params(length=0)
    axis.grid(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)


def _scores(axis: Axes, mine: pandas.DataFrame, classes: list[str]) -> None:
    """Means over seeds in the rows of the matrix, with bars from the smallest to the largest."""
    for i, name in enumerate(SCORES):
        found = 100 * mine.groupby("class")[name].agg(["mean", "min", "max"]).reindex(classes)
        at = np.arange(len(classes)) + 0.22 * (i - 1)
        axis.plot(found["mean"], at, style.MARKERS[i], color=style.COLOURS[i], markersize=3.2, zorder=3)
        axis.hlines(at, found["min"], found["max"], colors=style.COLOURS[i], linewidth=1)
    for edge in np.arange(len(classes) - 1) + 0.5:
        axis.axhline(edge, color="#DDDDDD", linewidth=0.5)
    axis.set_yticks(range(len(classes)), [""] * len(classes))
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
    axis.set_ylim(len(classes) - 0.5, -0.5)
    axis.set_xlim(right=100)
    axis.set_xlabel("%, of the test images")
