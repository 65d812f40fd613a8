"""The file that says how far a job is, for whoever watches. It may be lost: jobs neither wait for it nor fail of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from winnow import atomic

EVERY = 1.0  # seconds between two versions within an epoch, at least


def write(file: Path, values: Mapping[str, Any]) -> None:
    """Replace the file; what cannot be written is left out."""
    with contextlib.suppress(OSError):
        atomic.write(file, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode(), flush=False)
