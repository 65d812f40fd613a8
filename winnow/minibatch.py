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
    """

    gather: Callable[[Tensor], Batch]
    index: Tensor
    size: int

    def __iter__(self) -> Iterator[Batch]:
        return map(self.gather, torch.split(self.index, self.size, 1))


def images(batch: Batch | Chunks) -> int:
    """Images per lane."""
    return (batch.index if isinstance(batch, Chunks) else batch[1]).shape[1]


def of_lanes(batch: Batch | Chunks, lanes: slice) -> Batch | Chunks:
    """The part of some lanes."""
    if isinstance(batch, Chunks):
        return replace(batch, index=batch.index[lanes])
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
