"""Magnitude at the rewind point, |w_k|: the control that separates the first k iterations from the rest of training.

The "large init" criterion of Zhou et al. (2019, arXiv 1905.01067), taken at the point that tickets restart from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.lottery import Context

NEEDS = ("rewind",)
SELECTED_BY = "rewind"


def score(context: Context) -> dict[str, NDArray[Any]]:
    """|w| at the rewind point, per prunable tensor [L, ...]."""
    assert context.rewind is not None
    return {name: np.abs(context.rewind[name]) for name in context.names}
