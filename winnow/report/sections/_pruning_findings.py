"""Sentences about a study that prunes."""

from __future__ import annotations

import pandas

from winnow.report import words
from winnow.report.compared import Compared
from winnow.report.content import each


def dense(summary: pandas.DataFrame, compared: Compared) -> list[str]:
    said = []
    for row in each(summary[summary["recipe"] == "dense"]):
        if words.missing(row.mean):
            said.append(f"{row.arm}: {words.count(row.diverged, 'seed')}, all of which diverged.")
        else:
            said.append(
                f"{compared.name(row.arm)} reaches {words.accuracy(row.mean, row.ci95_low, row.ci95_high, row.n)} test "
                "accuracy dense" + (f"; {words.count(row.diverged, 'seed')} diverged." if row.diverged else ".")
            )
    return said


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
        if (last["jaccard"] == 1).all():
            said.append(f"Recipe {recipe}: {a} and {b} keep exactly the same weights.")
            continue
        said.append(
            f"Recipe {recipe}, round {last['round_a'].iloc[0]}: of the weights that {a} or {b} keeps, "
            f"{words.spread(list(last['jaccard']), digits=1)} are kept by both; random masks of these sizes would "
            f"share "
            f"{words.spread(list(last['chance']), digits=1)} ({words.count(len(last), 'seed')})."
        )
    return said


def rates(table: pandas.DataFrame, compared: Compared) -> list[str]:
    said = []
    for arm, mine in table.groupby("arm", sort=False):
        chosen = mine[mine["selected"]]
        if chosen.empty:
            continue
        ends = sorted(set(mine["lr"]), key=float)
        edge = " It is the end of the range that was tried." if chosen["lr"].iloc[0] in (ends[0], ends[-1]) else ""
        used = compared.arms.get(str(arm), {}).get("lr")
        if used is not None and float(used) != float(chosen["lr"].iloc[0]):
            edge += f" Tickets are trained at rate {used}, as config says."
        said.append(
            f"{arm}: validation loss was smallest at rate {chosen['lr'].iloc[0]} "
            f"({words.spread(list(chosen['selection_loss']), 1, ' nats', 3)}, {words.count(len(chosen), 'seed')}), "
            f"of {words.count(len(ends), 'rate')} from {ends[0]} to {ends[-1]}.{edge}"
        )
    return said
