"""What a waiting person sees of a training job: a line per evaluation, in a terminal a bar below, and progress.json.

The file is rewritten at every evaluation and, in between, once a second: an epoch may take minutes, and a short job may
have no other.

A chain of jobs in one process may show one bar over all of them instead (`Chain`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

from winnow import clock, progress_file
from winnow.timeline import Timeline

REDRAW = 0.2  # seconds
WIDTH = 79
_chain: ContextVar[Chain | None] = ContextVar("chain", default=None)


class Chain:
    """One bar over `jobs` training jobs in place of theirs; outside a terminal or notebook a line for each job.

    stream: where to; None shows nothing. Times left count what was trained here, not what the store had.
    """

    def __init__(self, jobs: int, stream: TextIO | None) -> None:
        self.jobs, self.stream = jobs, stream
        self.redrawn = stream is not None and (stream.isatty() or "ipykernel" in sys.modules)
        self.started, self.drawn = time.monotonic(), 0.0
        self.done, self.label = 0, ""
        self.before = self.trained = 0.0  # jobs trained here: the finished ones, and with a part of the one that runs

    @contextlib.contextmanager
    def job(self, label: str) -> Iterator[None]:
        """While inside, training jobs report here."""
        self.label = label
        token = _chain.set(self)
        try:
            yield
            self.done, self.before = self.done + 1, self.trained
            if self.stream is not None and not self.redrawn:
                self.stream.write(f"{label}: done{self._left(self.done)}\n")
        finally:
            _chain.reset(token)
            if self.stream is not None and self.redrawn:  # what is printed next has a line of its own
                self.stream.write("\r" + " " * WIDTH + "\r")
                self.stream.flush()

    def tick(self, done: float, trained: float, text: str) -> None:
        """The job that runs is `done` (in [0, 1]), a share `trained` of it here."""
        self.trained = self.before + trained
        if self.stream is not None and self.redrawn and time.monotonic() - self.drawn > REDRAW:
            self.drawn = time.monotonic()
            position = self.done + done
            bar = int(20 * position / self.jobs)
            line = f"[{'#' * bar}{'.' * (20 - bar)}] {self.label}{self._left(position)}, {text}"
            self.stream.write("\r" + line[:WIDTH].ljust(WIDTH))
            self.stream.flush()

    def _left(self, position: float) -> str:
        if not self.trained or position >= self.jobs:
            return ""
        return f", {clock.text((time.monotonic() - self.started) / self.trained * (self.jobs - position))} left"


class Progress:
    """Reports a run of `lanes` lanes, of the iterations `first` to `last` of a timeline.

    progress.json: epoch, epochs, images_per_second, seconds_left, and of the newest metrics row (None before the first)
    loss, accuracy (test, mean over lanes), rate, diverged.
    """

    def __init__(
        self, out: Path, first: int, last: int, timeline: Timeline, lanes: int, stream: TextIO = sys.stderr
    ) -> None:
        self.out, self.last, self.timeline, self.lanes, self.stream = out, last, timeline, lanes, stream
        self.chain, self.first = _chain.get(), first
        self.terminal = self.chain is None and stream.isatty()
        self.started, self.begun_at = time.monotonic(), first
        self.drawn, self.written = 0.0, self.started
        self.text = ""
        self.newest: dict[str, Any] = {"loss": None, "accuracy": None, "rate": None, "diverged": []}

    def begin(self, iteration: int) -> None:
        """Training (re)starts at `iteration`: speeds count from here."""
        self.started = self.written = time.monotonic()
        self.begun_at = iteration

    def tick(self, iteration: int) -> None:
        """After a step: the file, once a second; in a terminal the bar, at most five times a second, or the chain's."""
        now = time.monotonic()
        if now - self.written >= progress_file.EVERY:
            self._write(iteration)
        if self.chain is not None:
            length = self._images(self.first, self.last)
            done, trained = (self._images(since, iteration) / length for since in (self.first, self.begun_at))
            self.chain.tick(done, trained, self.text)
        elif self.terminal and now - self.drawn > REDRAW:
            self.drawn = now
            done = int(30 * self._images(0, iteration) / self._images(0, self.last))
            self.stream.write(f"\r[{'#' * done}{'.' * (30 - done)}] {self._where(iteration)}\x1b[K")
            self.stream.flush()

    def row(self, iteration: int, rows: list[dict[str, Any]]) -> None:
        """After a metrics row: `rows` are the lanes' newest rows."""
        loss, accuracy = _mean(rows, "train_loss"), _mean(rows, "test_accuracy")
        self.text = f"loss {_show(loss, '.4f')} accuracy {_show(accuracy, '.2%')}"
        diverged = [row["seed"] for row in rows if row["diverged_step"] is not None]
        note = f" diverged: seeds {diverged}" if diverged else ""
        if self.chain is None:
            over, rest = ("\r", "\x1b[K") if self.terminal else ("", "")  # in place of the bar, which goes on below
            self.stream.write(f"{over}{self._where(iteration)}, {self._sets(rows)}{note}{rest}\n")
        self.stream.flush()
        self.newest = {"loss": loss, "accuracy": accuracy, "rate": rows[-1]["lr"], "diverged": diverged}
        self._write(iteration)

    def _write(self, iteration: int) -> None:
        self.written = time.monotonic()
        speed, left = self._speed(iteration)
        place = {"epoch": self.timeline.passes(iteration), "epochs": self.timeline.passes(self.last)}
        pace = {"images_per_second": speed, "seconds_left": left}
        progress_file.write(self.out / "progress.json", {**place, **pace, **self.newest})

    def _sets(self, rows: list[dict[str, Any]]) -> str:
        """Loss and accuracy of every set of images that was looked at."""
        shown = []
        for part, name in (("train", "training"), ("validation", "validation"), ("test", "test")):
            loss, accuracy = _mean(rows, f"{part}_loss"), _mean(rows, f"{part}_accuracy")
            if part == "train" or loss is not None:
                shown.append(f"{name} {_show(loss, '.4f')} {_show(accuracy, '.2%')}")
        return "loss and accuracy: " + ", ".join(shown)

    def _speed(self, iteration: int) -> tuple[float, float]:
        seconds = max(time.monotonic() - self.started, 1e-9)
        images = self._images(self.begun_at, iteration) / seconds
        return images * self.lanes, self._images(iteration, self.last) / images if images else 0.0

    def _images(self, first: int, last: int) -> int:
        """Images that each lane sees between two iterations."""
        return self.timeline.seen(last) - self.timeline.seen(first)

    def _where(self, iteration: int) -> str:
        epoch, epochs = self.timeline.passes(iteration), self.timeline.passes(self.last)
        return f"epoch {epoch:.4g}/{epochs:.4g}, {clock.text(self._speed(iteration)[1])} left"


def _mean(rows: list[dict[str, Any]], column: str) -> float | None:
    values = [row[column] for row in rows if row.get(column) is not None]
    return sum(values) / len(values) if values else None


def _show(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
