"""Sentences about a study of sweeps."""

from __future__ import annotations

from typing import Any

import pandas

from winnow.report import words
from winnow.report.content import each
from winnow.report.sections._sweep_charts import varied

NAMES = {"train": "training"}


def best(trials: pandas.DataFrame, again: pandas.DataFrame | None) -> list[str]:
    said = []
    for sweep, mine in trials.groupby("sweep", sort=False):
        states = mine["state"].value_counts()
        others = [f"{states[state]} {state}" for state in ("pruned", "diverged") if state in states]
        text = f"{sweep}: {words.count(len(mine), 'trial')}" + (f", of which {words.listing(others)}" if others else "")
        finished = mine[mine["validation_accuracy"].notna()]
        if finished.empty:
            said.append(f"{text}; none has a validation accuracy.")
            continue
        best = finished.iloc[finished["validation_accuracy"].argmax()]
        settings = ", ".join(f"{name.replace('_', ' ')} {_shown(best[name])}" for name in varied(trials))
        said.append(
            f"{text}; the best has {words.percent(best['validation_accuracy'])} validation accuracy "
            f"(trial {best['trial']}: {settings}). It was chosen by this number, which is therefore too high on "
            f"average."
        )
        if again is not None and len(rows := again[(again["sweep"] == sweep) & again["test_accuracy"].notna()]):
            said.append(
                f"{sweep}: trained anew, the chosen setting reaches {words.spread(list(rows['test_accuracy']))} "
                f"test accuracy (smallest to largest of {words.count(len(rows), 'seed')})."
            )
    return said


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def importance(table: pandas.DataFrame) -> list[str]:
    said = []
    for sweep, mine in table.groupby("sweep", sort=False):
        top = mine.sort_values("importance", ascending=False).head(3)
        parts = [f"{row.parameter.replace('_', ' ')} {words.percent(row.importance, 0)}" for row in each(top)]
        said.append(
            f"{sweep}: of the variance of validation accuracy that single settings explain, the largest shares are "
            f"{words.listing(parts)} (fANOVA over its trials)."
        )
    return said


def activations(table: pandas.DataFrame) -> list[str]:
    said = []
    for sweep, mine in table[table["parameter"] == "activation"].groupby("sweep", sort=False):
        ordered = mine.sort_values("best", ascending=False)
        parts = [
            f"{row.value}: best {words.percent(row.best)}, mean {words.percent(row.mean)} "
            f"({words.count(row.trials, 'trial')})"
            for row in each(ordered)
        ]
        said.append(f"{sweep}: {'; '.join(parts)}.")
    return said


def conclusions(table: pandas.DataFrame) -> list[str]:
    said = []
    verdicts = {"yes": "holds", "no": "does not hold, the opposite does", "unclear": "is left open"}
    for row in each(table):
        if words.missing(row.difference):
            said.append(
                f"{row.sweep}: “{row.conclusion}” cannot be tested ({row.trials_a} trials against {row.trials_b}: "
                f"{row.comparison})."
            )
            continue
        text = (
            f"{row.sweep}: “{row.conclusion}” {verdicts[str(row.holds)]}: difference "
            f"{words.points(row.difference)}{words.interval(row.low, row.high, digits=1)} points, "
            f"{row.trials_a} trials against {row.trials_b}"
        )
        if not words.missing(row.adjusted):
            told = words.verdict(row.adjusted, row.adjusted_low, row.adjusted_high)
            clear = {"more": "in favour", "less": "against", "": "undecided"}[told]
            ends = words.interval(row.adjusted_low, row.adjusted_high, digits=1)
            text += f". At equal other settings {words.points(row.adjusted)}{ends} points: {clear}"
        said.append(f"{text}.")
    return said


def losses(table: pandas.DataFrame) -> list[str]:
    said = []
    for row in each(table):
        text = words.compare(
            "cross-entropy", "squared error", row.difference, row.low, row.high, row.pairs, thing="pair"
        )  # fmt: skip
        said.append(
            f"On {NAMES.get(row.images, row.images)} images {text}; cross-entropy is the more accurate in "
            f"{words.percent(row.better, 0)} of the pairs."
        )
    return said


def classes(table: pandas.DataFrame) -> list[str]:
    said = []
    for sweep, mine in table.groupby("sweep", sort=False):
        worst = mine.groupby("class")["f1"].max().idxmin()
        values = mine[mine["class"] == worst]["f1"]
        said.append(
            f"{sweep}: the class found worst by its best setting is {worst}, F1 {words.spread(list(values), 1, '', 2)} "
            f"({words.count(len(values), 'seed')})."
        )
    return said


def carried(table: pandas.DataFrame) -> list[str]:
    alive = table[table["test_accuracy"].notna()]
    return [
        f"On {dataset}, the {words.count(mine['rank'].nunique(), 'configuration')} carried over reach "
        f"{words.spread(list(mine['test_accuracy']))} test accuracy ({words.count(len(mine), 'run')})."
        for dataset, mine in alive.groupby("dataset", sort=False)
    ]
