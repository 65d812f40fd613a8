"""A bias as the sum of a positive and a negative part, so that a multiplicative step can train it and turn its sign.

    b = b_plus + b_minus,   b_plus ~ U(0, r),   b_minus ~ U(-r, 0),   r = sqrt(2 / fan_in)

(SplitBias in the published code of Cornford et al. 2024, bioRxiv 2024.10.25.620272.) Drawn in float64, one lane at a
time, and rounded.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


def parts(value: Array, fan_in: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """(b_plus, b_minus) in the shape of `value`, their signs as above.

    Where `value` is all zero, training starts: the parts are the draw and their sum is the new value. Otherwise
    training restarts from `value` and the parts sum to it: the same draw, its part of the difference's sign moved.
    """
    r = math.sqrt(2 / fan_in)
    positive = generator.uniform(0, r, value.shape)
    negative = generator.uniform(-r, 0, value.shape)
    if value.any():
        difference = value - (positive + negative)
        positive += np.maximum(difference, 0)
        negative += np.minimum(difference, 0)
    return positive, negative


def draw_(lanes: list[Tensor], fan_in: int, generators: list[np.random.Generator]) -> tuple[Tensor, Tensor]:
    """Both parts of every lane, each stacked as [L, ...]; sets a lane that is all zero to their sum, in place.

    Any other lane keeps its value to the bit: its parts sum to it up to rounding.
    """
    drawn: tuple[list[Tensor], list[Tensor]] = ([], [])
    for lane, generator in zip(lanes, generators, strict=True):
        start = not bool(lane.any())
        for tensors, part in zip(drawn, parts(lane.cpu().double().numpy(), fan_in, generator), strict=True):
            tensors.append(torch.from_numpy(part).to(lane))
        if start:
            lane.copy_(drawn[0][-1] + drawn[1][-1])
    return torch.stack(drawn[0]), torch.stack(drawn[1])
