"""How far a job is that trains one trial after another: a file as a single training has it (winnow/progress.py)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from winnow import progress_file


class TrialProgress:
    """Keeps `file` (None: nothing); `trials` that there are in all, and the sum of their `work`, in any unit.

    Keys: trial, trials, epoch, epochs (of the trial), seconds_left (of the job), and of the trial's newest evaluation
    (None before the first) accuracy (on validation images), rate.
    """

    def __init__(self, file: Path | None, trials: int, work: float) -> None:
        self.file, self.trials, self.work = file, trials, work
        self.started, self.written = time.monotonic(), -progress_file.EVERY
        self.first: float | None = None

    def begin(self, before: int, done: float, share: float = 1.0) -> None:
        """A trial begins after `before` others, which were `done` of the work; it is a `share` itself."""
        self.before, self.done, self.share = before, done, share
        self.first = done if self.first is None else self.first  # what was there when this process began
        self.newest: dict[str, Any] = {"accuracy": None, "rate": None}

    def tick(self, epoch: Callable[[], float], epochs: float) -> None:
        """The trial has made a step; `epoch` is asked where it is when something is written."""
        now = time.monotonic()
        if self.file is None or self.first is None or now - self.written < progress_file.EVERY:
            return
        self.written, at = now, epoch()
        done = self.done + self.share * at / epochs
        left = (self.work - done) * (now - self.started) / (done - self.first) if done > self.first else None
        place = {"trial": self.before + 1, "trials": self.trials, "epoch": at, "epochs": epochs, "seconds_left": left}
        progress_file.write(self.file, {**place, **self.newest})

    def row(self, row: Mapping[str, Any], epochs: float, rate: float) -> None:
        """The trial was evaluated: its newest row of `metrics`."""
        self.newest = {"accuracy": row["validation_accuracy"], "rate": rate}
        self.tick(lambda: row["epoch"], epochs)
