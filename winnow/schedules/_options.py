"""How schedules refuse wrong options."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from winnow.errors import UserError


def refuse_unknown(schedule: str, unknown: Mapping[str, object], valid: tuple[str, ...]) -> None:
    """UserError if any option is left over."""
    if unknown:
        listed = f"valid options: {', '.join(valid)}" if valid else "it has no options"
        raise UserError(
            f"The schedule {schedule!r} does not know the option {', '.join(map(repr, unknown))}; {listed}."
        )


def number(schedule: str, option: str, value: object, within: Callable[[float], bool], valid: str) -> float:
    """The value as a float; UserError unless it is a finite number that `within` accepts."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and within(value):
        return float(value)
    raise UserError(f"The option {option!r} of the schedule {schedule!r} is {value!r}; valid is {valid}.")
