"""Sentences about a study of optimisers."""

from __future__ import annotations

import pandas

from winnow.report import words
from winnow.report.content import each

FEW = 4  # names in a list; of more their number is told
COSTS = {
    "seconds": "seconds of training",
    "sample_gradients": "gradients of single images",
    "multiply_adds": "multiply-adds",
}


def best(outcomes: pandas.DataFrame) -> list[str]:
    alive = outcomes[outcomes["test_accuracy"].notna()]
    return [
        f"{scenario}{_thin(mine.iloc[0])}: {most_accurate(mine)}."
        for scenario, mine in alive.groupby("scenario", sort=False)
    ]


def most_accurate(mine: pandas.DataFrame) -> str:
    """The best arm of a scenario, and from how many others it is not clearly apart."""
    best = mine.iloc[mine["test_accuracy"].argmax()]
    low = best["test_accuracy_ci95_low"]
    text = f"{best['arm']}, " + words.accuracy(best["test_accuracy"], low, best["test_accuracy_ci95_high"], best["n"])
    others = mine[mine["arm"] != best["arm"]]
    if others.empty:
        return f"{text}, the only arm there"
    if words.missing(low):
        return f"{text}, of {words.count(len(mine), 'arm')}"
    near = others[others["test_accuracy_ci95_high"] >= low]
    if near.empty:
        return f"{text}; no interval of the {words.count(len(others), 'other')} overlaps with it"
    which = "all" if len(near) == len(others) else f"{len(near)} of the"
    names = f" ({words.listing(list(near['arm']))})" if len(near) <= FEW else ""
    return f"{text}; the intervals of {which} {words.count(len(others), 'other')} overlap with it{names}"


def _thin(row: pandas.Series) -> str:
    return f" ({words.density(row['density'])} density)" if row["density"] < 1 else ""


def reference(outcomes: pandas.DataFrame) -> list[str]:
    said = []
    for scenario, mine in outcomes[outcomes["difference"].notna()].groupby("scenario", sort=False):
        told = [words.verdict(row.difference, row.difference_ci95_low, row.difference_ci95_high) for row in each(mine)]
        best = mine.iloc[mine["difference"].argmax()]
        text = words.compare(
            str(best["arm"]), str(best["reference"]), best["difference"], best["difference_ci95_low"],
            best["difference_ci95_high"], best["pairs"],
        )  # fmt: skip
        said.append(f"{scenario}{_thin(best)}: {text}.")
        if len(mine) > 1:
            said[-1] += (
                f" Arms clearly more accurate than {best['reference']}: {told.count('more')} of {len(mine)}; "
                f"clearly less: "
                f"{told.count('less')}; undecided: {told.count('')}."
            )
    return said


def changes(outcomes: pandas.DataFrame) -> list[str]:
    """Every scenario against the baseline: the arm that is the most accurate there, and how the others fare."""
    said = []
    for scenario, mine in outcomes[outcomes["change"].notna()].groupby("scenario", sort=False):
        best = mine.iloc[mine["test_accuracy"].argmax()]
        text = words.compare(
            f"{best['arm']} in {scenario}{_thin(best)}", f"in {best['baseline']}", best["change"],
            best["change_ci95_low"], best["change_ci95_high"], best["change_pairs"],
        )  # fmt: skip
        others = mine[mine["arm"] != best["arm"]]["change"]
        if len(others):
            text += f"; the other {words.count(len(others), 'arm')}: {words.spread(list(others), unit=' points')}"
        said.append(f"{text}.")
    return said


def targets(table: pandas.DataFrame) -> list[str]:
    """In the first scenario, of the arms that reach a target with most seeds: the cheapest at their slowest seed."""
    said = []
    scenario = table["scenario"].iloc[0]
    for target, mine in table[table["scenario"] == scenario].groupby("target"):
        reached = mine[mine["seconds"].notna()]
        if reached.empty:
            said.append(f"{scenario}: no arm reaches {words.percent(target, 1)}.")
            continue
        times = reached.groupby("arm", sort=False).size()
        sure = reached[reached["arm"].isin(times[times == times.max()].index)]
        parts = []
        for cost, name in COSTS.items():
            worst = sure.groupby("arm", sort=False)[cost].max()
            arms = list(worst[worst == worst.min()].index)
            who = words.listing(arms) if len(arms) <= FEW else f"{len(arms)} arms alike"
            parts.append(f"{who} with {words.amount(worst.min())} {name}")
        of = mine[mine["arm"] == sure["arm"].iloc[0]]["seed"].nunique()
        said.append(
            f"{scenario}: {words.percent(target, 1)} is reached by {words.count(len(times), 'arm')}. Of those that "
            f"do so with "
            f"{times.max()} of {words.count(of, 'seed')}, at their slowest seed, the cheapest are "
            f"{words.listing(parts)}."
        )
    return said


def diverged(outcomes: pandas.DataFrame) -> list[str]:
    return [
        f"{row.scenario}: {row.arm}, {words.count(row.diverged, 'seed')} of {row.n + row.diverged}."
        for row in each(outcomes[outcomes["diverged"] > 0])
    ]


def network(table: pandas.DataFrame) -> list[str]:
    total = table[table["tensor"] == "total"]
    return [
        f"All arms train the same network: {row.parameters:,} parameters, {row.multiply_adds:,} multiply-adds per image"
        + (
            f", {int(row.prunable):,} weights that sparse scenarios may set to zero."
            if row.prunable == row.prunable
            else "."
        )
        for row in each(total.head(1))
    ]
