"""Studies that search settings of the network from scratch: what is best, what matters, which beliefs hold."""

from __future__ import annotations

from typing import Any

import pandas

from winnow.report import words
from winnow.report.content import Axis, Chart, Parallel, Section, Table

NEEDS = "trials"
READS = (
    "trials", "importance", "values", "conclusions", "best_runs", "loss_differences", "losses", "per_class", "carry_over",
)  # fmt: skip
SETTINGS = (
    "activation", "optimizer", "learning_rate", "batch_size", "num_layers", "hidden_size", "weight_decay", "weight_init",
    "loss", "epochs",
)  # fmt: skip
LOGARITHMIC = {"learning_rate"}
VALIDATION = Axis("validation_accuracy", "validation accuracy, %", factor=100)


def section(tables: dict[str, pandas.DataFrame]) -> Section:
    """What the tables that exist say; `trials` always does."""
    trials = tables["trials"]
    found = Section("Which settings of a fully connected network are good, and does cross-entropy beat squared error?")
    found.findings.append(("The best of each sweep", _best(trials, tables.get("best_runs"))))
    says = {
        "importance": ("What matters", _importance),
        "values": ("Activations", _activations),
        "conclusions": ("What was believed, tested on the trials", _conclusions),
        "loss_differences": ("Cross-entropy against squared error", _losses),
        "per_class": ("Classes", _classes),
        "carry_over": ("On another data set", _carried),
    }
    for name, (title, say) in says.items():
        if name in tables and len(tables[name]):
            found.findings.append((title, say(tables[name])))
    found.notes.append(
        "Trials of a search are no random sample: it tries more of what did well. Differences between groups of trials "
        "say what went with accuracy in this sweep; those at equal other settings come nearer to a cause."
    )
    found.charts = _charts(tables)
    found.tables = _tables(tables)
    return found


def _varied(trials: pandas.DataFrame) -> list[str]:
    return [name for name in SETTINGS if name in trials and trials[name].nunique() > 1]


def _best(trials: pandas.DataFrame, again: pandas.DataFrame | None) -> list[str]:
    said = []
    for sweep, mine in trials.groupby("sweep", sort=False):
        states = mine["state"].value_counts()
        others = [f"{states[state]} {state}" for state in ("pruned", "diverged") if state in states]
        text = f"{sweep}: {words.count(len(mine), 'trial')}" + (f", of which {words.listing(others)}" if others else "")
        finished = mine[mine["validation_accuracy"].notna()]
        if finished.empty:
            said.append(f"{text}; none has a validation accuracy.")
            continue
        best = finished.loc[finished["validation_accuracy"].idxmax()]
        settings = ", ".join(f"{name.replace('_', ' ')} {_shown(best[name])}" for name in _varied(trials))
        said.append(
            f"{text}; the best has {words.percent(best['validation_accuracy'])} validation accuracy (trial {best['trial']}: "
            f"{settings}). It was chosen by this number, which is therefore too high on average."
        )
        if again is not None and len(rows := again[(again["sweep"] == sweep) & again["test_accuracy"].notna()]):
            said.append(
                f"{sweep}: trained anew, the chosen setting reaches {words.spread(list(rows['test_accuracy']))} test accuracy "
                f"(smallest to largest of {words.count(len(rows), 'seed')})."
            )
    return said


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _importance(table: pandas.DataFrame) -> list[str]:
    said = []
    for sweep, mine in table.groupby("sweep", sort=False):
        top = mine.sort_values("importance", ascending=False).head(3)
        parts = [f"{row.parameter.replace('_', ' ')} {words.percent(row.importance, 0)}" for row in top.itertuples()]
        said.append(
            f"{sweep}: of the variance of validation accuracy that single settings explain, {words.listing(parts)} go to "
            f"{'these' if len(parts) > 1 else 'it'} (fANOVA over its trials)."
        )
    return said


def _activations(table: pandas.DataFrame) -> list[str]:
    said = []
    for sweep, mine in table[table["parameter"] == "activation"].groupby("sweep", sort=False):
        ordered = mine.sort_values("best", ascending=False)
        parts = [
            f"{row.value}: best {words.percent(row.best)}, mean {words.percent(row.mean)} ({words.count(row.trials, 'trial')})"
            for row in ordered.itertuples()
        ]
        said.append(f"{sweep}: {'; '.join(parts)}.")
    return said


