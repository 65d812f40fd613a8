"""A worker of a sweep, and what its trials add up to: rows of tables, and the configurations in their order.

A trial's value is the validation accuracy after its last epoch. A trial whose loss was no finite number at some step is
told with the value 0, below that of every other trial: so the search learns to stay away, which it would not from a
failed one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from winnow import io, plugins, provenance, scratch_space
from winnow.data import Data
from winnow.errors import UserError
from winnow.numpy_options import run_name
from winnow.scratch import training
from winnow.scratch_run import finite
from winnow.search import Search
from winnow.trial_progress import TrialProgress

EPOCH = ("epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def read(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec of a sweep, its space checked. UserError unless it has all that a sweep needs."""
    try:
        trials, whole = spec["trials"], isinstance(spec["trials"], int) and spec["trials"] > 0
        plugins.path("datasets", spec["dataset"])
        checked = {"dataset": spec["dataset"], "trials": trials, "space": scratch_space.check(spec["space"])}
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise UserError(
            '--spec must say what to search: {"dataset": "fashion_mnist", "trials": 100, "space": {"learning_rate": '
            "[0.001, 0.0001]}}, or @FILE with that in it."
        )
    return {**checked, "stop_hopeless": bool(spec.get("stop_hopeless", False))}


def folder(sweeps: Path, spec: dict[str, Any], data: Path) -> Path:
    """Where a sweep is recorded: named by all that decides a trial's result, and by the space, but not by its length.

    spec: `dataset`, `space` and `stop_hopeless`. So more trials, or other workers, go on with what there is.
    """
    what = {key: spec[key] for key in ("dataset", "space", "stop_hopeless")}
    used, dataset = [("datasets", spec["dataset"])], io.read_json(data / "dataset.json")
    return sweeps / provenance.result_key(what, "winnow/scratch/training.py", used, dataset)


def work(search: Search, data: Data, trials: int, worker: int, shown: Path | None = None) -> None:
    """Train until the sweep has `trials` finished or running ones. `shown`: the file that tells how far it is."""
    progress = TrialProgress(shown, trials, trials)
    while (trial := search.next(trials)) is not None:
        settings = scratch_space.settings(trial.params)
        finished = len(search.finished())
        progress.begin(finished, finished)
        started, began = time.time(), time.monotonic()
        rows: list[dict[str, Any]] = []
        pruned = False
        made = training.on(settings, data, test=False)
        for row in made.epochs(_tick(progress, made.per_epoch, settings.epochs)):
            rows.append(finite({column: row[column] for column in (*EPOCH, "diverged_step")}))
            progress.row(row, settings.epochs, settings.learning_rate)
            accuracy = row["validation_accuracy"]
            if accuracy is not None and len(rows) < settings.epochs and search.hopeless(trial, len(rows), accuracy):
                pruned = True
                break
        seconds = time.monotonic() - began
        value = rows[-1]["validation_accuracy"] or 0.0
        times = {"seconds": seconds, "started": started, "finished": started + seconds}
        search.finish(trial, {"rows": rows, **times, "worker": worker}, value, pruned)
        print(f"trial {trial.number}: {run_name(settings)}, accuracy {value:.2%}, {seconds:.1f} s", flush=True)


def _tick(progress: TrialProgress, per_epoch: int, epochs: int) -> Callable[[int], None]:
    """What a training calls after every step."""
    return lambda iteration: progress.tick(lambda: iteration / per_epoch, epochs)


def trial_rows(sweep: str, trials: list[FrozenTrial]) -> Iterator[dict[str, Any]]:
    """Rows of the table `trials`, numbered from 0 in the order in which the trials were begun."""
    clock = _running_time(trials)
    for number, trial in enumerate(trials):
        settings, result = scratch_space.settings(trial.params), trial.user_attrs["result"]
        last = result["rows"][-1]
        diverged = last["diverged_step"] is not None
        yield {
            "sweep": sweep, "trial": number, "name": run_name(settings),
            "state": "diverged" if diverged else "pruned" if result["pruned"] else "complete",
            **scratch_space.columns(settings),
            **{column: None if diverged else last[column] for column in EPOCH if column != "epoch"},
            "seconds": result["seconds"], "started": clock[result["started"]], "finished": clock[result["finished"]],
            "worker": result["worker"],
        }  # fmt: skip


def epoch_rows(sweep: str, trials: list[FrozenTrial]) -> Iterator[dict[str, Any]]:
    """Rows of the table `trial_epochs`, with the numbers of `trial_rows`."""
    for number, trial in enumerate(trials):
        for row in trial.user_attrs["result"]["rows"]:
            yield {"sweep": sweep, "trial": number, **{column: row[column] for column in EPOCH}}


def _running_time(trials: list[FrozenTrial]) -> dict[float, float]:
    """{moment: seconds since the first trial began, less those in which no trial ran} for every start and end."""
    spans = sorted((trial.user_attrs["result"][key], key) for trial in trials for key in ("finished", "started"))
    found: dict[float, float] = {}
    elapsed, before, running = 0.0, 0.0, 0
    for moment, key in spans:
        elapsed += moment - before if running else 0.0
        running += 1 if key == "started" else -1
        found[moment] = elapsed
        before = moment
    return found


def _merit(row: dict[str, Any]) -> tuple[float, float, int]:
    loss = row["validation_loss"]
    return -row["validation_accuracy"], math.inf if loss is None else loss, row["trial"]


def configurations(sweep: str, trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    """Complete trials, the best first: by validation accuracy after the last epoch, then lower loss, then number."""
    rows = [row for row in trial_rows(sweep, trials) if row["state"] == "complete"]
    rows.sort(key=_merit)
    return [
        {
            "rank": rank,
            **{column: row[column] for column in ("trial", "name", "validation_accuracy", "validation_loss")},
            "settings": asdict(scratch_space.settings(trials[row["trial"]].params)),
        }
        for rank, row in enumerate(rows, start=1)
    ]
