"""How weights are drawn, by name: each from a NumPy generator, in float64, for fan-in n and fan-out m.

    glorot_normal    N(0, 2 / (n + m))              Glorot & Bengio 2010, as a normal draw; biases zero
    glorot_uniform   U(-r, r), r = sqrt(6 / (n + m))   their equation 16; biases zero
    kaiming_uniform  U(-r, r), r = sqrt(1 / n), biases too: the default of torch.nn.Linear and Conv2d

A convolution of k x k has fan-in k^2 * (channels in), fan-out k^2 * (channels out), as in torch.nn.init.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from winnow.errors import UserError

Shape = tuple[int, ...]


def _glorot_normal(generator: np.random.Generator, shape: Shape, fan_in: int) -> np.ndarray:
    return generator.normal(0, math.sqrt(2 / (fan_in + _fan_out(shape))), shape)


def _glorot_uniform(generator: np.random.Generator, shape: Shape, fan_in: int) -> np.ndarray:
    bound = math.sqrt(6 / (fan_in + _fan_out(shape)))
    return generator.uniform(-bound, bound, shape)


def _kaiming_uniform(generator: np.random.Generator, shape: Shape, fan_in: int) -> np.ndarray:
    bound = 1 / math.sqrt(fan_in)
    return generator.uniform(-bound, bound, shape)


def _fan_out(shape: Shape) -> int:
    return shape[0] * math.prod(shape[2:])


Initialiser = Callable[[np.random.Generator, Shape, int], np.ndarray]
INITIALISERS: dict[str, Initialiser] = {
    "glorot_normal": _glorot_normal,
    "glorot_uniform": _glorot_uniform,
    "kaiming_uniform": _kaiming_uniform,
}
DRAWS_BIASES = ("kaiming_uniform",)


def named(name: str) -> Initialiser:
    """The initialiser of a model's option `init`; UserError with the valid names."""
    if name not in INITIALISERS:
        raise UserError(f"model.init is {name!r}, but must be one of {', '.join(INITIALISERS)}.")
    return INITIALISERS[name]
