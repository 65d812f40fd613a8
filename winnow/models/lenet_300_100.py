"""LeNet-300-100: two hidden layers of 300 and 100 rectified units (LeCun et al. 1998, section III.C.4).

As in Frankle & Carbin 2019 (arXiv 1803.03635, figure 2): Glorot normal, biases zero; 266,200 weights for 28x28 pixels.
"""

from __future__ import annotations

from winnow.models._feed_forward import FeedForward

PARAMETERS = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias")
RANGES = {"init": ["glorot_normal", "glorot_uniform", "kaiming_uniform"]}


class LeNet300100(FeedForward):
    """Linear layers of 300, 100 and `classes` units on all pixels; init: see `_initialisers.py`."""

    def __init__(
        self, shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10, init: str = "glorot_normal"
    ) -> None:
        super().__init__(shape, classes, init, "relu", convolutions=(), hidden=(300, 100))
