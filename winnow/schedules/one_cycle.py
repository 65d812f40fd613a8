"""One cycle: up from max / div_factor to the maximum, then down to max / (div_factor * final_div_factor).

Smith & Topin 2017, arXiv 1708.07120, in the two phases that are the default of torch's OneCycleLR (the paper has a
third, and both cycle the momentum, which is left out). The study's learning rate is the maximum, reached at iteration
pct_start * total - 1.
"""

from __future__ import annotations

import math

from winnow.errors import UserError
from winnow.schedules._options import number, refuse_unknown

RANGES: dict[str, str | list[str]] = {
    "pct_start": "[0, 1]",
    "div_factor": "(0, inf)",
    "final_div_factor": "(0, inf)",
    "anneal": ["cos", "linear"],
}


def factor(
    iteration: int,
    *,
    total: int,
    per_epoch: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal: str = "cos",
    **unknown: object,
) -> float:
    """The factor, relative to the maximum, at a 0-based iteration below `total` (ValueError from there on).

    pct_start         share of the iterations in which the rate rises, in [0, 1]
    div_factor        maximum over the first rate, > 0
    final_div_factor  first rate over the last, > 0
    anneal            the shape of both phases: "cos" or "linear"

    UserError for an option that is unknown or out of range.
    """
    refuse_unknown("one_cycle", unknown, tuple(RANGES))
    share = number("one_cycle", "pct_start", pct_start, lambda value: 0 <= value <= 1, "a number in [0, 1]")
    first = 1 / number("one_cycle", "div_factor", div_factor, lambda value: value > 0, "a finite number > 0")
    last = first / number("one_cycle", "final_div_factor", final_div_factor, lambda value: value > 0, "a number > 0")
    if anneal not in RANGES["anneal"]:
        raise UserError(f"The option 'anneal' of the schedule 'one_cycle' is {anneal!r}; valid is 'cos' or 'linear'.")
    if not 0 <= iteration < total:
        raise ValueError(f"iteration {iteration} lies outside a cycle of {total} iterations")
    peak = share * total - 1  # an iteration, not always whole
    if iteration <= peak:
        return _between(first, 1.0, iteration / peak if peak > 0 else 1.0, anneal)
    return _between(1.0, last, (iteration - peak) / (total - 1 - peak), anneal)


def _between(start: float, end: float, share: float, anneal: str) -> float:
    if anneal == "linear":
        return start + (end - start) * share
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
