"""What a training run is made of, and what it leaves: plain values, by which dense runs, rounds and others differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from winnow.duration import Duration
from winnow.timeline import Timeline

CHUNK = 256  # images: what more a step has costs time alone
EVERY_STEP = Duration(1, "it")
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class InRunPruning:
    """At `iteration`, `prune(weights, rewind, mask)` gives new (mask, weights); `factor`: the schedule from there."""

    iteration: int
    prune: Callable[[Arrays, Arrays, Arrays | None], tuple[Arrays, Arrays]]
    factor: Callable[[int], float]


@dataclass(frozen=True)
class Sparsify:
    """A sparsifier, {"name": ..., its options}, the tensors (`names`) and the scope of its density.

    iterations  a duration in iterations;  last: where the run ends
    """

    options: dict[str, Any]
    names: list[str]
    scope: str
    iterations: Callable[[str], int]
    last: int


@dataclass(frozen=True)
class TrainingJob:
    """Everything that decides the result of one training run.

    start   {name: float32 [L, ...]}, already masked;  mask {name: bool [L, ...]} of the pruned tensors, or None
    lr      the learning rate of all lanes, or that of each
    blocks  the lanes that would be a job of their own: none of its rows depends on the lanes of another block
    timeline  which minibatch an iteration is;  batch_size: the one at which the batch schedule starts
    evaluate_every  between two metrics rows;  test_every: between two looks at the test images, beside those at a new
            minimum of the validation loss
    order   which of a seed's data orders: 0, or a further one for a copy of a run
    first   iteration at which the run starts (a rewound run: its rewind point), last: where it ends
    factor  the learning rate's factor at an iteration;  rewind: iteration whose weights are kept, or None
    """

    model: Any
    optimizer: dict[str, Any]
    lr: float | tuple[float, ...]
    factor: Callable[[int], float]
    start: Arrays
    mask: Arrays | None
    seeds: list[int]
    train: np.ndarray
    validation: np.ndarray
    first: int
    last: int
    timeline: Timeline
    evaluate_every: Duration
    rewind: int | None
    batch_size: int
    clip: float | None
    dtype: torch.dtype
    device: torch.device
    dead: tuple[int, ...] = ()  # seeds that diverged in the round before: frozen from the start
    prunings: tuple[InRunPruning, ...] = ()
    sparsify: Sparsify | None = None  # not beside prunings or a mask
    order: int = 0
    test_every: Duration = EVERY_STEP
    label_smoothing: float = 0.0
    l2: float = 0.0
    step_losses: bool = False  # whether the loss of every step is kept
    augmentation: dict[str, Any] = field(default_factory=lambda: {"name": "none"})
    blocks: tuple[slice, ...] = (slice(None),)

    @property
    def rates(self) -> np.ndarray:
        """The learning rate of each lane, float64 [L]."""
        return np.broadcast_to(np.asarray(self.lr, dtype=np.float64), len(self.seeds))

    @property
    def chunk(self) -> int:
        """The most images of a lane whose gradient is computed at once."""
        return min(self.timeline.largest, max(self.batch_size, CHUNK))


@dataclass
class Outcome:
    """What a run leaves: metrics rows (schema "metrics"), float32 arrays [L, ...], and its cost.

    step_losses: [steps, L], of a job that keeps them.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    final: Arrays = field(default_factory=dict)
    rewind: Arrays = field(default_factory=dict)
    mask: Arrays | None = None
    diverged: list[int | None] = field(default_factory=list)
    sample_gradients: list[int] = field(default_factory=list)
    update_multiply_adds: float = 0.0  # of one lane, per step: `LaneOptimizer.update_multiply_adds`
    step_losses: np.ndarray | None = None
    ended: list[int | None] = field(default_factory=list)  # per block: the mark at which it had diverged as a whole

    def of_block(self, lanes: slice, ended: int | None, first: int) -> Outcome:
        """What the lanes of a block leave that `ended`, in a job that began at the iteration `first`."""
        count = len(self.diverged)
        mine = [row for i, row in enumerate(self.rows) if i % count in range(count)[lanes]]
        rows = [row for row in mine if ended is None or row["iteration"] <= ended]
        costs, losses = self.sample_gradients[lanes], self.step_losses
        if ended is not None:
            last = {row["seed"]: row["sample_gradients"] for row in rows}
            costs = [last.get(row["seed"], 0) for row in mine[: len(costs)]]
            losses = None if losses is None else losses[: ended - first]

        def cut(arrays: Arrays) -> Arrays:
            return {name: value[lanes] for name, value in arrays.items()}

        return Outcome(
            rows=rows,
            final=cut(self.final),
            rewind=cut(self.rewind),
            mask=None if self.mask is None else cut(self.mask),
            diverged=self.diverged[lanes],
            sample_gradients=costs,
            update_multiply_adds=self.update_multiply_adds,
            step_losses=None if losses is None else losses[:, lanes],
            ended=[ended],
        )
