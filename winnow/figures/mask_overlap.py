"""Overlap of masks against what two random masks of the same sizes would share.

Consecutive rounds are left out: their masks are nested, so their overlap is a ratio of sizes and tells nothing.
"""

from __future__ import annotations

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _marks as marks
from winnow.figures import _style as style

TABLES = ("overlap",)


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Upper panels: all prunable weights by round; lower: by tensor, in the last round and at the control's density."""
    table = tables["overlap"]
    recipe = style.main_recipe(table.rename(columns={"recipe_a": "recipe", "round_a": "round"}))
    arms = style.ordered([*table["arm_a"], *table["arm_b"]])
    table = table[(table["recipe_a"] == recipe) & (table["comparison"] != "rounds")]
    if table.empty:
        return style.nothing("no pairs of masks")
    kinds = {kind: table[table["comparison"] == kind] for kind in ("arms", "seeds", "initial")}
    figure, axes = style.panels(2, 2, style.PAGE, 2.1, sharey=True)
    _panel(axes[0, 0], kinds["arms"], "two arms, same seed", arms, by_tensor=False)
    _panel(axes[0, 1], kinds["seeds"], "two seeds, same arm", arms, by_tensor=False)
    last = kinds["arms"][kinds["arms"]["round_a"] == kinds["arms"]["round_a"].max()]
    _panel(axes[1, 0], last, "two arms, same seed: last round", arms, by_tensor=True)
    _panel(axes[1, 1], kinds["initial"], "ticket and largest initial weights", arms, by_tensor=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("Jaccard overlap")
    axes[0, 0].set_ylim(0, 1)
    pairs = [style.handle("between arms", marker="o")] if len(kinds["arms"]) else []
    style.legend(figure, [*style.arm_handles(arms), *pairs, style.handle("random masks of these sizes", linestyle=":")])
    return figure


def _panel(axis: Axes, rows: pandas.DataFrame, title: str, arms: list[str], by_tensor: bool) -> None:
    """One line (by round) or row of markers (by tensor) per pair of arms, an arm with itself included."""
    axis.set_title(title)
    if rows.empty:
        style.say(axis, "no such pair")
        return
    pairs = style.ordered(zip(rows["arm_a"], rows["arm_b"], strict=True))
    parts = style.ordered(rows["part"])
    for i, (a, b) in enumerate(pairs):
        mine = rows[(rows["arm_a"] == a) & (rows["arm_b"] == b)]
        colour, marker = (style.colours(arms)[a], style.markers(arms)[a]) if a == b else (style.GREY, "o")
        if by_tensor:
            shift = 0.6 / len(pairs) * (i - (len(pairs) - 1) / 2)
            mine = mine.assign(at=mine["part"].map(parts.index) + shift)
        else:
            mine = mine[mine["part"] == "all"].assign(at=mine["round_a"])
        # Pairs of seeds share seeds: not independent, so no interval.
        alone = bool((mine["seed_a"] == mine["seed_b"]).all())
        line = "" if by_tensor else "-"
        marks.spread(
            axis, mine, "at", "jaccard", colour, marker=marker, line=line, bars="interval" if alone else "none"
        )
        _chance(axis, mine.groupby("at")["chance"].mean(), colour, by_tensor)
    if by_tensor:
        axis.set_xticks(range(len(parts)), [style.part_label(part).replace(" ", "\n") for part in parts])
    else:
        axis.set_xticks(sorted(set(rows["round_a"])))
        axis.set_xlabel("round")


def _chance(axis: Axes, expected: pandas.Series[float], colour: str, by_tensor: bool) -> None:
    if by_tensor or len(expected) == 1:
        axis.hlines(expected, expected.index - 0.1, expected.index + 0.1, colors=colour, linestyles=":", linewidth=1.2)
    else:
        axis.plot(expected.index, expected, ":", color=colour)
