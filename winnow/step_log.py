"""What the steps between two marks returned, per lane, left on the device until the mark is reached; rows of steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass
class StepLog:
    """Mean loss [L], right answers [L] and images per lane of each step since the last `clear`.

    Working these out at every step would cost a small network as much time as a layer does.
    """

    loss: list[Tensor] = field(default_factory=list)
    correct: list[Tensor] = field(default_factory=list)
    images: list[int] = field(default_factory=list)

    def add(self, loss: Tensor, correct: Tensor, images: int) -> None:
        """Note a step; both tensors must be left unchanged from then on."""
        self.loss.append(loss)
        self.correct.append(correct)
        self.images.append(images)

    def extend(self, loss: Tensor, correct: Tensor, images: int) -> None:
        """Note steps of `images` images a lane each, [steps, L]; both tensors must be left unchanged from then on."""
        self.loss += loss.unbind()
        self.correct += correct.unbind()
        self.images += [images] * len(loss)

    def losses(self) -> Tensor:
        """[steps, L]."""
        return torch.stack(self.loss)

    def sums(self) -> tuple[Tensor, Tensor, int]:
        """Summed loss of all images [L] (float64), right answers [L] (int64), images per lane."""
        losses = self.losses().double()
        weights = torch.tensor(self.images, dtype=torch.float64, device=losses.device)
        return weights @ losses, torch.stack(self.correct).sum(0), sum(self.images)

    def clear(self) -> None:
        """Begin anew."""
        self.loss, self.correct, self.images = [], [], []


def rows(
    losses: np.ndarray, seeds: Sequence[int], first: int, diverged: Sequence[int | None]
) -> Iterator[dict[str, Any]]:
    """Rows of schema "steps", lane after lane, of losses [steps, L] after iteration `first`."""
    for seed, lane, end in zip(seeds, losses.T.tolist(), diverged, strict=True):
        last = math.inf if end is None else end - 1
        for step, loss in enumerate(lane, start=first + 1):
            yield {"seed": seed, "step": step, "loss": loss if step <= last else None}
