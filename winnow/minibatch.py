"""Minibatches of all lanes as a problem takes them: whole, or in chunks where they are too large to be held at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]  # inputs [L, B, 1, 28, 28] float32 normalised, labels [L, B] int64


@dataclass(frozen=True)
class Chunks:
    """A batch too large to be gathered at once: one pass over its parts, of up to `size` images a lane, in order.

    gather  makes a Batch of indices [L, B], and may write it over the one before;  index  of all its images, [L, N]
    changes  what an augmentation drew for each of them, [L, N, k], a second argument of `gather`; or None
    """

    gather: Callable[..., Batch]
    index: Tensor
    size: int
    changes: Tensor | None = None

    def __iter__(self) -> Iterator[Batch]:
        parts = [torch.split(values, self.size, 1) for values in (self.index, self.changes) if values is not None]
        return map(self.gather, *parts)


def images(batch: Batch | Chunks) -> int:
    """Images per lane."""
    return (batch.index if isinstance(batch, Chunks) else batch[1]).shape[1]


def of_lanes(batch: Batch | Chunks, lanes: slice) -> Batch | Chunks:
    """The part of some lanes."""
    if isinstance(batch, Chunks):
        return replace(batch, index=batch.index[lanes], changes=None if batch.changes is None else batch.changes[lanes])
    return batch[0][lanes], batch[1][lanes]


class Sampler(Protocol):
    """What a problem may ask of what its batches come from."""

    @property
    def epoch(self) -> int: ...

    @property
    def index(self) -> Tensor: ...

    @property
    def count(self) -> int: ...

    def everything(self) -> Chunks: ...


def chunks(batch: Batch | Chunks) -> Iterable[Batch]:
    """The parts of a batch; a whole one is its only part."""
    return batch if isinstance(batch, Chunks) else [batch]
