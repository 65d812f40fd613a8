"""Training loss at every step: that of the first seed as the starter script plots it, and a running mean of all."""

from __future__ import annotations

import pandas
from matplotlib.figure import Figure

from winnow.figures import _arms as shared
from winnow.figures import _style as style

TABLES = ("step_losses",)
WINDOW = 50  # steps of the running mean


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """A panel per arm and scenario."""
    table = tables["step_losses"]
    if table.empty:
        return style.nothing("no losses of single steps")
    runs = list(table.groupby(["scenario", "arm"], sort=False))
    figure, axes = style.grid(len(runs), 2.2, sharey=True)
    several = table["scenario"].nunique() > 1
    for axis, ((scenario, arm), mine) in zip(axes, runs, strict=True):
        losses = mine.pivot(index="step", columns="seed", values="loss")
        # As pixels also in PDF and SVG: tens of thousands of points.
        axis.plot(losses.index, losses.iloc[:, 0], color=style.COLOURS[5], linewidth=0.4, alpha=0.7, rasterized=True)
        mean = losses.mean(axis=1).rolling(WINDOW, center=True, min_periods=1).mean()
        axis.plot(losses.index, mean, color=style.COLOURS[0], linewidth=1.3)
        title = shared.label(str(arm)) + (f", {shared.scenario_label(str(scenario))}" if several else "")
        axis.set_title(title, loc="left")
        axis.set_xlabel("step")
        axis.set_ylim(bottom=0)
    for axis in axes[:: style.ACROSS]:
        axis.set_ylabel("training loss, nats")
    entries = [
        style.handle(f"seed {table['seed'].iloc[0]}, every step", style.COLOURS[5]),
        style.handle(f"all seeds, mean over {WINDOW} steps", style.COLOURS[0]),
    ]
    style.legend(figure, entries, len(entries) if len(runs) > 1 else 1)
    return figure
