"""Random scores: the control with the same density and no information (as the randomly sampled sparse networks of
Frankle & Carbin 2019, arXiv 1803.03635).

Over several rounds each mask is a random subset of the one before, because a pruned weight never comes back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.lottery import Context

NEEDS = ("weights",)
SELECTED_BY = None


def score(context: Context) -> dict[str, NDArray[Any]]:
    """Uniform in [0, 1), float64, drawn from each lane's own stream in the order of the tensors [L, ...]."""
    assert context.weights is not None  # for the shapes only
    shapes = {name: context.weights[name].shape[1:] for name in context.names}
    lanes = [{name: stream.random(shape) for name, shape in shapes.items()} for stream in context.streams]
    return {name: np.stack([lane[name] for lane in lanes]) for name in context.names}
