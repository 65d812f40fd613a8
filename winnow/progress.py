"""What a waiting person sees of a training job: a bar in a terminal, plain log lines elsewhere, and progress.json."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, TextIO

from winnow import io


class Progress:
    """Reports a run of iterations `first` to `last` with `images` training images per iteration (all lanes together).

    progress.json, rewritten atomically with every metrics row: epoch, epochs, loss, accuracy (test, mean over lanes),
    rate, images_per_second, seconds_left.
    """

    def __init__(
        self, out: Path, first: int, last: int, per_epoch: int, images: int, stream: TextIO = sys.stderr
    ) -> None:
        self.out, self.last, self.per_epoch, self.images, self.stream = out, last, per_epoch, images, stream
        self.terminal = stream.isatty()
        self.started, self.begun_at = time.monotonic(), first
        self.drawn = 0.0
        self.text = ""

    def begin(self, iteration: int) -> None:
        """Training (re)starts at `iteration`: speeds count from here."""
        self.started, self.begun_at = time.monotonic(), iteration

    def tick(self, iteration: int) -> None:
        """After a step: redraw the bar, at most five times a second, in a terminal only."""
        if self.terminal and time.monotonic() - self.drawn > 0.2:
            self.drawn = time.monotonic()
            done = int(30 * iteration / self.last)
            self.stream.write(f"\r[{'#' * done}{'.' * (30 - done)}] {self._where(iteration)} {self.text}\x1b[K")
            self.stream.flush()

    def row(self, iteration: int, rows: list[dict[str, Any]]) -> None:
        """After a metrics row: `rows` are the lanes' newest rows."""
        loss, accuracy = _mean(rows, "train_loss"), _mean(rows, "test_accuracy")
        speed, left = self._speed(iteration)
        self.text = f"loss {_show(loss, '.4f')} accuracy {_show(accuracy, '.2%')}"
        diverged = [row["seed"] for row in rows if row["diverged_step"] is not None]
        note = f" diverged: seeds {diverged}" if diverged else ""
        if self.terminal:
            self.tick(iteration)
            if iteration >= self.last:
                self.stream.write("\n")
        else:
            self.stream.write(f"{self._where(iteration)} {self.text}{note}\n")
        self.stream.flush()
        io.write_json(
            self.out / "progress.json",
            {
                "epoch": iteration / self.per_epoch, "epochs": self.last / self.per_epoch, "loss": loss,
                "accuracy": accuracy, "rate": rows[-1]["lr"], "images_per_second": speed, "seconds_left": left,
                "diverged": diverged,
            },
        )  # fmt: skip

    def _speed(self, iteration: int) -> tuple[float, float]:
        seconds = max(time.monotonic() - self.started, 1e-9)
        steps = (iteration - self.begun_at) / seconds
        return steps * self.images, (self.last - iteration) / steps if steps else 0.0

    def _where(self, iteration: int) -> str:
        minutes, seconds = divmod(int(self._speed(iteration)[1]), 60)
        epoch, epochs = iteration / self.per_epoch, self.last / self.per_epoch
        return f"epoch {epoch:.4g}/{epochs:.4g}, {minutes}:{seconds:02d} left,"


def _mean(rows: list[dict[str, Any]], column: str) -> float | None:
    values = [row[column] for row in rows if row[column] is not None]
    return sum(values) / len(values) if values else None


def _show(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
