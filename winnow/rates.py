"""Learning rates as text: a rate is also a label and part of a folder's name, so it has one spelling."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from winnow.errors import UserError


def rate_text(value: object) -> str:
    """A learning rate in its one spelling: 2.2e-2, "0.0220" and 0.022 are all "0.022". UserError unless above 0."""
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise UserError(f"A learning rate must be a number above 0, not {value!r}.")
    if not Decimal("1e-12") <= number <= Decimal("1e12"):
        raise UserError(f"A learning rate must lie between 1e-12 and 1e12, unlike {value!r}.")
    return format(number.normalize(), "f")
