"""Normal, half-normal and log-normal against the weights: fitted densities, and how far each is from the data."""

from __future__ import annotations

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from winnow.figures import _marks as marks
from winnow.figures import _style as style

TABLES = ("histograms", "weights")
FAMILIES = {
    "normal": ("normal", "-", "#CC79A7"),
    "half_normal": ("half-normal", "--", "#009E73"),
    "log_normal": ("log-normal", "-", "#E69F00"),
}
TIMES = ("init", "rewind", "final")


def draw(tables: dict[str, pandas.DataFrame]) -> Figure:
    """Rows: arms. Left: all prunable weights (first seed) of the trained dense network. Middle: those that the last
    round kept, with the values that its mask was made from, and fits truncated at the threshold of that selection.

    Right: Kolmogorov-Smirnov distance of |w|, all seeds. Trained tickets are not fitted: their weights have no sharp
    edge where a fit could be truncated.
    """
    fits = tables["weights"]
    recipe = style.main_recipe(fits)
    fits = fits[(fits["part"] == "all") & fits["measure"].str.contains("normal|^cut$")]
    bins = tables["histograms"]
    bins = bins[(bins["part"] == "all") & (bins["quantity"] == "log10_abs")]
    if fits.empty:
        return style.nothing("no fits of weights")
    arms = style.ordered(fits["arm"])
    figure, axes = style.panels(len(arms), 3, style.PAGE, 2.0, sharex="col", sharey="col")
    for row, arm in zip(axes, arms, strict=True):
        mine, counts = fits[fits["arm"] == arm], bins[bins["arm"] == arm]
        _fitted(row[0], "final", mine[mine["recipe"] == "dense"], counts[counts["recipe"] == "dense"])
        _fitted(row[1], "selected", _last(mine, recipe), _last(counts, recipe))
        _distances(row[2], mine, recipe)
        row[0].set_ylabel(f"{style.label(arm)}\nshare per decade of |w|")
        row[2].set_ylabel("KS distance of |w|")
    percent = 100 * tables["weights"].loc[tables["weights"]["recipe"] == recipe, "density"].min()
    titles = (
        "trained dense",
        "no tickets" if recipe is None else f"selected, {percent:.3g} % kept",
        "distance to the data",
    )
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title)
    for axis, text in zip(axes[-1], ("log10 |w|", "log10 |w|", "dense, then each selection"), strict=True):
        axis.set_xlabel(text)
        axis.set_ylim(bottom=0)
    entries = [style.handle(text, colour, linestyle=line) for text, line, colour in FAMILIES.values()]
    style.legend(figure, [style.handle("weights", "#BBBBBB", linewidth=5), *entries])
    return figure


def _last(rows: pandas.DataFrame, recipe: str | None) -> pandas.DataFrame:
    mine = rows[rows["recipe"] == recipe]
    last: pandas.DataFrame = mine[mine["round"] == mine["round"].max()]
    return last


def _fitted(axis: Axes, state: str, fits: pandas.DataFrame, bins: pandas.DataFrame) -> None:
    """Histogram of the first seed's weights in one state and the fitted (truncated) densities of log10|w|."""
    fits, bins = fits[fits["state"] == state], bins[bins["state"] == state]
    if fits.empty or bins.empty:
        style.say(axis, "nothing to show")
        return
    seed = bins["seed"].min()
    bins = bins[bins["seed"] == seed]
    values = fits[fits["seed"] == seed].set_index("measure")["value"].to_dict()
    width, total = bins["bin_right"] - bins["bin_left"], bins["count"].sum()
    bins = bins.assign(share=bins["count"] / (total * width))
    often = bins[bins["count"] * 5_000 >= total]
    low, high = often["bin_left"].min(), often["bin_right"].max()
    seen = bins[(bins["bin_left"] >= low) & (bins["bin_right"] <= high)]
    axis.stairs(seen["share"], [*seen["bin_left"], high], fill=True, color="#BBBBBB")
    x = np.linspace(low, high, 500)
    x = x[10**x >= values.get("cut", 0.0)]
    for family, (_, line, colour) in FAMILIES.items():
        axis.plot(x, fitted(family, values, 10**x) * 10**x * np.log(10), color=colour, linestyle=line, linewidth=1.1)


def fitted(family: str, values: dict[str, float], size: np.ndarray) -> np.ndarray:
    """Density of |w| under a fitted family, truncated below values["cut"]; NaN where the fit is undefined."""
    cut, sigma = values.get("cut", 0.0), values.get(f"{family}_sigma", np.nan)
    mu = values.get(f"{family}_mu", 0.0)
    if not (np.isfinite(sigma) and np.isfinite(mu)):
        return np.full_like(size, np.nan)
    if family == "log_normal":
        law = stats.lognorm(sigma, scale=np.exp(mu))
        density, kept = law.pdf(size), law.sf(cut)
    else:  # |w| folds both signs onto one
        law = stats.norm(mu, sigma)
        density, kept = law.pdf(size) + law.pdf(-size), law.sf(cut) + law.cdf(-cut)
    truncated: np.ndarray = np.where(size >= cut, density / max(kept, 1e-300), 0.0)
    return truncated


def _distances(axis: Axes, fits: pandas.DataFrame, recipe: str | None) -> None:
    """KS distance at initialisation, rewind point, dense end, and of what each round selected."""
    stages = [("init", "dense", "init", 0), ("rewind", "dense", "rewind", 0), ("dense", "dense", "final", 0)]
    rounds = sorted(set(fits.loc[fits["recipe"] == recipe, "round"]))
    stages += [(f"{number}", str(recipe), "selected", number) for number in rounds]
    for family, (_, line, colour) in FAMILIES.items():
        points = []
        for at, (_, name, state, number) in enumerate(stages):
            rows = fits[(fits["recipe"] == name) & (fits["state"] == state) & (fits["round"] == number)]
            points.append(rows[rows["measure"] == f"{family}_ks"].assign(at=at))
        marks.spread(axis, pandas.concat(points), "at", "value", colour, line=line)
    axis.set_xticks(range(len(stages)), [text for text, *_ in stages], rotation=45)
