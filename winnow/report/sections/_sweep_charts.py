"""Charts of a study of sweeps."""

from __future__ import annotations

import pandas

from winnow.report.content import Axis, Chart, Parallel

SETTINGS = (
    "activation", "optimizer", "learning_rate", "batch_size", "num_layers", "hidden_size", "weight_decay",
    "weight_init",
    "loss", "epochs", "inputs",
)  # fmt: skip
VALIDATION = Axis("validation_accuracy", "validation accuracy, %", factor=100)


def varied(trials: pandas.DataFrame) -> list[str]:
    return [name for name in SETTINGS if name in trials and trials[name].nunique() > 1]


def charts(tables: dict[str, pandas.DataFrame]) -> list[Chart | Parallel]:
    trials = tables["trials"]
    axes = (*varied(trials), "validation_accuracy")
    finished = trials[trials["validation_accuracy"].notna()]
    charts: list[Chart | Parallel] = [
        Parallel(
            "parallel", "Settings that go together",
            "One line per trial with a validation accuracy, which colours it. Drag along an axis to keep only the "
            "trials "
            "that cross there; axes of names and of few values are brushed alike.",
            finished[["sweep", "trial", "name", *axes]], axes, choose=("sweep",),
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
                "Share of the variance of validation accuracy that single settings explain (fANOVA).", tables[
                "importance"],
                Axis("importance", "importance, %", factor=100), Axis("parameter", "", "names"), colour="sweep",
            )
        )  # fmt: skip
    if "conclusions" in tables:
        told = tables["conclusions"][tables["conclusions"]["adjusted"].notna()]
        charts.append(
            Chart(
                "conclusions", "Beliefs at equal other settings",
                "Difference in validation accuracy with its 95 % interval, other settings held equal by least squares: "
                "right of 0 speaks for the belief.", told,
                Axis("adjusted", "points of validation accuracy", factor=100),
                Axis("conclusion", "", "names"), colour="sweep", low="adjusted_low", high="adjusted_high", spread="x",
                zero=True,
            )
        )  # fmt: skip
    return charts
