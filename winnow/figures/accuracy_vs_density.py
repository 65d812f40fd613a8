"""Test accuracy against density, and the paired difference to the reference arm."""

from __future__ import annotations

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.figures import _style as style

TABLES = ("rounds", "summary")


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Left: mean over seeds with its 95 % interval, a line per arm and recipe. Right: differences, paired by seed."""
    table, summary = tables["rounds"], tables["summary"]
    if table.empty:
        return style.nothing("no trained runs")
    arms = style.ordered(table["arm"])
    recipes = [recipe for recipe in style.ordered(table["recipe"]) if recipe != "dense"]
    with_pairs = summary["difference"].notna().any()
    figure, axes = style.panels(1, 2 if with_pairs else 1, style.PAGE if with_pairs else 5.0, 3.3)
    _accuracies(axes[0, 0], table, arms, recipes)
    if with_pairs:
        _differences(axes[0, 1], summary, arms, recipes)
    for axis in axes.flat:
        style.density_axis(axis, table["density"])
    entries = [style.handle(style.label(arm), style.colours(arms)[arm]) for arm in arms]
    entries += [style.handle(style.label(r), linestyle=_line(i), marker=_marker(i)) for i, r in enumerate(recipes)]
    style.legend(figure, entries, 4)
    return figure


def _line(i: int) -> object:
    return style.LINES[i % len(style.LINES)]


def _marker(i: int) -> str:
    return style.MARKERS[i % len(style.MARKERS)]


def _accuracies(axis: Axes, table: pandas.DataFrame, arms: list[str], recipes: list[str]) -> None:
    for arm in arms:
        mine, colour = table[table["arm"] == arm], style.colours(arms)[arm]
        for i, recipe in enumerate(recipes or ["dense"]):
            runs = mine[mine["recipe"] == recipe]
            several = runs["round"].nunique() > 1 and not (runs["round"] == 0).any()
            # Rounds start from the dense run; a control at one density stands alone.
            runs = mine[mine["recipe"].isin([recipe, "dense"])] if several or not recipes else runs
            alive = runs[runs["diverged_step"].isna()].assign(percent=lambda rows: 100 * rows["density"])
            style.spread(
                axis,
                alive,
                "percent",
                "test_accuracy",
                colour,
                line=_line(i),
                marker=_marker(i),
                scale=100,
                filled=i == 0,
            )
        dead = mine.loc[mine["diverged_step"].notna(), "density"]
        style.crosses(axis, sorted(set(100 * dead)), colour)
    axis.set_ylabel("test accuracy at the last epoch, %")


def _differences(axis: Axes, summary: pandas.DataFrame, arms: list[str], recipes: list[str]) -> None:
    axis.axhline(0, color=style.GREY, linewidth=0.8)
    for arm in arms:
        for i, recipe in enumerate(recipes or ["dense"]):
            mine = summary[(summary["arm"] == arm) & summary["difference"].notna()]
            several = (mine["recipe"] == recipe).sum() > 1 and not (
                (mine["recipe"] == recipe) & (mine["round"] == 0)
            ).any()
            mine = mine[mine["recipe"].isin([recipe, "dense"] if several or not recipes else [recipe])]
            mine = mine.sort_values("density")
            middle = 100 * mine["difference"]
            ends = [middle - 100 * mine["difference_ci95_low"], 100 * mine["difference_ci95_high"] - middle]
            at = 100 * mine["density"] * (1 + 0.012 * (i - (len(recipes) - 1) / 2))  # side by side
            colour = style.colours(arms)[arm]
            axis.errorbar(
                at,
                middle,
                [end.fillna(0) for end in ends],
                color=colour,
                linestyle=_line(i),
                marker=_marker(i),
                markerfacecolor=colour if i == 0 else "white",
                capsize=2,
                elinewidth=0.7,
            )
    reference = summary["reference"].dropna().iloc[0]
    axis.set_ylabel(f"difference to {style.label(str(reference))}, percentage points")
