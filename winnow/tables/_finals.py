"""The final runs of a study of optimisers, as its joint tables see them: lanes with what they had cost at every row.

Multiply-adds are counted as if no weight were zero: 3 of the network's forward pass per gradient of an image (one for
the pass itself, two for the way back), and those of the optimiser's own matrix products per step. Seconds are those of
the whole job, on a CPU of the processor, which other work beside it does not lengthen. They are told for its lanes and
evaluations in proportion to the multiply-adds: steps differ where the batch grows, and lanes where each trains alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winnow import io
from winnow.selection import diverged_step
from winnow.tables._runs import Run

if TYPE_CHECKING:
    import pandas

COST = ("sample_gradients", "multiply_adds", "seconds")
PASSES = 3  # of the network per gradient, in units of a forward pass


@dataclass(frozen=True)
class Lane:
    """One seed of a final run; `rows` are its metrics in order, with the columns multiply_adds and seconds."""

    run: Run
    seed: int
    lr: str
    sparsifier: str | None
    rows: pandas.DataFrame

    @property
    def columns(self) -> dict[str, object]:
        """The columns scenario, arm and seed."""
        return {"scenario": self.run.recipe, "arm": self.run.arm, "seed": self.seed}

    @property
    def diverged_step(self) -> int | None:
        """The iteration at which the lane diverged; None if it did not."""
        return diverged_step(self.rows)

    def end(self) -> dict[str, Any]:
        """What the lane ended with; losses and accuracy are None if it diverged."""
        last = self.rows.iloc[-1]
        alive = self.diverged_step is None
        return {
            "sparsifier": self.sparsifier,
            "density": last["density"],
            **{name: last[name] if alive else None for name in ("train_loss", "test_loss", "test_accuracy")},
            **{name: last[name] for name in COST},
            "diverged_step": self.diverged_step,
        }


def lanes(runs: list[Run]) -> Iterator[Lane]:
    """Every lane of the final runs, in the order of the runs."""
    for run in (run for run in runs if run.group == "final"):
        record = io.read_json(Path(run.folder, "run.json"))
        uses, sizes = record["multiply_adds"], record["parameters"]
        gradient = PASSES * sum(uses[name] * sizes[name] for name in uses)
        found = dict(run.lanes())
        sparsifier = (record["spec"].get("sparsify") or {}).get("name")
        spent = record["processor_seconds" if record["device"] == "cpu" else "train_seconds"]
        update = record["update_multiply_adds"]
        work = {seed: rows["sample_gradients"] * gradient + rows["iteration"] * update for seed, rows in found.items()}
        total = sum(done.iloc[-1] for done in work.values())
        for seed, rows in found.items():
            seconds = spent * work[seed] / max(total, 1)
            rows = rows.assign(multiply_adds=work[seed].round().astype("int64"), seconds=seconds)
            yield Lane(run, seed, str(record["lr"]), sparsifier, rows)
