"""Conv-2: 2 convolutional layers of 3x3 filters in the manner of VGG, then linear layers of 256 and 256 units.

64 and 64 channels, a 2x2 max-pool after every second layer, rectified units; Glorot normal, biases zero
(Frankle & Carbin 2019, arXiv 1803.03635, figure 2). 4.3 million weights for 3x32x32 images.
"""

from __future__ import annotations

from winnow.models._convolutions import Convolution
from winnow.models._feed_forward import FeedForward

PARAMETERS = (
    "conv1.weight",
    "conv1.bias",
    "conv2.weight",
    "conv2.bias",
    "fc1.weight",
    "fc1.bias",
    "fc2.weight",
    "fc2.bias",
    "fc3.weight",
    "fc3.bias",
)
RANGES = {"init": ["glorot_normal", "glorot_uniform", "kaiming_uniform"]}


class Conv2(FeedForward):
    """init: see `_initialisers.py`."""

    def __init__(
        self, shape: tuple[int, int, int] = (3, 32, 32), classes: int = 10, init: str = "glorot_normal"
    ) -> None:
        channels = (64, 64)
        layers = [Convolution(c, size=3, padding=1, pool=i % 2 == 1) for i, c in enumerate(channels)]
        super().__init__(shape, classes, init, "relu", layers, hidden=(256, 256))
