"""Telling a tracker all runs, so that doing it again changes only what has changed, and a kill leaves nothing half.

Each run is written into a folder beside the destination and renamed into it when it is whole, with a file that says
what was told. What was told already is not written again; what has changed takes the place of what it was.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from winnow import io
from winnow.errors import UserError
from winnow.file_lock import FileLock
from winnow.trackers.runs import Tracked

MARK = "winnow.json"


class Writer(Protocol):
    """What a tracker adds: how its files are written, and where they are."""

    @property
    def version(self) -> str:
        """Changes where other files are to be written of the same runs."""

    def write(self, run: Tracked, folder: Path) -> Path:
        """Write a run somewhere below `folder`; its folder, relative to that."""

    def written(self, run: Tracked, folder: Path) -> list[Path]:
        """Folders below `folder` where a run of this id has been written."""

    def close(self) -> None:
        """No run follows."""


def require(package: str) -> None:
    """UserError unless the package of the extra of the same name is installed."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:  # a folder of that name, as W&B makes one, is no package
        raise UserError(
            f"The package {package}, which is needed for this export and for nothing else, is not installed: "
            f"pip install 'winnow[{package}]', or in the repository: python -m pip install --constraint "
            f"envs/constraints.txt --editable '.[{package}]'."
        )


def export(runs: Iterable[Tracked], out: Path, writer: Writer) -> tuple[list[Path], int]:
    """(folders written, number of runs that are as they were told before). UserError: another export writes there."""
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out.parent / f".{out.name}.lock")
    if not lock.acquire(wait=False):
        raise UserError(f"{out}: another export writes there. Wait for its end, or name another --out.")
    partial = out.parent / f".{out.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)  # of an export that was killed
    written: list[Path] = []
    kept = 0
    try:
        for run in runs:
            mark = {"run": run.name, "digest": run.digest, "version": writer.version}
            before = writer.written(run, out)
            if len(before) == 1 and _mark(before[0]) == mark:
                kept += 1
                continue
            made = writer.write(run, partial / "new")
            io.write_json(partial / "new" / made / MARK, mark)
            for number, old in enumerate(before):  # a rename is one moment, a removal is not
                (partial / f"old{len(written)}").mkdir()
                old.rename(partial / f"old{len(written)}" / str(number))
            place = out / made
            place.parent.mkdir(parents=True, exist_ok=True)
            (partial / "new" / made).rename(place)
            written.append(place)
    finally:
        writer.close()
        shutil.rmtree(partial, ignore_errors=True)
        lock.release()
    return written, kept


def _mark(folder: Path) -> object:
    try:
        return json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
