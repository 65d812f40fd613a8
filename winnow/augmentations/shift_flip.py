"""Images moved by a few pixels and mirrored: what a crop of the padded image and a flip make of them.

Each image moves by -pixels to pixels rows and columns, each with equal probability, zeros coming in (the background,
before normalisation), and is mirrored left-right with probability `flip` (as in He et al. 2016, arXiv 1512.03385,
section 4.2, with pixels 4 and flip 0.5).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from winnow.errors import UserError

RANGES = {"pixels": "[0, inf)", "flip": "[0, 1]"}


class ShiftFlip:
    """pixels: the farthest that an image moves, a whole number >= 0;  flip: probability in [0, 1] of a mirrored one."""

    def __init__(self, *, pixels: int = 2, flip: float = 0.5) -> None:
        for option, value, fits, valid in (
            ("pixels", pixels, isinstance(pixels, int) and not isinstance(pixels, bool), "a whole number >= 0"),
            ("flip", flip, isinstance(flip, (int, float)) and not isinstance(flip, bool), "a number >= 0 and <= 1"),
        ):
            if not fits or not 0 <= value <= (1 if option == "flip" else float("inf")):
                raise UserError(
                    f"The option {option!r} of the augmentation 'shift_flip' is {value!r}; valid is {valid}."
                )
        self.pixels, self.flip = pixels, flip

    def draw(self, random: np.random.Generator, images: int) -> NDArray[np.int64]:
        """[images, 3]: the row and the column of the padded image at which it begins, and 1 if it is mirrored."""
        begins = random.integers(0, 2 * self.pixels + 1, (images, 2))
        return np.column_stack([begins, random.random(images) < self.flip])

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The images [N, C, H, W] moved, then mirrored."""
        count, _, rows, columns = images.shape
        n = self.pixels
        padded = pad(images, (n, n, n, n))
        width, size = padded.shape[3], padded[0].numel()
        # From its first pixel on, a moved image lies in the padded one's memory with the same stride: one piece each,
        # copied whole; what is right of it and below it is cut off.
        flat = pad(padded.flatten(), (0, 2 * n * (width + 1)))
        first = torch.arange(count, device=images.device) * size + drawn[:, 0] * width + drawn[:, 1]
        pieces = flat.unfold(0, size, 1).index_select(0, first)
        moved = pieces.view(padded.shape)[:, :, :rows, :columns]
        mirrored = (drawn[:, 2] * 255).to(torch.uint8).view(-1, 1, 1, 1)  # all bits or none
        return moved ^ ((moved ^ moved.flip(3)) & mirrored)
