"""What a waiting person sees of a training job: a line per evaluation, in a terminal a bar below, and progress.json.

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

from winnow import io
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
        return f", {_clock((time.monotonic() - self.started) / self.trained * (self.jobs - position))} left"


class Progress:
    """Reports a run of `lanes` lanes, of the iterations `first` to `last` of a timeline.

    progress.json, rewritten atomically with every metrics row: epoch, epochs, loss, accuracy (test, mean over lanes),
    rate, images_per_second, seconds_left.
    """

    def __init__(
        self, out: Path, first: int, last: int, timeline: Timeline, lanes: int, stream: TextIO = sys.stderr
    ) -> None:
        self.out, self.last, self.timeline, self.lanes, self.stream = out, last, timeline, lanes, stream
        self.chain, self.first = _chain.get(), first
        self.terminal = self.chain is None and stream.isatty()
        self.started, self.begun_at = time.monotonic(), first
        self.drawn = 0.0
        self.text = ""

    def begin(self, iteration: int) -> None:
        """Training (re)starts at `iteration`: speeds count from here."""
        self.started, self.begun_at = time.monotonic(), iteration

    def tick(self, iteration: int) -> None:
        """After a step: redraw the bar, at most five times a second, in a terminal only; or tell the chain."""
        if self.chain is not None:
            length = self._images(self.first, self.last)
            done, trained = (self._images(since, iteration) / length for since in (self.first, self.begun_at))
            self.chain.tick(done, trained, self.text)
        elif self.terminal and time.monotonic() - self.drawn > REDRAW:
            self.drawn = time.monotonic()
            done = int(30 * self._images(0, iteration) / self._images(0, self.last))
            self.stream.write(f"\r[{'#' * done}{'.' * (30 - done)}] {self._where(iteration)}\x1b[K")
            self.stream.flush()

    def row(self, iteration: int, rows: list[dict[str, Any]]) -> None:
        """After a metrics row: `rows` are the lanes' newest rows."""
        loss, accuracy = _mean(rows, "train_loss"), _mean(rows, "test_accuracy")
        speed, left = self._speed(iteration)
        self.text = f"loss {_show(loss, '.4f')} accuracy {_show(accuracy, '.2%')}"
        diverged = [row["seed"] for row in rows if row["diverged_step"] is not None]
        note = f" diverged: seeds {diverged}" if diverged else ""
        if self.chain is None:
            over, rest = ("\r", "\x1b[K") if self.terminal else ("", "")  # in place of the bar, which goes on below
            self.stream.write(f"{over}{self._where(iteration)}, {self._sets(rows)}{note}{rest}\n")
        self.stream.flush()
        io.write_json(
            self.out / "progress.json",
            {
                "epoch": self.timeline.passes(iteration), "epochs": self.timeline.passes(self.last),
                "loss": loss, "accuracy": accuracy, "rate": rows[-1]["lr"], "images_per_second": speed,
                "seconds_left": left, "diverged": diverged,
            },
        )  # fmt: skip

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
        return f"epoch {epoch:.4g}/{epochs:.4g}, {_clock(self._speed(iteration)[1])} left"


def _clock(seconds: float) -> str:
    """Minutes and seconds: `61:05`."""
    return "{}:{:02d}".format(*divmod(int(seconds), 60))


def _mean(rows: list[dict[str, Any]], column: str) -> float | None:
    values = [row[column] for row in rows if row.get(column) is not None]
    return sum(values) / len(values) if values else None


def _show(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
