"""Sentences about a study that prunes."""

from __future__ import annotations

import pandas

from winnow.report import words
from winnow.report.content import each

FEW = 6  # densities whose differences are told one by one


def dense(summary: pandas.DataFrame) -> list[str]:
    said = []
    for row in each(summary[summary["recipe"] == "dense"]):
        if words.missing(row.mean):
            said.append(f"{row.arm}: {words.count(row.diverged, 'seed')}, all of which diverged.")
        else:
            said.append(
                f"{row.arm} reaches {words.accuracy(row.mean, row.ci95_low, row.ci95_high, row.n)} test accuracy dense"
                + (f"; {words.count(row.diverged, 'seed')} diverged." if row.diverged else ".")
            )
    return said


def differences(summary: pandas.DataFrame) -> list[str]:
    """Each recipe at its sparsest, and how often the difference is clear over its densities."""
    said = []
    with_pairs = summary[summary["difference"].notna()]
    for (arm, recipe), group in with_pairs.groupby(["arm", "recipe"], sort=False):
        sparsest = group.iloc[group["density"].argmin()]
        text = words.compare(
            str(arm), str(sparsest["reference"]), sparsest["difference"], sparsest["difference_ci95_low"],
            sparsest["difference_ci95_high"], sparsest["pairs"], "keeps" if recipe != "dense" else "reaches",
        )  # fmt: skip
        said.append(f"{_where(str(recipe), sparsest['density'])}: {text}.")
        if len(group) > 1:
            said[-1] += _tally(group, str(arm))
        if 1 < len(group) <= FEW:
            parts = [
                words.points(row.difference, 2)
                + words.interval(row.difference_ci95_low, row.difference_ci95_high)
                + f" at {words.density(row.density)}"
                for row in each(group)
            ]
            said[-1] += f" By density: {words.listing(parts)}."
    return said


def _tally(group: pandas.DataFrame, arm: str) -> str:
    told = [words.verdict(row.difference, row.difference_ci95_low, row.difference_ci95_high) for row in each(group)]
    if group["difference_ci95_low"].isna().all():
        ends = words.spread(list(group["difference"]), unit="")
        return f" Over its {len(group)} densities the difference is {ends} points."
    more, less = told.count("more"), told.count("less")
    return (
        f" Of its {len(group)} densities, {arm} is clearly more accurate at {more}, clearly less at {less}, and "
        f"undecided at {len(group) - more - less}."
    )


def _where(recipe: str, density: float) -> str:
    return "Unpruned" if recipe == "dense" else f"Recipe {recipe} at {words.density(density)} density"


def _meeting(tickets: pandas.DataFrame) -> pandas.DataFrame:
    """The rows at the density that most recipes share, of several such the sparsest."""
    densities = tickets["density"].round(3)
    recipes = tickets.groupby(densities)["recipe"].nunique()
    here: pandas.DataFrame = tickets[densities == min(recipes[recipes == recipes.max()].index)]
    return here


def tickets(summary: pandas.DataFrame) -> list[str]:
    """Per arm: every recipe at the density where most recipes meet, best first."""
    said = []
    for arm, mine in summary[summary["mean"].notna() & (summary["recipe"] != "dense")].groupby("arm", sort=False):
        there = _meeting(mine).sort_values("mean", ascending=False)
        parts = [
            f"{row.recipe} {words.percent(row.mean)}{words.interval(row.ci95_low, row.ci95_high)}"
            for row in each(there)
        ]
        seeds = sorted(set(there["n"]))
        sample = words.sample(seeds[0], there["ci95_low"].iloc[0])
        sample = sample if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
        said.append(f"{arm} at {words.density(there['density'].iloc[0])} density ({sample}): {words.listing(parts)}.")
    return said


def early(table: pandas.DataFrame) -> list[str]:
    said = []
    table = table[table["early_stop_iteration"].notna()]
    for arm, mine in table.groupby("arm", sort=False):
        dense, tickets = mine[mine["recipe"] == "dense"], mine[mine["recipe"] != "dense"]
        if len(tickets):
            there = _meeting(tickets)
            parts = [f"{recipe} {_iterations(rows)}" for recipe, rows in there.groupby("recipe", sort=False)]
            parts += [f"the dense network {_iterations(dense)}"] if len(dense) else []
            said.append(
                f"{arm} at {words.density(there['density'].iloc[0])} density has its smallest validation loss at "
                f"iteration: "
                f"{words.listing(parts)} (smallest to largest of {words.count(there['seed'].nunique(), 'seed')})."
            )
    return said


def _iterations(rows: pandas.DataFrame) -> str:
    return words.spread(list(rows["early_stop_iteration"]), 1, "", 0)


def overlaps(table: pandas.DataFrame) -> list[str]:
    said = []
    arms = table[(table["comparison"] == "arms") & (table["part"] == "all")]
    for (recipe, a, b), group in arms.groupby(["recipe_a", "arm_a", "arm_b"], sort=False):
        last = group[group["round_a"] == group["round_a"].max()]
        said.append(
            f"Recipe {recipe}, round {last['round_a'].iloc[0]}: of the weights that {a} or {b} keeps, "
            f"{words.spread(list(last['jaccard']), digits=1)} are kept by both; random masks of these sizes would "
            f"share "
            f"{words.spread(list(last['chance']), digits=1)} ({words.count(len(last), 'seed')})."
        )
    return said


def rates(table: pandas.DataFrame) -> list[str]:
    said = []
    for arm, mine in table.groupby("arm", sort=False):
        chosen = mine[mine["selected"]]
        if chosen.empty:
            continue
        ends = sorted(set(mine["lr"]), key=float)
        edge = " It is the end of the range that was tried." if chosen["lr"].iloc[0] in (ends[0], ends[-1]) else ""
        said.append(
            f"{arm}: validation loss was smallest at rate {chosen['lr'].iloc[0]} "
            f"({words.spread(list(chosen['selection_loss']), 1, ' nats', 3)}, {words.count(len(chosen), 'seed')}), "
            f"of {words.count(len(ends), 'rate')} from {ends[0]} to {ends[-1]}.{edge}"
        )
    return said
