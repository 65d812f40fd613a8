"""Choosing a learning rate on validation data; test accuracy is never looked at.

Score of a rate: its validation loss, averaged over the last evaluations of each lane and then over the sweep's seeds.
A rate with a diverged lane cannot win, however good its other lanes are, nor can one with a lane whose validation loss
overflowed in these evaluations; of equal scores the smaller rate wins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from winnow.errors import UserError
from winnow.rates import rate_text

if TYPE_CHECKING:
    import pandas


def read(spec: Mapping[str, Any]) -> tuple[int, dict[str, list[str]]]:
    """(evaluations to average, {rate: folders of its runs}) of a spec; UserError unless it says what to choose from."""
    last: Any = spec.get("last")
    candidates: Any = spec.get("candidates")
    found: dict[str, list[str]] = {}
    right = isinstance(last, int) and last > 0 and isinstance(candidates, list) and len(candidates) > 0
    for entry in candidates if right else ():
        folders = entry.get("folders") if isinstance(entry, dict) and "lr" in entry else None
        if not isinstance(folders, list) or not folders or not all(isinstance(folder, str) for folder in folders):
            right = False
            break
        rate_text(entry["lr"])
        found[str(entry["lr"])] = folders
    if not right or len(found) < len(candidates):
        raise UserError(
            '--spec must say what to choose from: {"last": 3, "candidates": [{"lr": "0.7", "folders": ["DIR"]}]}, or '
            "@FILE with that in it. `last` is a whole number of at least 1. There is at least one candidate, each has "
            "another rate and at least one folder: that of a dense run with validation images."
        )
    return last, found


def diverged_step(lane: pandas.DataFrame) -> int | None:
    """The iteration at which a lane (its metrics rows) diverged, None if it did not."""
    steps = lane["diverged_step"].dropna()
    return int(steps.iloc[-1]) if len(steps) else None


def lane_loss(lane: pandas.DataFrame, last: int) -> float | None:
    """Mean validation loss (nats per image) over the last `last` evaluations of one lane (its metrics rows).

    None if the lane diverged or if one of these losses is empty: every evaluation has a row and, where images are
    held out, a loss, unless that overflowed.
    """
    losses = lane["validation_loss"].to_numpy(dtype=float)[-last:]
    if diverged_step(lane) is not None or len(losses) == 0 or not all(map(math.isfinite, losses)):
        return None
    return float(losses.mean())


def score(tables: Sequence[pandas.DataFrame], last: int) -> float | None:
    """Selection loss (nats per image) of one rate from the metrics of all its runs; None if any lane has none.

    UserError if a lane that did not diverge was trained on all images. An accuracy is always finite, so held-out images
    leave one also where the loss overflowed.
    """
    losses = []
    for table in tables:
        for seed, lane in table.groupby("seed"):
            loss = lane_loss(lane, last)
            empty = lane[["validation_loss", "validation_accuracy"]].isna().to_numpy().all()
            if diverged_step(lane) is None and empty:
                raise UserError(
                    f"Seed {seed} has no validation loss to select a learning rate with: it was trained on all images. "
                    "The sweep needs train_on: holdout."
                )
            losses.append(loss)
    if not losses or any(loss is None for loss in losses):
        return None
    return float(sum(loss for loss in losses if loss is not None) / len(losses))


def select(scores: Mapping[str, float | None]) -> dict[str, Any]:
    """The contents of best.json: the winning rate and every candidate's loss, in ascending order of rate.

    `scores` maps a rate (its text) to its selection loss, None for a rate with a diverged lane (or, told as the same,
    an overflowed loss). "lr" is None if a lane diverged at every rate: the sweep is still told, and only a job that is
    to use the selected rate fails.
    """
    candidates = [
        {"lr": rate, "loss": scores[rate], "diverged": scores[rate] is None} for rate in sorted(scores, key=Decimal)
    ]
    finished = [rate for rate in sorted(scores, key=Decimal) if scores[rate] is not None]
    # min keeps the first of equals: the smaller rate
    best = min(finished, key=lambda rate: scores[rate] or 0.0, default=None)
    return {"lr": best, "candidates": candidates}
