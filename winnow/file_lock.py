"""One process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLock:
    """An exclusive lock of a file, in the form that Optuna's journal asks for; it dies with its owner."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None

    def acquire(self, wait: bool = True) -> bool:
        """Whether it is ours now."""
        descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return False
        self.descriptor = descriptor
        return True

    def release(self) -> None:
        """Let others have it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
        self.descriptor = None
