"""Studies of optimisers: which is the most accurate in each scenario, and what does it cost to get there?"""

from __future__ import annotations

import pandas

from winnow.report.compared import NOTHING, Compared
from winnow.report.content import Finding, Section, Table
from winnow.report.sections import _benchmark_charts as charts
from winnow.report.sections import _benchmark_choice as choice
from winnow.report.sections import _benchmark_findings as findings

NEEDS = "outcomes"
READS = ("outcomes", "ranking", "course", "time_to_target", "performance_profile", "tuning", "final_runs", "parameters")


def section(tables: dict[str, pandas.DataFrame], compared: Compared = NOTHING) -> Section:
    """What the tables that exist say; `outcomes` always does."""
    outcomes = tables["outcomes"]
    found = Section("Which optimiser is the most accurate in each scenario, and what does it cost?", filters=("arm",))
    found.answers = choice.answers(tables, compared)
    if "ranking" in tables:
        said = choice.taken(tables["ranking"], outcomes)
        said.append(choice.elsewhere(tables["ranking"], outcomes))
        found.findings.append(Finding("Which optimiser to take", list(filter(None, said)), "ranking"))
    found.findings += [
        Finding("Most accurate on the test images", findings.best(outcomes), "outcomes"),
        Finding("Against the reference", findings.reference(outcomes), "outcomes"),
        Finding("What a scenario changes", findings.changes(outcomes), "outcomes"),
    ]
    if "time_to_target" in tables:
        said = findings.targets(tables["time_to_target"])
        found.findings.append(Finding("What a target costs", said, "time_to_target"))
    found.findings.append(Finding("Diverged", findings.diverged(outcomes), "outcomes"))
    if "parameters" in tables:
        found.findings.append(Finding("The network", findings.network(tables["parameters"]), "parameters"))
    found.notes.append(
        "The arm that is best of many looks better than it is. Ranks by validation loss were set before test images "
        "were looked at; intervals are 95 % each, not corrected for their number."
    )
    first = charts.ranked(outcomes)
    found.charts += charts.charts(tables, first)
    percent = ("density", "test_accuracy", "test_accuracy_sd", "test_accuracy_ci95_low", "test_accuracy_ci95_high",
               "difference", "difference_ci95_low", "difference_ci95_high",
               "change", "change_ci95_low", "change_ci95_high")  # fmt: skip
    columns = ["scenario", "arm", "sparsifier", "density", "n", "diverged", "test_accuracy", "test_accuracy_ci95_low",
               "test_accuracy_ci95_high", "reference", "difference", "difference_ci95_low",
               "difference_ci95_high", "pairs",
               "baseline", "change", "change_ci95_low", "change_ci95_high", "change_pairs",
               "test_loss", "sample_gradients", "multiply_adds", "seconds"]  # fmt: skip
    found.tables.append(
        Table("outcomes", "Every optimiser in every scenario", "Means over seeds with 95 % intervals.",
              outcomes[columns], percent)
    )  # fmt: skip
    if "ranking" in tables:
        found.tables.append(
            Table(
                "ranking", "Chosen settings", "Ranked by validation loss.", tables["ranking"], ("validation_accuracy",)
            )
        )
    if "time_to_target" in tables:
        found.tables.append(
            Table("time_to_target", "Cost of reaching targets", "Per seed; empty where the target was not reached.",
                  tables["time_to_target"], ("target",))
        )  # fmt: skip
    return found
