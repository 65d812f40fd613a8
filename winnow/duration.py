"""A length of training that cannot mix up its unit: ``20ep`` (epochs) or ``4000it`` (iterations)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from winnow.errors import UserError

_PATTERN = re.compile(r"([0-9]+)(ep|it)")


@dataclass(frozen=True)
class Duration:
    """A non-negative number of epochs (``unit == "ep"``) or iterations (``unit == "it"``)."""

    count: int
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in ("ep", "it") or self.count < 0:
            raise UserError(f"{self.count}{self.unit} is not a duration: a whole number >= 0 of 'ep' or 'it'.")

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read ``"20ep"`` or ``"4000it"``; anything else raises UserError."""
        match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise UserError(f"{text!r} is not a duration: write epochs as '20ep' or iterations as '4000it'.")
        return cls(int(match[1]), match[2])

    def iterations(self, per_epoch: int) -> int:
        """The duration in iterations when an epoch has `per_epoch` of them."""
        return self.count * per_epoch if self.unit == "ep" else self.count

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"
