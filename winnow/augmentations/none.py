"""Every image as it is."""

from __future__ import annotations

import numpy as np
from torch import Tensor


class Unchanged:
    """Nothing is drawn, so that nothing is changed."""

    def draw(self, random: np.random.Generator, images: int) -> None:
        """None."""

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The images."""
        return images
