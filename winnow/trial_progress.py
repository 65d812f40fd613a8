"""How far a job is that trains one trial after another: a file as a single training has it (winnow/progress.py)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from winnow import io

EVERY = 1.0  # seconds between two versions of the file, at least


class TrialProgress:
    """Keeps `file` (None: nothing); `trials` that there are in all, and the sum of their `work`, in any unit.

    Keys: trial, trials, epoch, epochs (of the trial), accuracy (on validation images), rate, seconds_left (of the job).
    A file that cannot be written is left out.
    """

    def __init__(self, file: Path | None, trials: int, work: float) -> None:
        self.file, self.trials, self.work = file, trials, work
        self.started, self.written = time.monotonic(), -EVERY
        self.first: float | None = None

    def begin(self, before: int, done: float, share: float = 1.0) -> None:
        """A trial begins after `before` others, which were `done` of the work; it is a `share` itself."""
        self.before, self.done, self.share = before, done, share
        self.first = done if self.first is None else self.first  # what was there when this process began

    def row(self, row: Mapping[str, Any], epochs: float, rate: float) -> None:
        """The trial was evaluated: its newest row of `metrics`."""
        now = time.monotonic()
        if self.file is None or self.first is None or now - self.written < EVERY:
            return
        self.written = now
        done = self.done + self.share * row["epoch"] / epochs
        left = (self.work - done) * (now - self.started) / (done - self.first) if done > self.first else None
        with contextlib.suppress(OSError):
            io.write_json(
                self.file,
                {
                    "trial": self.before + 1, "trials": self.trials, "epoch": row["epoch"], "epochs": epochs,
                    "accuracy": row["validation_accuracy"], "rate": rate, "seconds_left": left,
                },
            )  # fmt: skip
