"""Step decay: the learning rate is multiplied by gamma once every so often, as by torch's StepLR.

factor(t) = gamma ** floor(t / every)
"""

from __future__ import annotations

from winnow.duration import Duration
from winnow.errors import UserError
from winnow.schedules._options import number, refuse_unknown

RANGES = {"every": "duration", "gamma": "(0, inf)"}


def factor(iteration: int, *, total: int, per_epoch: int, every: str, gamma: float, **unknown: object) -> float:
    """The factor at a 0-based iteration.

    every   duration between two decays ("5ep", "1000it"), at least 1; gamma  number > 0. UserError for anything else.
    """
    refuse_unknown("step", unknown, ("every", "gamma"))
    gamma = number("step", "gamma", gamma, lambda value: value > 0, "a finite number > 0")
    try:
        duration = Duration.parse(every)
    except UserError:
        duration = None
    if duration is None or duration.count == 0:
        raise UserError(
            f"The option 'every' of the schedule 'step' is {every!r}; valid is a duration of at least 1, "
            "in epochs ('5ep') or iterations ('1000it')."
        )
    return float(gamma ** (iteration // duration.iterations(per_epoch)))
