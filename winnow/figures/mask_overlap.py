"""Overlap of masks against what two random masks of the same sizes would share."""

from __future__ import annotations

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _marks as marks
from winnow.figures import _style as style

TABLES = ("overlap",)
COMPARISONS = {
    "arms": ("two arms, same seed", "round"),
    "seeds": ("two seeds, same arm", "round"),
    "rounds": ("a round and the one before", "round"),
    "initial": ("ticket and largest initial weights", "tensor"),
}


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Upper left, right, lower left: all prunable weights by round; lower right: by tensor at the control's density."""
    table = tables["overlap"]
    recipe = style.main_recipe(table.rename(columns={"recipe_a": "recipe", "round_a": "round"}))
    table = table[table["recipe_a"] == recipe]
    if table.empty:
        return style.nothing("no pairs of masks")
    arms = style.ordered([*table["arm_a"], *table["arm_b"]])
    figure, axes = style.panels(2, 2, style.PAGE, 2.1, sharey=True)
    for axis, (comparison, (title, by)) in zip(axes.flat, COMPARISONS.items(), strict=True):
        rows = table[table["comparison"] == comparison]
        axis.set_title(title)
        axis.set_xlabel("round")
        if rows.empty:
            style.say(axis, "no such pair")
        elif by == "round":
            _by_round(axis, rows[rows["part"] == "all"], arms)
        else:
            _by_tensor(axis, rows, arms)
    for axis in axes[:, 0]:
        axis.set_ylabel("Jaccard overlap")
    axes[0, 0].set_ylim(0, 1)
    pairs = [style.handle("between arms", marker="o")] if len(arms) > 1 else []
    style.legend(figure, [*style.arm_handles(arms), *pairs, style.handle("random masks of these sizes", linestyle=":")])
    return figure


def _by_round(axis: Axes, rows: pandas.DataFrame, arms: list[str]) -> None:
    for (first, second), pair in rows.groupby(["arm_a", "arm_b"], sort=False):
        a, b = str(first), str(second)
        colour, marker = (style.colours(arms)[a], style.markers(arms)[a]) if a == b else (style.GREY, "o")
        # Pairs of seeds share seeds: not independent, so no interval.
        alone = bool((pair["seed_a"] == pair["seed_b"]).all())
        marks.spread(axis, pair, "round_b", "jaccard", colour, marker=marker, interval=alone)
        expected = pair.groupby("round_b")["chance"].mean()
        axis.plot(expected.index, expected, ":", color=colour, marker="_" if len(expected) == 1 else None)
    axis.set_xticks(sorted(set(rows["round_b"])))


def _by_tensor(axis: Axes, rows: pandas.DataFrame, arms: list[str]) -> None:
    parts = style.ordered(rows["part"])
    for i, arm in enumerate(arms):
        mine = rows[rows["arm_a"] == arm]
        shift = 0.16 * (i - (len(arms) - 1) / 2)
        for at, part in enumerate(parts):
            here = mine[mine["part"] == part].assign(at=at + shift)
            if len(here):
                colour, marker = style.colours(arms)[arm], style.markers(arms)[arm]
                marks.spread(axis, here, "at", "jaccard", colour, marker=marker)
                chance = here["chance"].mean()
                axis.plot([at + shift - 0.1, at + shift + 0.1], [chance, chance], ":", color=colour)
    axis.set_xticks(range(len(parts)), [style.part_label(part).replace(" ", "\n") for part in parts])
    axis.set_xlabel("")
