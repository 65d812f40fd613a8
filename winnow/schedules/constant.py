"""The learning rate as given, throughout."""

from __future__ import annotations

from winnow.schedules._options import refuse_unknown


def factor(iteration: int, *, total: int, per_epoch: int, **unknown: object) -> float:
    """1 at every iteration; UserError for any option."""
    refuse_unknown("constant", unknown, ())
    return 1.0
