"""Studies that prune: accuracy and speed of tickets by arm, recipe and density, their masks, graphs and rates."""

from __future__ import annotations

import pandas

from winnow.report.content import Section, Table
from winnow.report.sections import _pruning_charts as charts
from winnow.report.sections import _pruning_findings as findings

NEEDS = "summary"
READS = ("summary", "rounds", "lr_sweep", "early_stop", "overlap", "layers", "graph", "compression")


def section(tables: dict[str, pandas.DataFrame]) -> Section:
    """What the tables that exist say; `summary` always does."""
    summary = tables["summary"]
    found = Section("How accurate are the networks that remain, by arm, recipe and density?", filters=("arm", "recipe"))
    found.findings += [
        ("Unpruned networks", findings.dense(summary)),
        ("Arm against arm", findings.differences(summary)),
        ("Tickets and their controls", findings.tickets(summary)),
    ]
    if "early_stop" in tables:
        found.findings.append(("How early they stop", findings.early(tables["early_stop"])))
    if "overlap" in tables:
        found.findings.append(("Which weights are kept", findings.overlaps(tables["overlap"])))
    if "lr_sweep" in tables:
        found.findings.append(("Learning rates", findings.rates(tables["lr_sweep"])))
    if (summary["n"] == 1).any():
        found.notes.append(
            "Some numbers rest on one seed: there is no interval, and another seed may turn a difference round."
        )
    if summary["difference_ci95_low"].notna().sum() > 1:
        found.notes.append("Intervals are 95 % each, not corrected for their number: of twenty, one errs on average.")
    found.charts += charts.charts(tables)
    found.tables.append(
        Table(
            "summary",
            "Accuracy of every arm, recipe and round",
            "Means over seeds with 95 % intervals (Student t), and differences to the reference arm, paired by seed.",
            summary,
            percent=("density", "mean", "sd", "ci95_low", "ci95_high", "mean5", "difference", "difference_ci95_low",
                     "difference_ci95_high"),
        )
    )  # fmt: skip
    if "rounds" in tables:
        found.tables.append(
            Table("rounds", "Every run", "One row per seed.", tables["rounds"],
                  ("density", "test_accuracy", "test_accuracy_mean5", "validation_accuracy", "clipped_share"))
        )  # fmt: skip
    return found
