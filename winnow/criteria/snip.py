"""SNIP, |dL/dw * w| at initialisation: weights whose removal changes the loss least go first (Lee et al. 2019).

"SNIP: Single-shot network pruning based on connection sensitivity" (arXiv 1810.02340), equations 4 to 6; their
normalisation by the sum changes no order. Defined for one pruning of the untrained network, over all weights together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.lottery import Context

NEEDS = ("initial", "network")
SELECTED_BY = None
SCOPES = ("global",)
ONE_SHOT = True


def score(context: Context) -> dict[str, NDArray[Any]]:
    """|gradient * w| of the initial weights on the network's batch of training images, float64 [L, ...]."""
    assert context.initial is not None
    assert context.network is not None
    gradients = context.network.gradient(context.masked(context.initial))
    return {name: np.abs(gradients[name] * context.initial[name]) for name in context.names}
