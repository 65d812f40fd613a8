"""Studies that prune: accuracy and speed of tickets by arm, recipe and density, their masks, graphs and rates."""

from __future__ import annotations

import pandas

from winnow.report.compared import NOTHING, Compared
from winnow.report.content import Finding, Section, Table
from winnow.report.sections import _pruning_arms as arms
from winnow.report.sections import _pruning_charts as charts
from winnow.report.sections import _pruning_findings as findings

NEEDS = "summary"
READS = ("summary", "rounds", "lr_sweep", "early_stop", "overlap", "layers", "graph", "compression")


def section(tables: dict[str, pandas.DataFrame], compared: Compared = NOTHING) -> Section:
    """What the tables that exist say; `summary` always does."""
    summary = tables["summary"]
    found = Section("How accurate are the networks that remain, by arm, recipe and density?", filters=("arm", "recipe"))
    found.answers = arms.answers(summary, compared)
    found.findings += [
        Finding("Unpruned networks", findings.dense(summary, compared), "summary"),
        Finding("Arm against arm", arms.differences(summary, compared), "summary"),
        Finding("Tickets against their own dense network", arms.changes(summary, compared), "summary"),
        Finding("Tickets and their controls", findings.tickets(summary), "summary"),
    ]
    if "early_stop" in tables:
        found.findings.append(Finding("How early they stop", findings.early(tables["early_stop"]), "early_stop"))
    if "overlap" in tables:
        found.findings.append(Finding("Which weights are kept", findings.overlaps(tables["overlap"]), "overlap"))
    if "lr_sweep" in tables:
        found.findings.append(Finding("Learning rates", findings.rates(tables["lr_sweep"], compared), "lr_sweep"))
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
            "Means over seeds with 95 % intervals (Student t); differences to the reference arm and changes against "
            "the arm's own dense run, paired by seed.",
            summary,
            percent=("density", "mean", "sd", "ci95_low", "ci95_high", "mean5", "difference", "difference_ci95_low",
                     "difference_ci95_high", "change", "change_ci95_low", "change_ci95_high"),
        )
    )  # fmt: skip
    if "rounds" in tables:
        found.tables.append(
            Table("rounds", "Every run", "One row per seed.", tables["rounds"],
                  ("density", "test_accuracy", "test_accuracy_mean5", "validation_accuracy", "clipped_share"))
        )  # fmt: skip
    return found
