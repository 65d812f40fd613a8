"""Run: one finished run folder, as the joint tables see it.

A run with rounds or without has one stage: the density that it trained; where a sparsifier led there, from the first
evaluation at the last density on. A run that prunes at given moments has one stage per density level; the metrics row
that stands for a level is its last epoch, and the levels count as rounds 0, 1, ...
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from winnow import io
from winnow.run_folder import RunFolder
from winnow.selection import diverged_step

if TYPE_CHECKING:
    import pandas

MEAN_OVER = 5  # evaluations: single epochs jump by a point


@dataclass(frozen=True)
class Stage:
    """The epochs of one lane that trained at one density; `rows` are its metrics in order, `path` those that led there,
    too, where they count as no stage of their own."""

    seed: int
    round: int
    density: float
    rows: pandas.DataFrame
    path: pandas.DataFrame

    @property
    def diverged_step(self) -> int | None:
        """The iteration at which the lane diverged, here or before; None if it did not."""
        return diverged_step(self.rows)

    @property
    def mean_accuracy(self) -> float | None:
        """Mean test accuracy over the last 5 evaluations (or all, if fewer); None if diverged: those came before."""
        return (
            None
            if self.diverged_step is not None
            else float(self.rows["test_accuracy"].dropna().tail(MEAN_OVER).mean())
        )


class Run(RunFolder):
    """One run folder and how to read it; `Run(**entry)` of a `runs` entry in make_table's spec."""

    @property
    def arm_folder(self) -> Path:
        """The arm's folder: {arm}/dense/{train_on}/{rate}/{seeds} or {arm}/{recipe}/{seeds}/round{r} hold the run."""
        return Path(self.folder).parents[3 if self.group in ("sweep", "dense") else 2]

    @property
    def lr(self) -> str:
        """The learning rate as text; for a run at the rate 'best' the one that selection chose."""
        return str(self.best()["lr"]) if self.rate == "best" else self.rate.removeprefix("lr")

    def best(self) -> Any:
        """The arm's best.json."""
        return io.read_json(self.arm_folder / "best.json")

    def read(self, name: str, schema: str) -> pandas.DataFrame:
        """One table of the run folder, with the rows of this run's seeds only."""
        table = io.read_table(Path(self.folder, name), schema)
        return table[table["seed"].isin(self.seeds)]

    def rows(self, name: str, schema: str) -> Iterator[dict[str, object]]:
        """All rows of a file of the run folder."""
        for row in io.read_table(Path(self.folder, name), schema).to_dict("records"):
            yield {str(key): value for key, value in row.items()}

    def trials(self) -> pandas.DataFrame:
        """The trials of a sweep."""
        return io.read_table(Path(self.folder, "trials.csv"), "trials")

    def lanes(self) -> Iterator[tuple[int, pandas.DataFrame]]:
        """(seed, metrics of that lane in order of training)."""
        for seed, lane in self.read("metrics.csv", "metrics").groupby("seed"):
            yield int(str(seed)), lane.sort_values("iteration", kind="stable")

    def stages(self) -> Iterator[Stage]:
        """One stage per lane; for an in-run recipe one per lane and density level, from dense to sparse."""
        for seed, lane in self.lanes():
            level = lane["density"].ne(lane["density"].shift()).cumsum() - 1
            if self.group != "in_run":
                rows = lane[level == level.iloc[-1]]
                yield Stage(seed, self.round, float(rows["density"].iloc[-1]), rows, lane)
                continue
            for number, rows in lane.groupby(level):
                yield Stage(seed, int(str(number)), float(rows["density"].iloc[-1]), rows, rows)

    def tickets(self) -> dict[int, dict[str, object]]:
        """The columns arm, recipe, round, density, seed of the network that each lane ended with, by seed.

        A lane that diverged, in this run or before, left no network to measure: it has no ticket. An in-run recipe may
        prune once more at its very end: that ticket is one level beyond the last trained one.
        """
        last = {stage.seed: stage for stage in self.stages()}  # later levels replace earlier ones
        last = {seed: stage for seed, stage in last.items() if stage.diverged_step is None}
        found = {seed: self.columns(stage) for seed, stage in last.items()}
        if self.group == "in_run":
            for seed, masks in self.masks().items():
                density = sum(int(m.sum()) for m in masks.values()) / sum(m.size for m in masks.values())
                if seed in last and abs(density - last[seed].density) > 1e-6:
                    found[seed] |= {"round": last[seed].round + 1, "density": density}
        return found

    def columns(self, stage: Stage) -> dict[str, object]:
        """The columns arm, recipe, round, density, seed of a stage."""
        return {
            "arm": self.arm,
            "recipe": self.recipe,
            "round": stage.round,
            "density": stage.density,
            "seed": stage.seed,
        }

    def joined(self, name: str, schema: str) -> Iterator[dict[str, object]]:
        """The rows of a table of the run folder, led by arm, recipe, round and density; without diverged lanes."""
        tickets = self.tickets()
        for row in self.read(name, schema).to_dict("records"):
            if row["seed"] in tickets:
                yield {**tickets[row["seed"]], **{str(key): value for key, value in row.items()}}

    def masks(self) -> dict[int, dict[str, np.ndarray]]:
        """The ticket's mask (true = kept) by seed and tensor name, tensors in sorted order, in their shapes."""
        return self.tensors("mask.safetensors")

    def tensors(self, name: str) -> dict[int, dict[str, np.ndarray]]:
        """The tensors of a file of the run folder by seed and name, in sorted order."""
        arrays, metadata = io.read_tensors(Path(self.folder, name))
        lanes = {seed: lane for lane, seed in enumerate(json.loads(metadata["seeds"]))}
        return {seed: {tensor: arrays[tensor][lanes[seed]] for tensor in sorted(arrays)} for seed in self.seeds}
