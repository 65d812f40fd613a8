"""Magnitude of the trained weights, |w|: small weights go first (Han et al. 2015, arXiv 1506.02626).

The "large final" criterion of Zhou et al. (2019, arXiv 1905.01067), and the one of Frankle & Carbin (2019, arXiv
1803.03635).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.lottery import Context

NEEDS = ("weights",)
SELECTED_BY = "weights"


def score(context: Context) -> dict[str, NDArray[Any]]:
    """|w| at the end of the round before, per prunable tensor [L, ...]."""
    assert context.weights is not None
    return {name: np.abs(context.weights[name]) for name in context.names}
