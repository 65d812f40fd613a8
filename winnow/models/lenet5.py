"""LeNet-5 as in the optimiser study: convolutions of 6 and 16 maps with 5x5 filters, each with a 2x2 max-pool, and
linear layers of 120 and 84 units, with tanh throughout.

After LeCun et al. 1998, section II.B, whose sub-sampling, sparse connections and radial output are not kept. 28x28
pixels leave 256 features; the 40,800 weights of fc1 and fc2 are those that the study thins. Pooling before or after
tanh is the same function.
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
RANGES = {
    "init": ["glorot_normal", "glorot_uniform", "kaiming_uniform"],
    "activation": ["tanh", "relu"],
}


class LeNet5(FeedForward):
    """init: see `_initialisers.py` ("kaiming_uniform" is PyTorch's own default); activation: "tanh" or "relu"."""

    def __init__(
        self,
        shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 10,
        init: str = "glorot_normal",
        activation: str = "tanh",
    ) -> None:
        layers = [Convolution(channels, size=5, padding=0, pool=True) for channels in (6, 16)]
        super().__init__(shape, classes, init, activation, layers, hidden=(120, 84))
