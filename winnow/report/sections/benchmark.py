"""Studies of optimisers: which is the most accurate in each scenario, and what does it cost to get there?"""

from __future__ import annotations

import pandas

from winnow.report import words
from winnow.report.content import Axis, Chart, Section, Table

NEEDS = "outcomes"
READS = ("outcomes", "ranking", "course", "time_to_target", "performance_profile", "tuning", "final_runs", "parameters")
COLOURED = 6  # arms in colour, the most accurate first
COSTS = {"seconds": "seconds of training", "sample_gradients": "gradients of single images", "multiply_adds": "multiply-adds"}


def section(tables: dict[str, pandas.DataFrame]) -> Section:
    """What the tables that exist say; `outcomes` always does."""
    outcomes = tables["outcomes"]
    found = Section("Which optimiser is the most accurate in each scenario, and what does it cost?", filters=("arm",))
    if "ranking" in tables:
        found.findings.append(("Which to take", _take(tables["ranking"], outcomes)))
    found.findings += [
        ("Most accurate on the test images", _best(outcomes)),
        ("Against the reference", _reference(outcomes)),
    ]
    if "time_to_target" in tables:
        found.findings.append(("What a target costs", _targets(tables["time_to_target"])))
    if dead := _diverged(outcomes):
        found.findings.append(("Diverged", dead))
    if "parameters" in tables:
        found.findings.append(("The network", _network(tables["parameters"])))
    found.notes.append(
        "The arm that is best of many looks better than it is. Ranks by validation loss were set before test images were "
        "looked at; intervals are 95 % each, not corrected for their number."
    )
    first = _ranked(outcomes)
    found.charts = _charts(tables, first)
    percent = ("density", "test_accuracy", "test_accuracy_sd", "test_accuracy_ci95_low", "test_accuracy_ci95_high",
               "difference", "difference_ci95_low", "difference_ci95_high")  # fmt: skip
    columns = ["scenario", "arm", "sparsifier", "density", "n", "diverged", "test_accuracy", "test_accuracy_ci95_low",
               "test_accuracy_ci95_high", "reference", "difference", "difference_ci95_low", "difference_ci95_high", "pairs",
               "test_loss", "sample_gradients", "multiply_adds", "seconds"]  # fmt: skip
    found.tables.append(
        Table("outcomes", "Every optimiser in every scenario", "Means over seeds with 95 % intervals.", outcomes[columns],
              percent)
    )  # fmt: skip
    if "ranking" in tables:
        found.tables.append(
            Table("ranking", "Chosen settings", "Ranked by validation loss.", tables["ranking"], ("validation_accuracy",))
        )
    if "time_to_target" in tables:
        found.tables.append(
            Table("time_to_target", "Cost of reaching targets", "Per seed; empty where the target was not reached.",
                  tables["time_to_target"], ("target",))
        )  # fmt: skip
    return found


def _ranked(outcomes: pandas.DataFrame) -> tuple[str, ...]:
    first = outcomes[outcomes["scenario"] == outcomes["scenario"].iloc[0]]
    return tuple(first.sort_values("test_accuracy", ascending=False, kind="stable")["arm"].head(COLOURED))


def _take(ranking: pandas.DataFrame, outcomes: pandas.DataFrame) -> list[str]:
    said = []
    for scenario, mine in ranking[ranking["validation_loss"].notna()].groupby("scenario", sort=False):
        best = mine.loc[mine["rank"].idxmin()]
        text = (
            f"{scenario}: {best['arm']} had the smallest validation loss after tuning ({best['validation_loss']:.4f} nats, one "
            f"seed, of {words.count(len(mine), 'arm')})"
        )
        final = outcomes[(outcomes["scenario"] == scenario) & (outcomes["arm"] == best["arm"])]
        for row in final[final["test_accuracy"].notna()].itertuples():
            ends = (row.test_accuracy_ci95_low, row.test_accuracy_ci95_high)
            text += f" and then reaches {words.accuracy(row.test_accuracy, *ends, row.n)} test accuracy"
        said.append(f"{text}; its rate is {best['lr']}.")
    return said


def _best(outcomes: pandas.DataFrame) -> list[str]:
    said = []
    for scenario, mine in outcomes[outcomes["test_accuracy"].notna()].groupby("scenario", sort=False):
        best = mine.loc[mine["test_accuracy"].idxmax()]
        low = best["test_accuracy_ci95_low"]
        text = f"{scenario}{_thin(best)}: {best['arm']}, " + words.accuracy(
            best["test_accuracy"], low, best["test_accuracy_ci95_high"], best["n"]
        )
        others = mine[mine["arm"] != best["arm"]]
        if len(others) and not words.missing(low):
            near = others[others["test_accuracy_ci95_high"] >= low]
            text += (
                f"; the intervals of {len(near)} of the {len(others)} others overlap with it"
                if len(near)
                else f"; no interval of the {len(others)} others overlaps with it"
            )
            if 0 < len(near) <= 4:
                text += f" ({words.listing(list(near['arm']))})"
        said.append(f"{text}.")
    return said


def _thin(row: pandas.Series) -> str:
    return f" ({words.density(row['density'])} density)" if row["density"] < 1 else ""


