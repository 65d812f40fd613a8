"""Final test accuracy of every arm in every scenario, the best on top: mean, 95 % interval and every seed."""

from __future__ import annotations

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from winnow.figures import _arms as shared
from winnow.figures import _style as style

TABLES = ("outcomes", "final_runs", "time_to_target")
MANY = 10  # arms: more have a panel of the page's width
LINE = 0.145  # inches per arm
FEWEST = 4  # arms that a panel has room for
AROUND = 0.4  # inches of a row of panels beside its arms
BESIDE = 0.2  # of a seed from the middle of its arm's line
REACH = 2.0  # points of accuracy shown below the lowest target, or below the best arm where that is lower


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """A panel per scenario. An arm that lies further left than the axis has an arrow there."""
    outcomes, lanes = tables["outcomes"], tables["final_runs"]
    if outcomes.empty:
        return style.nothing("no final runs")
    targets = [100 * float(target) for target in style.ordered(tables["time_to_target"]["target"])]
    arms = shared.Arms(outcomes)
    figure, panels = _layout({str(name): len(mine) for name, mine in outcomes.groupby("scenario", sort=False)})
    for name, axis in panels.items():
        mine = outcomes[outcomes["scenario"] == name].sort_values("test_accuracy", ascending=False, kind="stable")
        _panel(axis, mine, lanes[lanes["scenario"] == name], arms, targets)
        axis.set_title(shared.scenario_label(name), loc="left")
        if axis.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            axis.set_ylabel("arm")
        if axis.get_subplotspec().is_last_row() or len(mine) > MANY:  # type: ignore[union-attr]
            axis.set_xlabel("test accuracy at the end, %")
    entries = [
        style.handle("mean over seeds (right: in %), 95 % interval", marker="o"),
        style.handle("a seed", marker=".", linestyle="", alpha=0.5),
    ]
    if targets:
        shown = " and ".join(f"{target:g}" for target in targets)
        entries.append(
            style.handle(f"target{'s' if len(targets) > 1 else ''}: {shown} %", linestyle="--", linewidth=0.8)
        )
    if outcomes["diverged"].any():
        entries.append(style.handle("(×n): n seeds diverged", linestyle=""))
    style.legend(figure, entries, 4)
    return figure


def _layout(counts: dict[str, int]) -> tuple[Figure, dict[str, Axes]]:
    """Axes by scenario: those of many arms across the page, the others side by side."""
    rows: list[list[str]] = []
    for name, count in counts.items():
        if count > MANY or not rows or counts[rows[-1][0]] > MANY or len(rows[-1]) == style.ACROSS:
            rows.append([])
        rows[-1].append(name)
    heights = [LINE * max(FEWEST, *(counts[name] for name in row)) + AROUND for row in rows]
    figure = Figure(figsize=(style.PAGE, sum(heights) + 0.45), layout="constrained")
    grid = figure.add_gridspec(len(rows), style.ACROSS, height_ratios=heights)
    axes = {}
    for i, row in enumerate(rows):
        for k, name in enumerate(row):
            alone = len(row) == 1 and (counts[name] > MANY or len(counts) == 1)
            axes[name] = figure.add_subplot(grid[i, :] if alone else grid[i, k])
    return figure, axes


def _panel(
    axis: Axes, mine: pandas.DataFrame, lanes: pandas.DataFrame, arms: shared.Arms, targets: list[float]
) -> None:
    best = 100 * mine["test_accuracy"].max()
    low = min([best, *targets[:1]]) - REACH if best == best else 0.0
    names, looks, wide = [], arms.looks(arms.chosen), len(mine) > MANY
    for place, row in enumerate(mine.to_dict("records")):
        arm = str(row["arm"])
        names.append((arms.text if wide else shared.label)(arm) + (f" (×{row['diverged']})" if row["diverged"] else ""))
        mean = 100 * row["test_accuracy"]
        colour = looks[arm]["color"] if arm in arms.chosen else style.GREY
        if mean != mean:
            _edge(axis, place, "every seed diverged")
            continue
        axis.annotate(
            f"{mean:.2f}", (1, place), (3, 0), xycoords=axis.get_yaxis_transform(), textcoords="offset points",
            va="center", color=colour, fontsize=6.5, annotation_clip=False,
        )  # fmt: skip
        if mean < low:
            _edge(axis, place, "◂")
            continue
        seeds = 100 * lanes.loc[(lanes["arm"] == arm) & lanes["diverged_step"].isna(), "test_accuracy"]
        axis.plot(seeds, [place + BESIDE] * len(seeds), ".", color=colour, markersize=3.5, alpha=0.5, markeredgewidth=0)
        half = 100 * row["test_accuracy_ci95_high"] - mean
        axis.errorbar(
            mean, place, xerr=half if half == half else None, fmt="o", color=colour, markersize=3, capsize=1.8,
            elinewidth=0.8, capthick=0.8,
        )  # fmt: skip
    right = max(axis.get_xlim()[1], *(target + 0.1 for target in targets if target < best + 0.5), low + 1)
    axis.set_xlim(low, right)
    for target in targets:
        if low < target < right:
            axis.axvline(target, color=style.GREY, linestyle="--", linewidth=0.8, zorder=0)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
    axis.xaxis.set_major_locator(MaxNLocator(nbins=7 if wide else 3, steps=[1, 2, 5, 10]))


def _edge(axis: Axes, place: int, text: str) -> None:
    axis.annotate(
        text, (0, place), (2, 0), xycoords=axis.get_yaxis_transform(), textcoords="offset points", va="center",
        color=style.GREY, fontsize=6.5,
    )  # fmt: skip
