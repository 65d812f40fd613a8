"""The files beside the Python of the report: template, style and scripts, which the page has inside."""

from __future__ import annotations

import hashlib
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("base.js", "filters.js", "charts.js", "parallel.js", "masks.js", "tables.js", "start.js")


def text(name: str) -> str:
    """One of the files."""
    return (ASSETS / name).read_text(encoding="utf-8")


def digests() -> dict[str, str]:
    """{name: digest} of all of them: they are no Python, so the spec of the job names them, not its sources."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(ASSETS.iterdir())}
