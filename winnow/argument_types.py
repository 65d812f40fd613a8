"""What the values of long options may be: `type=` functions for argparse, and a help text that shows every default.

A wrong value raises UserError naming the option; argparse lets it pass.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from typing import Any

from winnow.duration import Duration
from winnow.errors import UserError
from winnow.rates import rate_text


class Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the description's lines and adds the default to the help of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = action.help or "", action.default
        if default in (None, argparse.SUPPRESS, {}) or "(default" in text:
            return text
        return f"{text} (default: {json.dumps(default) if isinstance(default, dict) else default})".strip()


def number(option: str, within: Callable[[float], bool], valid: str) -> Callable[[str], float]:
    """A `type=` function for a finite number that `within` accepts."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and within(value)):
            raise UserError(f"{option} is {text!r}; it must be {valid}.")
        return value

    return read


def whole(option: str, least: int) -> Callable[[str], int]:
    """A `type=` function for a whole number of at least `least`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise UserError(f"{option} is {text!r}; it must be a whole number of at least {least}.")
        return int(text)

    return read


def rate(text: str) -> str:
    """A learning rate in its one spelling, as config has it, or best."""
    try:
        return text if text == "best" else rate_text(text)
    except UserError:
        raise UserError(
            f"--learning-rate is {text!r}; it must be a number from 1e-12 to 1e12, or best (with --best FILE)."
        ) from None


def seeds(text: str) -> list[int]:
    """Distinct random seeds, comma-separated."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UserError(f"--seeds is {text!r}; it must be whole numbers of at least 0, separated by commas: 0,1,2.")
    found = [int(part) for part in parts]
    if len(set(found)) < len(found):
        raise UserError(f"--seeds is {text!r}; it names a seed twice. Every seed is a lane of its own: name it once.")
    return found


def duration(option: str) -> Callable[[str], str]:
    """A `type=` function for a duration."""

    def read(text: str) -> str:
        try:
            return str(Duration.parse(text))
        except UserError as error:
            raise UserError(f"{option}: {error}") from None

    return read


def moments(text: str) -> list[str]:
    """Durations, comma-separated."""
    return [duration("--at")(part.strip()) for part in text.split(",")]


def mapping(option: str) -> Callable[[str], dict[str, Any]]:
    """A `type=` function for a JSON object."""

    def read(text: str) -> dict[str, Any]:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise UserError(f"{option} is {text!r}; it must be a JSON object, for example '{{\"name\": 1}}'.")
        return value

    return read
