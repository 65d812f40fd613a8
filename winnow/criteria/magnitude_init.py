"""Magnitude at initialisation, |w_0|: the control for masks that were decided by the draw, not by training.

The "large init" criterion of Zhou et al. (2019, arXiv 1905.01067). Orthogonal weights barely move, so this mask may
overlap with the trained one by far more than chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.lottery import Context

NEEDS = ("initial",)
SELECTED_BY = "initial"


def score(context: Context) -> dict[str, NDArray[Any]]:
    """|w| at initialisation, per prunable tensor [L, ...]."""
    assert context.initial is not None
    return {name: np.abs(context.initial[name]) for name in context.names}
