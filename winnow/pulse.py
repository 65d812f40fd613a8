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
    ended, data = threading.Event(), json.dumps(mine).encode()

    def still() -> bool:  # else another process has begun since, or the file is that of one before
        return path.read_bytes() == data

    def beat() -> None:
        while not ended.wait(BEAT):
            try:
                if not still():
                    return
                os.utime(path)
            except FileNotFoundError:  # a file that somebody removed is not made again
                return
            except OSError:  # for a moment, it may be
                continue

    def end() -> None:
        ended.set()
        with contextlib.suppress(OSError):
            if os.getpid() == mine["pid"] and still():  # a fork has the handler, too
                atomic.write(path, json.dumps(mine | {"ended": time.time()}).encode())

    with contextlib.suppress(OSError):
        atomic.write(path, data)
    threading.Thread(target=beat, name="pulse", daemon=True).start()
    atexit.register(end)