def _conclusions(table: pandas.DataFrame) -> list[str]:
    said = []
    verdicts = {"yes": "holds", "no": "does not hold, the opposite does", "unclear": "is left open"}
    for row in table.itertuples():
        if words.missing(row.difference):
            said.append(
                f"{row.sweep}: “{row.conclusion}” cannot be tested ({row.trials_a} trials against {row.trials_b}: {row.comparison})."
            )
            continue
        text = (
            f"{row.sweep}: “{row.conclusion}” {verdicts[str(row.holds)]}: difference "
            f"{100 * row.difference:.1f}{words.interval(row.low, row.high, digits=1)} points, {row.trials_a} trials against "
            f"{row.trials_b}"
        )
        if not words.missing(row.adjusted):
            told = words.verdict(row.adjusted, row.adjusted_low, row.adjusted_high)
            clear = {"more": "in favour", "less": "against", "": "undecided"}[told]
            ends = words.interval(row.adjusted_low, row.adjusted_high, digits=1)
            text += f". At equal other settings {100 * row.adjusted:.1f}{ends} points: {clear}"
        said.append(f"{text}.")
    return said


def _losses(table: pandas.DataFrame) -> list[str]:
    said = []
    for row in table.itertuples():
        text = words.compare(
            "cross-entropy", "squared error", row.difference, row.low, row.high, row.pairs, "reaches"
        ).replace("paired seed", "pair of run")
        said.append(
            f"On {row.images} images {text.replace('pair of runs', 'pairs of runs')}; it is the more accurate in "
            f"{words.percent(row.better, 0)} of the pairs."
        )
    return said


def _classes(table: pandas.DataFrame) -> list[str]:
    said = []
    for sweep, mine in table.groupby("sweep", sort=False):
        worst = mine.groupby("class")["f1"].max().idxmin()
        values = mine[mine["class"] == worst]["f1"]
        said.append(
            f"{sweep}: the class found worst by its best setting is {worst}, F1 {words.spread(list(values), 1, '', 2)} "
            f"({words.count(len(values), 'seed')})."
        )
    return said


def _carried(table: pandas.DataFrame) -> list[str]:
    alive = table[table["test_accuracy"].notna()]
    return [
        f"On {dataset}, the {words.count(mine['rank'].nunique(), 'configuration')} carried over reach "
        f"{words.spread(list(mine['test_accuracy']))} test accuracy ({words.count(len(mine), 'run')})."
        for dataset, mine in alive.groupby("dataset", sort=False)
    ]


def _charts(tables: dict[str, pandas.DataFrame]) -> list[Chart | Parallel]:
    trials = tables["trials"]
    axes = (*_varied(trials), "validation_accuracy")
    finished = trials[trials["validation_accuracy"].notna()]
    charts: list[Chart | Parallel] = [
        Parallel(
            "parallel", "Settings that go together",
            "One line per trial with a validation accuracy, which colours it. Drag along an axis to keep only the trials "
            "that cross there; axes of names and of few values are brushed alike.",
            finished[["sweep", "trial", "name", *axes]], axes, "name", choose=("sweep",),
        ),
        Chart(
            "trials", "Trials in the order of their start",
            "Validation accuracy at the last epoch of every trial that has one.",
            finished[["sweep", "trial", "name", "activation", "optimizer", "state", "validation_accuracy", "seconds"]],
            Axis("trial", "trial"), VALIDATION, colour="activation", dash="optimizer", choose=("sweep",),
        ),
    ]  # fmt: skip
    if "values" in tables:
        charts.append(
            Chart(
                "values", "Accuracy by value of a setting",
                "Mean validation accuracy of the trials with that value; the best of them and their number are told on "
                "each point.", tables["values"], Axis("mean", "mean validation accuracy, %", factor=100),
                Axis("value", "", "names"), colour="parameter", choose=("sweep", "parameter"),
            )
        )  # fmt: skip
    if "importance" in tables:
        charts.append(
            Chart(
                "importance", "Which settings matter",
                "Share of the variance of validation accuracy that single settings explain (fANOVA).", tables["importance"],
                Axis("importance", "importance, %", factor=100), Axis("parameter", "", "names"), colour="sweep",
            )
        )  # fmt: skip
    if "conclusions" in tables:
        told = tables["conclusions"][tables["conclusions"]["adjusted"].notna()]
        charts.append(
            Chart(
                "conclusions", "Beliefs at equal other settings",
                "Difference in validation accuracy with its 95 % interval, other settings held equal by least squares: "
                "right of 0 speaks for the belief.", told, Axis("adjusted", "points of validation accuracy", factor=100),
                Axis("conclusion", "", "names"), colour="sweep", low="adjusted_low", high="adjusted_high", spread="x",
                zero=True,
            )
        )  # fmt: skip
    return charts


def _tables(tables: dict[str, pandas.DataFrame]) -> list[Table]:
    trials = tables["trials"]
    columns = ["sweep", "trial", *_varied(trials), "state", "train_accuracy", "validation_accuracy", "seconds"]
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
            shares = ("mean_a", "mean_b", "difference", "low", "high", "adjusted", "adjusted_low", "adjusted_high", "mean",
                      "sd", "best", "train_accuracy", "validation_accuracy", "test_accuracy")  # fmt: skip
            made.append(Table(name, title, caption, data, tuple(c for c in shares if c in data)))
    return made
