"""Whether what was concluded from an earlier sweep of the same space holds in these trials.

Every conclusion says that the trials of one group reach a higher validation accuracy than those of another. A sweep
searches where it found good trials, so that the groups may differ in their other settings, too, of which Welch's
interval knows nothing: the adjusted difference is that at equal other settings, taken to add up. Trials without an
accuracy, which diverged, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from winnow.statistics import Difference, adjusted, estimate, welch
from winnow.tables._runs import Run
from winnow.trial_statistics import ACCURACY, known, values, varied

if TYPE_CHECKING:
    import pandas

GROUPS = ("sweep",)
FILES = ("trials.csv",)
SGD_FAMILY = ["sgd", "momentum", "nag"]


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Six per sweep; a group without trials leaves its mean empty."""
    for run in runs:
        for row in conclusion_rows(run.trials()):
            yield {"sweep": run.arm, **row}


def conclusion_rows(trials: pandas.DataFrame) -> Iterator[dict[str, object]]:
    """The rows of one sweep, without its name."""
    trials = known(trials)
    accuracy = trials[ACCURACY].to_numpy(dtype=float)
    for conclusion, comparison, about, a, b in claims(trials):
        first, second = accuracy[a].tolist(), accuracy[b].tolist()
        difference = welch(first, second)
        compared = trials[a | b]
        others = [name for name in varied(compared) if name not in about]
        columns = [inside for name in others for _, inside in values(compared[name])]
        equal = adjusted(accuracy[a | b].tolist(), a[a | b], columns)
        yield {
            "conclusion": conclusion,
            "comparison": comparison,
            "trials_a": len(first),
            "mean_a": estimate(first).mean,
            "trials_b": len(second),
            "mean_b": estimate(second).mean,
            "difference": difference.mean,
            "low": difference.low,
            "high": difference.high,
            "holds": holds(difference),
            "adjusted": equal.mean,
            "adjusted_low": equal.low,
            "adjusted_high": equal.high,
        }


def holds(difference: Difference) -> str:
    """'yes' or 'no' where the interval leaves zero out, else 'unclear'."""
    if difference.low is None or difference.high is None:
        return "unclear"
    return "yes" if difference.low > 0 else "no" if difference.high < 0 else "unclear"


def claims(trials: pandas.DataFrame) -> list[tuple[str, str, tuple[str, ...], np.ndarray, np.ndarray]]:
    """(conclusion, comparison, settings that it is about, which trials are in a, which in b)."""
    relu = (trials["activation"] == "relu").to_numpy()
    xavier = (trials["weight_init"] == "xavier").to_numpy()
    large = (trials["batch_size"] >= 32).to_numpy()
    adaptive = trials["optimizer"].isin(["adam", "rmsprop"]).to_numpy()
    adam = (trials["optimizer"] == "adam").to_numpy()
    family = trials["optimizer"].isin(SGD_FAMILY).to_numpy()
    # A sweep over a range of rates hits neither exactly.
    power = np.round(np.log10(trials["learning_rate"].to_numpy(dtype=float)))
    high, low = power == -3, power == -4
    rates = "learning rate {} / {}, as the nearest power of ten"
    return [
        ("ReLU beats the other activations", "relu / others", ("activation",), relu, ~relu),
        ("Xavier beats random initialisation", "xavier / random", ("weight_init",), xavier, ~xavier),
        (
            "ReLU with Xavier beats all others",
            "relu and xavier / all others",
            ("activation", "weight_init"),
            relu & xavier,
            ~(relu & xavier),
        ),
        (
            "larger batches are better with Adam or RMSprop",
            "adam or rmsprop: batches of 32 or more / smaller",
            ("batch_size",),
            adaptive & large,
            adaptive & ~large,
        ),
        (
            "Adam is better at 1e-3 than at 1e-4",
            f"adam: {rates.format('1e-3', '1e-4')}",
            ("learning_rate",),
            adam & high,
            adam & low,
        ),
        (
            "the SGD family is better at 1e-4 than at 1e-3",
            f"{', '.join(SGD_FAMILY)}: {rates.format('1e-4', '1e-3')}",
            ("learning_rate",),
            family & low,
            family & high,
        ),
    ]
