"""A sign of life: a small file that a process touches every few seconds while it lives, so that others can tell.

Another host cannot ask for a process by its number, and what was killed cannot say so: the time of the file tells. The
file is of no use to the process itself, so that no failure to write it is an error. Imports nothing heavy.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path

from winnow import atomic

BEAT = 5.0  # seconds between two touches
LOST = 60.0  # seconds without one after which the process counts as dead: file systems show times that late


def of_job(ledger: str | Path) -> Path | None:
    """Where the job with this record in the ledger has its sign of life; None where it is none of a workflow's."""
    results, _, name = str(ledger).rpartition("/.ledger/")
    return Path(results, ".watch/jobs", name) if results else None


def begin(path: Path) -> None:
    """Show from now on that this process lives: {"host", "pid", "began"}, and "ended" once it has ended in order."""
    mine = {"host": socket.gethostname(), "pid": os.getpid(), "began": time.time()}
    ended = threading.Event()

    def write(**more: float) -> None:
        with contextlib.suppress(OSError):
            atomic.write(path, json.dumps(mine | more).encode())

    def beat() -> None:
        # A file that somebody removed is not made again.
        with contextlib.suppress(FileNotFoundError):
            while not ended.wait(BEAT):
                try:
                    os.utime(path)
                except FileNotFoundError:
                    raise
                except OSError:  # for a moment, it may be
                    continue

    def end() -> None:
        ended.set()
        if path.exists():
            write(ended=time.time())

    write()
    threading.Thread(target=beat, name="pulse", daemon=True).start()
    atexit.register(end)
