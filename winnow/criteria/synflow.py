"""SynFlow, |w * dR/dw| with R the sum of all paths' products of |w|: no data, no collapsed layer (Tanaka et al. 2020).

"Pruning neural networks without any data by iteratively conserving synaptic flow" (arXiv 2006.05467), equation 2 and
algorithm 1. R is the sum of the outputs for an input of ones, with absolute weights and without biases. It prunes the
initial weights in STEPS exponentially spaced steps and scores what is left before each. For networks of ReLUs, pooling
and linear maps R is what the paper conserves; a saturating activation bends it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.lottery import Context

NEEDS = ("initial", "network")
SELECTED_BY = None
SCOPES = ("global",)
STEPS = 100


def score(context: Context) -> dict[str, NDArray[Any]]:
    """|w| * dR/d|w| of the initial weights that are left, float64 [L, ...]."""
    assert context.initial is not None
    assert context.network is not None
    sizes = {name: np.abs(values) for name, values in context.masked(context.initial).items()}
    gradients = context.network.flow_gradient(sizes)
    return {name: gradients[name] * sizes[name] for name in context.names}
