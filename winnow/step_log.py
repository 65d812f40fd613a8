"""What the steps between two marks returned, per lane, left on the device until the mark is reached; rows of steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

BLOCK = 256  # steps


@dataclass
class StepLog:
    """Mean loss [L], right answers [L] and images per lane of each step since the last `clear`.

    Working these out at every step would cost a small network as much time as a layer does. They are put together a
    block at a time: thousands of small tensors that stay, among large ones that come and go with each step, leave a
    memory of gigabytes in pieces.
    """

    images: list[int] = field(default_factory=list)
    _blocks: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # losses and right answers, [steps, L] each
    _last: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # [L] each, of fewer steps than a block has

    def add(self, loss: Tensor, correct: Tensor, images: int) -> None:
        """Note a step; both tensors must be left unchanged from then on."""
        self._last.append((loss, correct))
        self.images.append(images)
        if len(self._last) == BLOCK:
            self._pack()

    def extend(self, loss: Tensor, correct: Tensor, images: int) -> None:
        """Note steps of `images` images a lane each, [steps, L]; both tensors must be left unchanged from then on."""
        self._pack()
        self._blocks.append((loss, correct))
        self.images += [images] * len(loss)

    def losses(self) -> Tensor:
        """[steps, L]."""
        self._pack()
        return torch.cat([loss for loss, _ in self._blocks])

    def sums(self) -> tuple[Tensor, Tensor, int]:
        """Summed loss of all images [L] (float64), right answers [L] (int64), images per lane."""
        losses = self.losses().double()
        weights = torch.tensor(self.images, dtype=torch.float64, device=losses.device)
        return weights @ losses, torch.cat([correct for _, correct in self._blocks]).sum(0), sum(self.images)

    def clear(self) -> None:
        """Begin anew."""
        self.images, self._blocks, self._last = [], [], []

    def _pack(self) -> None:
        if self._last:
            losses, correct = zip(*self._last, strict=True)
            self._blocks.append((torch.stack(losses), torch.stack(correct)))
            self._last = []


def rows(
    losses: np.ndarray, seeds: Sequence[int], first: int, diverged: Sequence[int | None]
) -> Iterator[dict[str, Any]]:
    """Rows of schema "steps", lane after lane, of losses [steps, L] after iteration `first`."""
    for seed, lane, end in zip(seeds, losses.T.tolist(), diverged, strict=True):
        last = math.inf if end is None else end - 1
        for step, loss in enumerate(lane, start=first + 1):
            yield {"seed": seed, "step": step, "loss": loss if step <= last else None}
