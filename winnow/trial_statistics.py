"""What the trials of a sweep say about its settings: importance and correlation, per setting and per value.

All of it is about the last validation accuracy. Trials without one, which diverged, are left out; one that was stopped
early counts with what it had reached. A sweep searches where it found good trials, so that its trials are no random
sample of the space: settings that go together in good trials share the credit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from winnow.schemas import SETTINGS
from winnow.statistics import estimate, rank_correlation

if TYPE_CHECKING:
    import pandas

MANY = 12  # different values: a setting with more is taken as continuous
BINS = 4
LOG = 30  # a continuous setting that spans such a ratio is looked at on a logarithmic axis
TREES = 64

ACCURACY = "validation_accuracy"


def known(trials: pandas.DataFrame) -> pandas.DataFrame:
    """The trials with a validation accuracy."""
    rows: pandas.DataFrame = trials[np.isfinite(trials[ACCURACY].astype(float))]
    return rows


def varied(trials: pandas.DataFrame) -> list[str]:
    """The settings with at least two values among the trials, in the order of the table; to lack one is a value."""
    return [name for name in SETTINGS if trials[name].nunique(dropna=False) > 1]


def ordered(column: pandas.Series[Any]) -> bool:
    """Whether a setting is a number."""
    return column.dtype.kind in "iuf"


def listed(column: pandas.Series[Any]) -> bool:
    """Whether a setting has few values, as a list of choices has: always so for names."""
    distinct = column.nunique()
    if not ordered(column) or distinct <= 3:
        return True
    whole = bool((column.dropna() % 1 == 0).all())
    return distinct <= (MANY if whole else min(MANY, len(column) // 2))


def text(value: object) -> str:
    """A setting's value as tables show it."""
    return f"{value:g}" if isinstance(value, (int, float, np.number)) else str(value)


def _rounded(number: float) -> str:
    return text(float(f"{number:.2g}"))


def values(column: pandas.Series[Any]) -> list[tuple[str, np.ndarray]]:
    """(text, which trials have it) of a setting's values: in ascending order, names in order of the alphabet.

    A continuous setting has four ranges with about equally many trials.
    """
    if listed(column):
        return [(text(value), (column == value).to_numpy()) for value in sorted(column.dropna().unique())]
    edges = np.unique(np.quantile(column.dropna(), np.linspace(0, 1, BINS + 1)))
    found = []
    for i, (low, high) in enumerate(pairwise(edges)):
        inside = (column >= low) & (column <= high if i == len(edges) - 2 else column < high)
        found.append((f"{_rounded(low)} to {_rounded(high)}", inside.to_numpy()))
    return found


def value_rows(trials: pandas.DataFrame) -> list[dict[str, object]]:
    """Per varied setting and value: number, mean, standard deviation and largest of the accuracies; correlation."""
    trials = known(trials)
    accuracy = trials[ACCURACY].to_numpy(dtype=float)
    rows: list[dict[str, object]] = []
    for parameter in varied(trials):
        for value, inside in values(trials[parameter]):
            found = estimate(accuracy[inside].tolist())
            rows.append(
                {
                    "parameter": parameter,
                    "value": value,
                    "trials": found.n,
                    "mean": found.mean,
                    "sd": found.sd,
                    "best": float(accuracy[inside].max()) if found.n else None,
                    "correlation": rank_correlation(inside.astype(float).tolist(), accuracy.tolist()),
                }
            )
    return rows


def correlation(trials: pandas.DataFrame, parameter: str) -> float | None:
    """Spearman's correlation of a setting with the accuracy; None for names, and where a sweep has too few trials."""
    trials = known(trials).dropna(subset=[parameter])
    if not ordered(trials[parameter]):
        return None
    return rank_correlation(trials[parameter].tolist(), trials[ACCURACY].tolist())


def coordinate(column: pandas.Series[Any], accuracy: np.ndarray) -> tuple[np.ndarray, float, float]:
    """A setting as a number to split on, and the ends of its range, every part of which weighs alike.

    Choices: their rank, at the middle of a unit interval each; names are ranked by mean accuracy, which loses no split
    (Breiman et al. 1984, section 4.2.2). Continuous: the value, or its logarithm.
    """
    if listed(column):
        means = {value: float(accuracy[(column == value).to_numpy()].mean()) for value in column.unique()}
        order = sorted(means) if ordered(column) else sorted(means, key=lambda value: (means[value], value))
        ranks = column.map({value: float(rank) for rank, value in enumerate(order)}).to_numpy(dtype=float)
        return ranks, -0.5, len(order) - 0.5
    at = column.to_numpy(dtype=float)
    if at.min() > 0 and at.max() / at.min() >= LOG:
        at = np.log(at)
    return at, float(at.min()), float(at.max())


def importances(trials: pandas.DataFrame, parameters: Sequence[str]) -> dict[str, float | None]:
    """Share of each setting in the variance that single settings explain, by fANOVA (Hutter, Hoos and Leyton-Brown
    2014, ICML) with a random forest of fixed seed; the shares add up to 1.

    None for a number that some trials lack (to lack a name is one more choice), and for all settings where the
    accuracies do not differ.
    """
    import optuna

    trials = known(trials)
    accuracy = trials[ACCURACY].to_numpy(dtype=float)
    names = [name for name in parameters if not ordered(trials[name])]
    trials = trials.assign(**{name: trials[name].astype(object).where(trials[name].notna(), "") for name in names})
    used = [name for name in parameters if trials[name].notna().all()]
    if len(trials) < 2 or np.ptp(accuracy) == 0 or not used:
        return dict.fromkeys(parameters)
    columns: dict[str, np.ndarray] = {}
    distributions: dict[str, optuna.distributions.BaseDistribution] = {}
    for name in used:
        columns[name], low, high = coordinate(trials[name], accuracy)
        distributions[name] = optuna.distributions.FloatDistribution(low, high)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            optuna.create_trial(
                params={name: float(columns[name][i]) for name in used}, distributions=distributions, value=value
            )
            for i, value in enumerate(accuracy.tolist())
        ]
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0)
    shares = evaluator.evaluate(study, params=used)
    total = sum(shares.values())
    return {name: shares[name] / total if name in shares and total > 0 else None for name in parameters}


def importance_rows(trials: pandas.DataFrame) -> list[dict[str, object]]:
    """Importance and correlation of every varied setting, the most important first."""
    trials = known(trials)
    shares = importances(trials, varied(trials))
    return [
        {"parameter": name, "importance": shares[name], "correlation": correlation(trials, name)}
        for name in sorted(shares, key=lambda name: -(shares[name] or 0.0))
    ]
