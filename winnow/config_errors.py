"""pydantic's errors in words: which key, its value, and what is valid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

LONGEST_VALUE = 80  # characters of a wrong value that a message shows
WORDS = {  # what pydantic's types of error mean to a reader
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "list_type": "a list [...]",
    "string_type": "text",
    "too_short": "at least one entry",
}


def _path(parts: Iterable[int | str], more: str = "") -> str:
    """`gd_vs_eg.arms.gd.rates[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts if part != "[key]")
    return f"{text}.{more}".strip(".")


def shown(value: Any) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def first(error: ValidationError) -> tuple[str, str]:
    """(key path, what is wrong there) of the first of pydantic's errors, in plain words."""
    wrong = error.errors()[0]
    context = wrong.get("ctx", {})
    path = _path(wrong["loc"], context.get("path", "") if wrong["type"] == "winnow" else "")
    if wrong["type"] == "missing":
        text = "This key is missing."
    elif wrong["type"] == "winnow":
        text = wrong["msg"]
    else:
        given = shown(wrong["input"])
        valid = WORDS.get(wrong["type"], context.get("expected", wrong["msg"]))
        text = f"{given} is not valid; valid is {valid}."
    more = error.error_count() - 1
    return path, text + (f" ({more} more after this one.)" if more else "")
