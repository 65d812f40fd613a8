"""Curves of weight distributions, shared by the figures of histograms."""

from __future__ import annotations

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _style as style

# What happens to the weights, in order: title, recipe ('dense' or the main one), state, line.
TIMES = (
    ("initialisation", "dense", "init", ":"),
    ("rewind point", "dense", "rewind", "-."),
    ("trained dense", "dense", "final", "--"),
)
ROWS = {"all prunable": "all", "recurrent": "recurrent", "input": "input"}


def pooled(table: pandas.DataFrame, arm: str, part: str) -> dict[str, tuple[str, pandas.DataFrame]]:
    """Title -> (line, bins), counts summed over seeds and the layers of that kind: each of TIMES, then the ticket."""
    mine = table[(table["arm"] == arm) & table["part"].str.startswith(part)]
    chosen: dict[str, tuple[str, pandas.DataFrame]] = {}
    for title, recipe, state, line in TIMES:
        chosen[title] = (line, mine.loc[(mine["recipe"] == recipe) & (mine["state"] == state)])
    if style.main_recipe(table) is not None:
        last = style.last_round(table)
        percent = 100 * last["density"].iloc[0]
        ticket = last[(last["arm"] == arm) & last["part"].str.startswith(part) & (last["state"] == "final")]
        chosen[f"ticket, {percent:.3g} % kept"] = ("-", ticket)
    return {
        title: (line, rows.groupby(["bin_left", "bin_right"], as_index=False)[["count"]].sum())
        for title, (line, rows) in chosen.items()
        if len(rows)
    }


def draw(table: pandas.DataFrame, quantity: str, text: str, unit: str, log: bool) -> Figure:
    """Rows: all prunable weights, recurrent, input; columns: arms; lines: times.

    Shares are of all prunable weights, so that the area under a ticket is its density.
    """
    table = table[table["quantity"] == quantity]
    if table.empty:
        return style.nothing("no weight histograms")
    arms = style.ordered(table["arm"])
    rows = {title: part for title, part in ROWS.items() if table["part"].str.startswith(part).any()}
    figure, axes = style.panels(
        len(rows), len(arms), style.PAGE if len(arms) > 1 else style.COLUMN, 1.75, sharex=True, sharey="row"
    )
    lines: dict[str, str] = {}
    for row, (title, part) in zip(axes, rows.items(), strict=True):
        for axis, arm in zip(row, arms, strict=True):
            found = pooled(table, arm, part)
            whole = max((int(bins["count"].sum()) for _, bins in found.values()), default=1)
            for name, (line, bins) in found.items():
                _line(axis, bins, whole, line, style.colours(arms)[arm] if name.startswith("ticket") else style.GREY)
            lines |= {name: line for name, (line, _) in found.items()}
            if log:
                axis.set_yscale("log")
        row[0].set_ylabel(f"{title}\nshare {unit}")
    for axis, arm in zip(axes[0], arms, strict=True):
        axis.set_title(style.label(arm))
    for axis in axes[-1]:
        axis.set_xlabel(text)
    _limits(axes[0, 0], table)
    style.legend(figure, [style.handle(name, linestyle=line) for name, line in lines.items()])
    return figure


def _line(axis: Axes, bins: pandas.DataFrame, whole: int, line: str, colour: str) -> None:
    share = bins["count"] / (max(whole, 1) * (bins["bin_right"] - bins["bin_left"]))
    middle = (bins["bin_left"] + bins["bin_right"]) / 2
    axis.plot(middle, share.where(bins["count"] > 0), color=colour, linestyle=line, linewidth=1.1)


def _limits(axis: Axes, table: pandas.DataFrame) -> None:
    """From the first to the last bin that holds at least one weight in 20,000."""
    bins = table.groupby(["bin_left", "bin_right"], as_index=False)["count"].sum()
    seen = bins[bins["count"] * 20_000 >= bins["count"].sum()]
    if len(seen):
        axis.set_xlim(seen["bin_left"].min(), seen["bin_right"].max())