def _reference(outcomes: pandas.DataFrame) -> list[str]:
    said = []
    for scenario, mine in outcomes[outcomes["difference"].notna()].groupby("scenario", sort=False):
        told = [
            words.verdict(row.difference, row.difference_ci95_low, row.difference_ci95_high) for row in mine.itertuples()
        ]
        best = mine.loc[mine["difference"].idxmax()]
        text = words.compare(
            str(best["arm"]), str(best["reference"]), best["difference"], best["difference_ci95_low"],
            best["difference_ci95_high"], best["pairs"],
        )  # fmt: skip
        said.append(f"{scenario}{_thin(best)}: {text}.")
        if len(mine) > 1:
            said[-1] += (
                f" Of {len(mine)} arms, {told.count('more')} are clearly more accurate than {best['reference']}, "
                f"{told.count('less')} clearly less, {told.count('')} undecided."
            )
    return said


def _targets(table: pandas.DataFrame) -> list[str]:
    """Per scenario and target: the arm that reached it with most seeds, among these with the smallest worst cost."""
    said = []
    for (scenario, target), mine in table.groupby(["scenario", "target"], sort=False):
        reached = mine[mine["seconds"].notna()]
        if reached.empty:
            said.append(f"{scenario}: no arm reaches {words.percent(target, 1)}.")
            continue
        times = reached.groupby("arm", sort=False).size()
        sure = reached[reached["arm"].isin(times[times == times.max()].index)]
        parts = []
        for cost, name in COSTS.items():
            arm = sure.groupby("arm", sort=False)[cost].max().idxmin()
            values = sure[sure["arm"] == arm][cost]
            shown = words.spread(list(values), 1, "", 1) if cost == "seconds" else f"at most {values.max():.3g}"
            parts.append(f"{arm} with the fewest {name} ({shown})")
        of = mine[mine["arm"] == sure["arm"].iloc[0]]["seed"].nunique()
        said.append(
            f"{scenario}: {words.percent(target, 1)} is reached by {words.count(len(times), 'arm')}; with "
            f"{times.max()} of {words.count(of, 'seed')} and at the slowest of them, by {words.listing(parts)}."
        )
    return said


def _diverged(outcomes: pandas.DataFrame) -> list[str]:
    return [
        f"{row.scenario}: {row.arm}, {words.count(row.diverged, 'seed')} of {row.n + row.diverged}."
        for row in outcomes[outcomes["diverged"] > 0].itertuples()
    ]


def _network(table: pandas.DataFrame) -> list[str]:
    total = table[table["tensor"] == "total"]
    return [
        f"All arms train the same network: {row.parameters:,} parameters, {row.multiply_adds:,} multiply-adds per image"
        + (f", {int(row.prunable):,} weights that sparse scenarios may set to zero." if row.prunable == row.prunable else ".")
        for row in total.head(1).itertuples()
    ]


def _charts(tables: dict[str, pandas.DataFrame], first: tuple[str, ...]) -> list[Chart]:
    outcomes = tables["outcomes"]
    accuracy = Axis("test_accuracy", "test accuracy, %", factor=100)
    ordered = outcomes.sort_values("test_accuracy", ascending=False, kind="stable")
    columns = ["scenario", "arm", "density", "test_accuracy", "test_accuracy_ci95_low", "test_accuracy_ci95_high", "n",
               "diverged", "seconds"]  # fmt: skip
    charts = [
        Chart(
            "outcomes", "Final test accuracy", "Mean over seeds with its 95 % interval, the best on top.",
            ordered[columns], accuracy, Axis("arm", "", "names"), colour="arm", low="test_accuracy_ci95_low",
            high="test_accuracy_ci95_high", spread="x", choose=("scenario",), first=first,
        ),
        Chart(
            "cost", "Accuracy against time",
            "Mean test accuracy against mean seconds of training: up and left is better.", ordered[columns],
            Axis("seconds", "seconds of training", "log"), accuracy, colour="arm", low="test_accuracy_ci95_low",
            high="test_accuracy_ci95_high", choose=("scenario",), first=first,
        ),
    ]  # fmt: skip
    if "course" in tables:
        charts.append(
            Chart(
                "course", "Learning curves", "Test accuracy after each epoch, one line per seed.",
                tables["course"][["scenario", "arm", "seed", "epoch", "density", "test_accuracy", "test_loss", "seconds"]],
                Axis("epoch", "epoch"), accuracy, colour="arm", by="seed", lines=True, choose=("scenario",), first=first,
            )
        )  # fmt: skip
    if "time_to_target" in tables:
        reached = tables["time_to_target"].dropna(subset="seconds")
        charts.append(
            Chart(
                "time_to_target", "Time to reach a test accuracy", "One point per seed that reaches the target.", reached,
                Axis("seconds", "seconds of training", "log"), Axis("arm", "", "names"), colour="arm",
                choose=("scenario", "target"), first=first,
            )
        )  # fmt: skip
    if "performance_profile" in tables:
        charts.append(
            Chart(
                "profile", "Performance profile",
                "Share of the problems (target and seed) that an arm solves within a factor of the best arm's cost: higher "
                "is better.", tables["performance_profile"], Axis("tau", "factor to the best arm's cost", "log"),
                Axis("share", "share of problems, %", factor=100), colour="arm", lines=True, steps=True,
                choose=("scenario", "measure"), first=first,
            )
        )  # fmt: skip
    if "tuning" in tables:
        tuned = tables["tuning"].dropna(subset="validation_accuracy")
        charts.append(
            Chart(
                "tuning", "Tuning", "Validation accuracy of every trial and finalist against its learning rate.",
                tuned.assign(lr=tuned["lr"].astype(float)).drop(columns=["diverged_step"]), Axis("lr", "learning rate", "log"),
                Axis("validation_accuracy", "validation accuracy, %", factor=100), colour="arm", dash="stage",
                choose=("scenario",), first=first,
            )
        )  # fmt: skip
    return charts
