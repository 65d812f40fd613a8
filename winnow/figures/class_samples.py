"""One image of every class of the data set."""

from __future__ import annotations

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _style as style

TABLES = ("samples",)
ACROSS = 5


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """In rows of five, by class: the first image that the table has of it, with its number in the data set."""
    table = tables["samples"]
    if table.empty:
        return style.nothing("no images")
    classes = sorted(table["class"].unique())
    rows = -(-len(classes) // ACROSS)
    figure, axes = style.panels(rows, ACROSS, 5.4, 1.25)
    for axis in axes.flat[len(classes) :]:
        axis.set_visible(False)
    for axis, label in zip(axes.flat, classes, strict=False):
        mine = table[table["class"] == label]
        first = mine["image"].iloc[0]
        show(axis, mine[mine["image"] == first])
        axis.set_title(str(mine["name"].iloc[0]), pad=3)
        axis.set_xlabel(f"image {first:,}", color=style.GREY, fontsize=6.5, labelpad=2)
    return figure


def show(axis: Axes, pixels: pandas.DataFrame) -> None:
    """One image: dark is bright, so that it stands on white paper."""
    image = pixels.pivot(index="row", columns="column", values="value").to_numpy(dtype=float)
    axis.imshow(image, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(True)
        spine.set_color("#BBBBBB")
