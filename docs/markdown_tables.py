"""Joint tables in, Markdown tables out."""

import csv
from collections.abc import Iterable
from pathlib import Path

Rows = list[dict[str, str]]


def read(study: Path, name: str) -> Rows:
    """A joint table, or no rows if it was not made."""
    path = study / "tables" / f"{name}.csv"
    return list(csv.DictReader(path.open())) if path.exists() else []


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    lines.insert(1, ("---",) + ("---:",) * (len(lines[0]) - 1))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
