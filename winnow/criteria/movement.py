"""Movement, |w - w_0|: weights that training left where they were drawn go first.

The "movement" criterion of Zhou et al. (2019, arXiv 1905.01067). Not to be confused with their "magnitude increase",
|w| - |w_0|, nor with the movement pruning of Sanh et al. (2020, arXiv 2005.07683), which accumulates -w * gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.lottery import Context

NEEDS = ("weights", "initial")
SELECTED_BY = None


def score(context: Context) -> dict[str, NDArray[Any]]:
    """|w - w_0| between initialisation and the end of the round before, per prunable tensor [L, ...]."""
    assert context.weights is not None
    assert context.initial is not None
    return {name: np.abs(context.weights[name] - context.initial[name]) for name in context.names}
