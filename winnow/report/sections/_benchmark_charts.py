"""Charts of a study of optimisers."""

from __future__ import annotations

import pandas

from winnow.report.content import Axis, Chart

COLOURED = 6  # arms in colour, the most accurate first


def ranked(outcomes: pandas.DataFrame) -> tuple[str, ...]:
    first = outcomes[outcomes["scenario"] == outcomes["scenario"].iloc[0]]
    return tuple(first.sort_values("test_accuracy", ascending=False, kind="stable")["arm"].head(COLOURED))


def charts(tables: dict[str, pandas.DataFrame], first: tuple[str, ...]) -> list[Chart]:
    outcomes = tables["outcomes"]
    accuracy = Axis("test_accuracy", "test accuracy, %", factor=100)
    best_first = outcomes.sort_values("test_accuracy", ascending=False, kind="stable")
    places = {name: i for i, name in enumerate(outcomes["scenario"].unique())}
    ordered = best_first.sort_values("scenario", key=lambda names: names.map(places), kind="stable")
    columns = ["scenario", "arm", "density", "test_accuracy", "test_accuracy_ci95_low", "test_accuracy_ci95_high", "n",
               "diverged", "seconds"]  # fmt: skip
    charts = [
        Chart(
            "outcomes", "Final test accuracy",
            "Mean over seeds with its 95 % interval, the best on top. Hollow points lie beyond the axis.",
            ordered[columns], accuracy, Axis("arm", "", "names"), colour="arm", low="test_accuracy_ci95_low",
            high="test_accuracy_ci95_high", spread="x", choose=("scenario",), first=first, robust=True,
        ),
        Chart(
            "cost", "Accuracy against time",
            "Mean test accuracy against mean seconds of training: up and left is better. Hollow points lie beyond the "
            "axis.", ordered[columns],
            Axis("seconds", "seconds of training", "log"), accuracy, colour="arm", low="test_accuracy_ci95_low",
            high="test_accuracy_ci95_high", choose=("scenario",), first=first, robust=True,
        ),
    ]  # fmt: skip
    if "course" in tables:
        charts.append(
            Chart(
                "course", "Learning curves", "Test accuracy after each epoch, one line per seed.",
                tables["course"][["scenario", "arm", "seed", "epoch", "density", "test_accuracy", "test_loss",
                                  "seconds"]],
                Axis("epoch", "epoch"), accuracy, colour="arm", by="seed", lines=True, choose=("scenario",),
                first=first,
            )
        )  # fmt: skip
    if "time_to_target" in tables:
        reached = tables["time_to_target"].dropna(subset="seconds")
        charts.append(
            Chart(
                "time_to_target", "Time to reach a test accuracy",
                "One point per seed that reaches the target.", reached,
                Axis("seconds", "seconds of training", "log"), Axis("arm", "", "names"), colour="arm",
                choose=("scenario", "target"), first=first,
            )
        )  # fmt: skip
    if "performance_profile" in tables:
        charts.append(
            Chart(
                "profile", "Performance profile",
                "Share of the problems (target and seed) that an arm solves within a factor of the best arm's cost: "
                "higher "
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
                tuned.assign(lr=tuned["lr"].astype(float)).drop(columns=["diverged_step"]),
                Axis("lr", "learning rate", "log"),
                Axis("validation_accuracy", "validation accuracy, %", factor=100), colour="arm", dash="stage",
                choose=("scenario",), first=first,
            )
        )  # fmt: skip
    return charts
