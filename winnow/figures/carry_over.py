"""The best configurations of a sweep, trained on another data set as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _style as style
from winnow.figures import _trials as look
from winnow.statistics import estimate
from winnow.trial_statistics import text

TABLES = ("carry_over",)
DATASETS = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Left: validation accuracy in the sweep, one trial each. Then per data set the test accuracy, mean over seeds with
    its 95 % interval, and every seed."""
    table = tables["carry_over"]
    if table.empty:
        return style.nothing("no configurations carried over")
    sets = style.ordered(table["dataset"])
    figure, axes = style.panels(1, 1 + len(sets), style.PAGE, 2.6)
    first = table.drop_duplicates("rank").sort_values("rank")
    _points(axes[0, 0], first, "source_validation_accuracy")
    axes[0, 0].set_ylabel("validation accuracy in the sweep, %")
    for axis, name in zip(axes[0, 1:], sets, strict=True):
        _points(axis, table[table["dataset"] == name], "test_accuracy")
        axis.set_ylabel(f"test accuracy on {DATASETS.get(name, style.label(name))}, %")
    for axis in axes.flat:
        ranks = range(1, len(first) + 1)
        axis.set_xticks(ranks, [configuration(row) for row in first.to_dict("records")], fontsize=6.3)
        axis.set_xlim(0.5, len(first) + 0.5)
        axis.set_xlabel("configuration, by its rank in the sweep")
        axis.grid(False, axis="x")
        axis.margins(y=0.2)
        axis.ticklabel_format(axis="y", useOffset=False)
    entries = [style.handle("one run", marker="o", linestyle="", markersize=3)]
    if table["seed"].nunique() > 1:
        entries.append(style.handle("mean over seeds, 95 % interval", "black", marker="s"))
    if table["test_accuracy"].isna().any():
        entries.append(style.handle("diverged", marker="x", linestyle=""))
    style.legend(figure, entries)
    return figure


def configuration(row: dict[Any, Any]) -> str:
    """A setting in a few short lines."""
    sizes = row["layers"] if isinstance(row["layers"], str) else f"{row['num_layers']} × {text(row['hidden_size'])}"
    lines = (
        f"{row['rank']}: {sizes} {look.value(row['activation'])}",
        f"{look.value(row['optimizer'])} {text(row['learning_rate'])}",
        f"batch {row['batch_size']}, {row['epochs']} epoch{'s' if row['epochs'] != 1 else ''}",
        f"{look.value(row['weight_init'])}, decay {text(row['weight_decay'])}",
    )
    return "\n".join(lines)


def _points(axis: Axes, rows: pandas.DataFrame, column: str) -> None:
    for i, (_, mine) in enumerate(rows.groupby("rank", sort=True)):
        colour, at = style.COLOURS[i % len(style.COLOURS)], i + 1
        values = 100 * mine[column].to_numpy(dtype=float)
        values, lost = values[np.isfinite(values)], int(np.isnan(values).sum())
        spread = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else np.zeros(len(values))
        axis.plot(at + spread, values, "o", color=colour, markersize=3.5, alpha=0.8)
        found = estimate(values.tolist())
        if found.mean is not None and found.high is not None:
            half = found.high - found.mean
            axis.errorbar(at + 0.24, found.mean, half, fmt="s", color="black", markersize=3.5, capsize=2, elinewidth=1)
        if lost:
            where = at + 0.1 * (np.arange(lost) - (lost - 1) / 2)
            axis.plot(where, np.full(lost, 0.03), "x", color=colour, transform=axis.get_xaxis_transform())
