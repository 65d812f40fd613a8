"""Files that are whole or not there: the only place where winnow writes. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write(path: str | Path, data: bytes, flush: bool = True) -> None:
    """Write `data` to `path` by a temporary name in its folder, flushed to the disk and renamed; makes parent folders.

    `flush` False: the disk is not waited for, so that after a crash of the machine the file may be empty.
    A failure (no space left, say) leaves neither a part nor a temporary file, and an older `path` as it was; an OSError
    names `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # its folder may not exist
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        what = f"{error.strerror or error} (not written; nothing half-written stays)"
        raise OSError(error.errno, what, str(path)) from error
