"""Which optimiser to take: the one that validation chose, and what came of it."""

from __future__ import annotations

import pandas

from winnow.report import words
from winnow.report.compared import Compared
from winnow.report.content import each
from winnow.report.sections import _benchmark_findings as findings


def choice(ranking: pandas.DataFrame, scenario: str) -> pandas.Series | None:
    """The row of the arm that validation chose in a scenario; None where no tuning was for it, or all diverged."""
    mine = ranking[(ranking["scenario"] == scenario) & ranking["validation_loss"].notna()]
    return None if mine.empty else mine.iloc[mine["rank"].argmin()]


def take(ranking: pandas.DataFrame, outcomes: pandas.DataFrame, scenario: str) -> str:
    """The arm that validation chose in a scenario, and what it came to, also against the reference."""
    best = choice(ranking, scenario)
    if best is None:
        return ""
    tuned = ranking[(ranking["scenario"] == scenario) & ranking["validation_loss"].notna()]
    said = [
        f"{scenario}: of {words.count(len(tuned), 'tuned arm')}, {best['arm']} had the smallest validation loss "
        f"({best['validation_loss']:.4f} nats, one seed; rate {best['lr']})."
    ]
    final = outcomes[(outcomes["scenario"] == scenario) & (outcomes["arm"] == best["arm"])]
    for row in each(final[final["test_accuracy"].notna()]):
        ends = (row.test_accuracy_ci95_low, row.test_accuracy_ci95_high)
        said.append(
            f"Trained anew with this setting it reaches {words.accuracy(row.test_accuracy, *ends, row.n)} test "
            f"accuracy in {words.seconds(row.seconds)} of training per seed."
        )
        if not words.missing(row.difference):
            ends = (row.difference_ci95_low, row.difference_ci95_high)
            text = words.compare(row.arm, row.reference, row.difference, *ends, row.pairs)
            said.append(f"Against the reference: {text}.")
    return " ".join(said)


def taken(ranking: pandas.DataFrame, outcomes: pandas.DataFrame) -> list[str]:
    """`take` for every scenario."""
    scenarios = dict.fromkeys([*outcomes["scenario"], *ranking["scenario"]])
    return [text for scenario in scenarios if (text := take(ranking, outcomes, scenario))]


def elsewhere(ranking: pandas.DataFrame, outcomes: pandas.DataFrame) -> str:
    """How the arms that run in further scenarios rank in the first, so that config's list of them can be checked."""
    first = ranking["scenario"].iloc[0]
    there = set(outcomes.loc[outcomes["scenario"] != first, "arm"])
    mine = ranking[ranking["scenario"] == first].sort_values("rank")
    ranks = [f"{arm} {rank}" for arm, rank in zip(mine["arm"], mine["rank"], strict=True) if arm in there]
    if not ranks or len(ranks) == len(mine):
        return ""
    return f"Of {len(mine)} in {first}, those that run in other scenarios have the ranks: {words.listing(ranks)}."


def answers(tables: dict[str, pandas.DataFrame], compared: Compared) -> list[tuple[str, list[str]]]:
    """Which optimiser to take for the network, and which when it is to be thin."""
    outcomes = tables["outcomes"][tables["outcomes"]["test_accuracy"].notna()]
    if outcomes.empty:
        return []
    first = str(outcomes["scenario"].iloc[0])
    networks = list(dict.fromkeys(spec["model"]["name"] for spec in compared.arms.values() if "model" in spec))
    mine = outcomes[outcomes["scenario"] == first]
    chosen = choice(tables["ranking"], first) if "ranking" in tables else None
    named = (mine.iloc[mine["test_accuracy"].argmax()] if chosen is None else chosen)["arm"]
    said = [] if chosen is None else [take(tables["ranking"], outcomes, first)]
    said.append(f"Most accurate on the test images in {findings.best(outcomes)[0]}")
    said += [f"{name}: {text}" for name, text in compared.told if name == named]
    said += [f"Scenario {name}: {text}" for name, text in compared.scenarios if name == first]
    found = [(f"Which optimiser to take for {words.listing(networks) or 'the network'}?", said)]
    thin = outcomes[outcomes["density"] < 1]
    said = [f"At {words.density(mine['density'].iloc[0])} density ({scenario}): {findings.most_accurate(mine)}."
            for scenario, mine in thin.groupby("scenario", sort=False) if mine["arm"].nunique() > 1]  # fmt: skip
    if said:
        found.append(("And which when few of its weights may be left?", said))
    return found
