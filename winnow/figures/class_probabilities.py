"""What the best networks make of one image: the image, and the probability of every class."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _style as style
from winnow.figures.class_samples import show

TABLES = ("probabilities", "samples")
LARGEST, OTHER = style.COLOURS[0], "#9FB8C8"


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Left the image; then per sweep the mean over seeds, and every seed as a point. Bold: the true class."""
    table, samples = tables["probabilities"], tables["samples"]
    if table.empty:
        return style.nothing("no classified image")
    table = table.astype({"class": str, "true": str})
    sweeps, classes = style.ordered(table["sweep"]), style.ordered(table["class"])
    number, true = table["image"].iloc[0], str(table["true"].iloc[0])
    pixels = samples[samples["image"] == number]
    ratios = (1.0, *[1.15] * len(sweeps))
    width = min(style.PAGE, 2.2 + 2.5 * len(sweeps))
    figure, axes = style.panels(1, 1 + len(sweeps), width, 2.2, width_ratios=ratios)
    if pixels.empty:
        style.say(axes[0, 0], "image not in table `samples`")
    else:
        show(axes[0, 0], pixels)
    axes[0, 0].set_title(f"image {number:,}: {true}")
    for axis, sweep in zip(axes[0, 1:], sweeps, strict=True):
        mine = table[table["sweep"] == sweep]
        _bars(axis, mine, classes, true)
        seeds = mine["seed"].nunique()
        axis.set_title(f"sweep {style.label(sweep)}, {seeds} seed{'s' if seeds != 1 else ''}", loc="left")
        axis.set_xlabel("probability, %")
    for axis in axes[0, 2:]:
        axis.tick_params(labelleft=False)
    if table["seed"].nunique() > 1:
        one = style.handle("one seed", "black", marker=".", linestyle="", markersize=3)
        style.legend(figure, [style.handle("mean over seeds", LARGEST, linewidth=5), one])
    return figure


def _bars(axis: Axes, mine: pandas.DataFrame, classes: list[str], true: str) -> None:
    shares = 100 * mine.pivot(index="class", columns="seed", values="probability").reindex(classes)
    means = shares.mean(axis=1).to_numpy(dtype=float)
    at = np.arange(len(classes))
    axis.barh(at, means, 0.7, color=np.where(means == np.nanmax(means), LARGEST, OTHER))
    if shares.shape[1] > 1:
        axis.plot(shares.to_numpy(), at, ".", color="black", markersize=2.5)
    for place, mean, most in zip(at, means, shares.max(axis=1), strict=True):
        text = f"{mean:.1f}" if mean >= 0.05 else "< 0.1"
        axis.annotate(text, (max(mean, most), place), (4, 0), textcoords="offset points", va="center", fontsize=6.5)
    axis.set_yticks(at, classes)
    for label in axis.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == true else "normal")
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
    axis.set_ylim(len(classes) - 0.4, -0.6)
    axis.set_xlim(0, 115)
    axis.set_xticks([0, 25, 50, 75, 100])
