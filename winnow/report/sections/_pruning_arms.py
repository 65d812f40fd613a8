"""Sentences that set arms against each other, and tickets against the dense network that they come from."""

from __future__ import annotations

import pandas

from winnow.report import words
from winnow.report.compared import Compared
from winnow.report.content import each

FEW = 6  # densities whose differences are told one by one


def main_recipe(tickets: pandas.DataFrame) -> str:
    """The recipe with most densities, of several the first: what a study is about, and others are controls of."""
    return str(tickets.groupby("recipe", sort=False)["density"].nunique().idxmax())


def differences(summary: pandas.DataFrame, compared: Compared) -> list[str]:
    """Each arm against the reference, recipe by recipe: at the sparsest, and at which densities it is clear."""
    said = []
    with_pairs = summary[summary["difference"].notna()]
    for arm, mine in with_pairs.groupby("arm", sort=False):
        reference = str(mine["reference"].iloc[0])
        if other := compared.other(str(arm), reference):
            said.append(
                f"{arm} and {reference} differ in their {words.listing(other)}, so that what follows for these two "
                "says nothing about optimisers alone."
            )
        for recipe, group in mine.groupby("recipe", sort=False):
            said.append(_difference(str(arm), str(recipe), group, compared))
    return said


def _difference(arm: str, recipe: str, group: pandas.DataFrame, compared: Compared) -> str:
    sparsest = group.iloc[group["density"].argmin()]
    text = words.compare(
        compared.name(arm), compared.name(str(sparsest["reference"])), sparsest["difference"],
        sparsest["difference_ci95_low"], sparsest["difference_ci95_high"], sparsest["pairs"],
        "keeps" if recipe != "dense" else "reaches",
    )  # fmt: skip
    where = "Unpruned" if recipe == "dense" else f"Recipe {recipe} at {words.density(sparsest['density'])} density"
    return f"{where}: {text}." + _by_density(group, "difference")


def _by_density(group: pandas.DataFrame, column: str) -> str:
    """At which densities the difference or change is clear, and by how much."""
    if len(group) < 2:
        return ""
    ends = [f"{column}_ci95_low", f"{column}_ci95_high"]
    text = ""
    if group[ends[0]].notna().any():
        told = [words.verdict(*values) for values in group[[column, *ends]].itertuples(index=False)]
        parts = []
        for verdict in ("less", "more"):
            rows = group[[one == verdict for one in told]]
            if rows.empty:
                parts.append(f"clearly {verdict} accurate at none")
                continue
            by = words.spread(list(rows[column].abs()), unit="")
            places = words.densities(list(rows["density"]), list(group["density"]))
            parts.append(f"clearly {verdict} accurate at {len(rows)} ({places}), by {by} points")
        parts.append(f"undecided at {told.count('')}")
        text = f" Of its {len(group)} densities: {', '.join(parts)}."
    if len(group) <= FEW:
        listed = [
            words.points(row[column], 2)
            + words.interval(*(row[end] for end in ends))
            + f" at {words.density(row['density'])}"
            for _, row in group.iterrows()
        ]
        return f"{text} One by one: {words.listing(listed)}."
    return text or f" Over its {len(group)} densities: {words.spread(list(group[column]), unit='')} points."


def changes(summary: pandas.DataFrame, compared: Compared) -> list[str]:
    """Tickets of each arm's main recipe against its own dense run."""
    said = []
    with_pairs = summary[summary["change"].notna()]
    for arm, mine in with_pairs.groupby("arm", sort=False):
        recipe = main_recipe(mine)
        group = mine[mine["recipe"] == recipe]
        sparsest = group.iloc[group["density"].argmin()]
        text = words.compare(
            f"{compared.name(str(arm))} at {words.density(sparsest['density'])} density (recipe {recipe})",
            "its dense network", sparsest["change"], sparsest["change_ci95_low"], sparsest["change_ci95_high"],
            sparsest["change_pairs"],
        )  # fmt: skip
        said.append(f"{text}.{_by_density(group, 'change')}")
    return said


def answers(summary: pandas.DataFrame, compared: Compared) -> list[tuple[str, list[str]]]:
    """Which optimiser prunes better: arms that differ from the reference in their optimiser alone."""
    with_pairs = summary[summary["difference"].notna() & (summary["recipe"] != "dense")]
    alike = with_pairs[[not compared.other(row.arm, row.reference) for row in each(with_pairs)]]
    if alike.empty:
        return []
    said = []
    for arm, mine in alike.groupby("arm", sort=False):
        recipe = main_recipe(mine)
        said.append(_difference(str(arm), recipe, mine[mine["recipe"] == recipe], compared))
    names = [*dict.fromkeys([*alike["reference"], *alike["arm"]])]
    said += changes(summary[summary["arm"].isin(names)], compared)
    if (alike["pairs"] <= 1).all():
        said.append("These rest on one seed: how certain they are cannot be said.")
    recipes = dict(compared.recipes)
    said += [f"Recipe {name}: {recipes[name]}" for name in [main_recipe(alike)] if name in recipes]
    said += compared.meanings(names)
    network = compared.arms.get(names[0], {}).get("model", {}).get("name", "the network")
    return [(f"Which optimiser prunes {network} better, at which density and by how much?", said)]
