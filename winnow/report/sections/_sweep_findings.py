"""Sentences about a study of sweeps."""

from __future__ import annotations

from typing import Any

import pandas

from winnow.report import words
from winnow.report.content import each
from winnow.report.sections._sweep_charts import varied

NAMES = {"train": "training"}
ABOUT_ACTIVATIONS = "ReLU beats the other activations"  # in the table of conclusions


def best(trials: pandas.DataFrame, again: pandas.DataFrame | None, second: pandas.DataFrame | None = None) -> list[str]:
    """The best trial of each sweep, and what the chosen setting reached anew; `second`: the table of finalists."""
    said = []
    staged = set() if second is None else set(second["sweep"])
    for sweep, mine in trials.groupby("sweep", sort=False):
        states = mine["state"].value_counts()
        others = [f"{states[state]} {state}" for state in ("pruned", "diverged") if state in states]
        text = f"Sweep {sweep}: {words.count(len(mine), 'trial')}" + (
            f", of which {words.listing(others)}" if others else ""
        )
        finished = mine[mine["validation_accuracy"].notna()]
        if finished.empty:
            said.append(f"{text}; none has a validation accuracy.")
            continue
        best = finished.iloc[finished["validation_accuracy"].argmax()]
        chosen = (
            "Which setting is the best was decided anew, with fresh seeds"
            if sweep in staged
            else "It was chosen by this number, which is therefore too high on average"
        )
        said.append(
            f"{text}; the best has {words.percent(best['validation_accuracy'])} validation accuracy "
            f"(trial {best['trial']}: {_settings(best, trials)}). {chosen}."
        )
        if again is not None and len(rows := again[(again["sweep"] == sweep) & again["test_accuracy"].notna()]):
            said.append(
                f"Sweep {sweep}: trained anew, the chosen setting ({_settings(rows.iloc[0], trials)}) reaches "
                f"{words.spread(list(rows['test_accuracy']))} test accuracy (smallest to largest of "
                f"{words.count(len(rows), 'seed')})."
            )
    return said


def finalists(table: pandas.DataFrame) -> list[str]:
    said = []
    for sweep, mine in table.groupby("sweep", sort=False):
        first = mine[mine["rank"] == 1].iloc[0]
        said.append(
            f"{sweep}: its {words.count(len(mine), 'best trial')} were trained again with "
            f"{words.count(first['seeds'], 'fresh seed')} each. The best mean on the validation images, "
            f"{words.percent(first['mean'])}, has trial {first['trial']}, which was number {first['trial_rank']} of "
            f"the sweep with {words.percent(first['trial_accuracy'])}."
        )
    return said


def _settings(row: pandas.Series, trials: pandas.DataFrame) -> str:
    """The settings of a row that differ between trials."""
    names = [name for name in varied(trials) if name in row.index]
    return ", ".join(f"{name.replace('_', ' ')} {_shown(row[name])}" for name in names)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def importance(table: pandas.DataFrame) -> list[str]:
    said = []
    for sweep, mine in table.groupby("sweep", sort=False):
        top = mine.sort_values("importance", ascending=False).head(3)
        parts = [f"{row.parameter.replace('_', ' ')} {words.percent(row.importance, 0)}" for row in each(top)]
        said.append(
            f"Sweep {sweep}: of the variance of validation accuracy that single settings explain, the largest shares "
            f"are {words.listing(parts)} (fANOVA over its trials)."
        )
    return said


def activations(table: pandas.DataFrame, claims: pandas.DataFrame | None) -> list[str]:
    """Per sweep: ReLU against the others, then what each activation reached."""
    said = []
    for sweep, mine in table[table["parameter"] == "activation"].groupby("sweep", sort=False):
        ordered = mine.sort_values("best", ascending=False)
        if claims is not None:
            about = claims[(claims["sweep"] == sweep) & (claims["conclusion"] == ABOUT_ACTIVATIONS)]
            said += [_verdict(row) for row in each(about)]
        parts = [
            f"{row.value} {words.percent(row.best)} (of {words.count(row.trials, 'trial')}, whose mean is "
            f"{words.percent(row.mean)})"
            for row in each(ordered)
        ]
        apart = words.points(ordered["best"].max() - ordered["best"].min(), 2)
        said.append(
            f"Sweep {sweep}, best trial of each: {words.listing(parts)}. These lie within {apart} points; the "
            "means are those of all trials, whatever their other settings."
        )
    return said


def conclusions(table: pandas.DataFrame) -> list[str]:
    return [_verdict(row) for row in each(table)]


def _verdict(row: Any) -> str:
    """A belief: at equal other settings, where that could be estimated, and between the trials as they are."""
    head = f"Sweep {row.sweep}, “{row.conclusion}”"
    if words.missing(row.difference):
        return f"{head}: cannot be tested ({row.trials_a} trials against {row.trials_b}: {row.comparison})."
    trials = f"{row.trials_a} trials against {row.trials_b}"
    raw = f"{words.points(row.difference)}{words.interval(row.low, row.high, digits=1)} points"
    verdicts = {"more": "supported", "less": "contradicted", "": "not decided"}
    if words.missing(row.adjusted):
        clear = verdicts[words.verdict(row.difference, row.low, row.high)]
        return (
            f"{head}: {clear}, {raw} of validation accuracy between the trials as they are, other settings not held "
            f"equal ({trials})."
        )
    clear = verdicts[words.verdict(row.adjusted, row.adjusted_low, row.adjusted_high)]
    ends = words.interval(row.adjusted_low, row.adjusted_high, digits=1)
    return (
        f"{head}: {clear} at equal other settings, {words.points(row.adjusted)}{ends} points of validation "
        f"accuracy; between the trials as they are {raw} ({trials})."
    )


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
            f"Sweep {sweep}: the class found worst by its best setting is {worst}, F1 "
            f"{words.spread(list(values), 1, '', 2)} ({words.count(len(values), 'seed')})."
        )
    return said


def carried(table: pandas.DataFrame) -> list[str]:
    alive = table[table["test_accuracy"].notna()]
    return [
        f"On {dataset}, the {words.count(mine['rank'].nunique(), 'configuration')} carried over reach "
        f"{words.spread(list(mine['test_accuracy']))} test accuracy ({words.count(len(mine), 'run')})."
        for dataset, mine in alive.groupby("dataset", sort=False)
    ]
