"""Studies that search settings of the network from scratch: what is best, what matters, which beliefs hold."""

from __future__ import annotations

import pandas

from winnow.report.compared import NOTHING, Compared
from winnow.report.content import Finding, Section, Table
from winnow.report.sections import _sweep_charts as charts
from winnow.report.sections import _sweep_findings as findings

NEEDS = "trials"
READS = (
    "trials", "importance", "values", "conclusions", "finalists", "best_runs", "loss_differences", "losses",
    "per_class", "carry_over",
)  # fmt: skip


def section(tables: dict[str, pandas.DataFrame], compared: Compared = NOTHING) -> Section:
    """What the tables that exist say; `trials` always does."""
    trials = tables["trials"]
    found = Section("Which settings of a fully connected network are good, and does cross-entropy beat squared error?")
    said = findings.best(trials, tables.get("best_runs"), tables.get("finalists"))
    found.findings.append(Finding("The best of each sweep", said, "trials"))
    if "values" in tables:
        said = findings.activations(tables["values"], tables.get("conclusions"))
        found.answers += (
            [("What do the sweeps of fully connected networks say about activations?", said)] if said else []
        )
        found.findings.append(Finding("Activations", said, "values"))
    says = {
        "finalists": ("The second stage", findings.finalists),
        "importance": ("What matters", findings.importance),
        "conclusions": ("What was believed, tested on the trials", findings.conclusions),
        "loss_differences": ("Cross-entropy against squared error", findings.losses),
        "per_class": ("Classes", findings.classes),
        "carry_over": ("On another data set", findings.carried),
    }
    for name, (title, say) in says.items():
        if name in tables:
            found.findings.append(Finding(title, say(tables[name]), name))
    found.notes.append(
        "Trials of a search are no random sample: it tries more of what did well. Differences between groups of trials "
        "say what went with accuracy in this sweep; those at equal other settings come nearer to a cause."
    )
    found.charts = charts.charts(tables)
    found.tables = _tables(tables)
    return found


def _tables(tables: dict[str, pandas.DataFrame]) -> list[Table]:
    trials = tables["trials"]
    columns = ["sweep", "trial", *charts.varied(trials), "state", "train_accuracy", "validation_accuracy", "seconds"]
    made = [
        Table("trials", "All trials", "The settings that differ, and what they reached.", trials[columns],
              ("train_accuracy", "validation_accuracy"))
    ]  # fmt: skip
    titles = {
        "conclusions": ("Beliefs", "Groups of trials compared, raw and at equal other settings."),
        "values": ("Values of settings", "Trials with each value."),
        "best_runs": ("Best settings again", "One row per seed."),
    }
    for name, (title, caption) in titles.items():
        if name in tables:
            data = tables[name]
            if name == "best_runs":
                data = data[["sweep", "seed", "train_accuracy", "validation_accuracy", "test_accuracy"]]
            shares = ("mean_a", "mean_b", "difference", "low", "high", "adjusted", "adjusted_low",
            "adjusted_high", "mean",
                      "sd", "best", "train_accuracy", "validation_accuracy", "test_accuracy")  # fmt: skip
            made.append(Table(name, title, caption, data, tuple(c for c in shares if c in data)))
    return made
