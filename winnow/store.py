"""The store: finished runs and checkpoints by lane key, outside what Snakemake declares and deletes.

``<results>/.store/<key>/`` belongs to one training job: `key` is a hash of everything that decides its result. A killed
job continues from the checkpoint there; a job whose key is whole there trains nothing: its outputs are linked from it.
An exclusive lock (flock) that names its owner keeps an orphaned trainer and a new one of the same key from working side
by side. An orphan of another key is kept from the new one's folder: the key that was begun last there is noted in it.

This module is imported while a Snakefile is parsed, for `size`: NumPy comes with `winnow.io`, imported where
it is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from winnow import atomic
from winnow.errors import UserError

if TYPE_CHECKING:
    import numpy as np

_CHECKPOINT, _DONE, _CLAIM = "checkpoint.safetensors", "done.json", ".lane_key"


class Entry:
    """One job's folder in the store; use inside `locked`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def whole(self) -> list[str] | None:
        """The finished run's file names; None if it is not finished or (then dropped) fails a checksum."""
        from winnow import io

        if not (self.folder / _DONE).exists():
            return None
        try:
            files: dict[str, str] = io.read_json(self.folder / _DONE)["files"]
            for name, expected in files.items():
                if _sha256(self.folder / name) != expected:
                    raise UserError(f"{self.folder / name} is corrupt: it does not match its checksum.")
        except (UserError, OSError, KeyError, TypeError, AttributeError) as error:
            print(f"store: {error} The stored run is not used; training anew.", flush=True)
            self.drop()
            return None
        return list(files)

    def finish(self, write: Callable[[Path], None]) -> list[str]:
        """Let `write(folder)` write the run's files, then mark it finished; the file names."""
        sums = self.write(write)
        self.mark_whole(sums)
        return list(sums)

    def write(self, write: Callable[[Path], None]) -> dict[str, str]:
        """Let `write(folder)` write the run's files; their checksums."""
        write(self.folder)
        names = sorted(
            f.name for f in self.folder.iterdir() if not f.name.startswith((".", "checkpoint", "lock", "done"))
        )
        return {name: _sha256(self.folder / name) for name in names}

    def mark_whole(self, sums: dict[str, str]) -> None:
        """The run is finished with files of these checksums, and was used now: drop its checkpoint."""
        from winnow import io

        io.write_json(self.folder / _DONE, {"files": sums})
        (self.folder / _CHECKPOINT).unlink(missing_ok=True)
        os.utime(self.folder / "lock")

    def drop(self) -> None:
        """Remove everything but the lock."""
        (self.folder / _DONE).unlink(missing_ok=True)
        for file in self.folder.iterdir():
            if file.name != "lock":
                file.unlink()

    def remove(self) -> None:
        """Remove the whole entry; a process that waits for its lock begins it anew."""
        shutil.rmtree(self.folder)

    def save(self, state: Any, arrays: dict[str, np.ndarray]) -> None:
        """Write the checkpoint, atomically, in place of the one before."""
        from winnow import io

        io.write_tensors(self.folder / _CHECKPOINT, arrays, {"state": json.dumps(state, allow_nan=False)})

    def checkpoint(self) -> tuple[Any, dict[str, np.ndarray]] | None:
        """(state, arrays) of the last checkpoint, or None. A corrupt one is named, removed and never used."""
        from winnow import io

        path = self.folder / _CHECKPOINT
        if not path.exists():
            return None
        try:
            arrays, metadata = io.read_tensors(path)
            return json.loads(metadata["state"]), arrays
        except (UserError, KeyError, ValueError) as error:
            print(f"store: {error} The checkpoint is not used; training from the start.", flush=True)
            path.unlink()
            return None

    def link(self, names: list[str], out: Path) -> None:
        """Put the files into `out`, with the time of now. An output is whole or not there.

        Hard links where possible, but never two to the same file: linking one output would make the other newer, too.
        UserError if a job with another key claimed `out` since.
        """
        with self.claimed(out):
            for name in names:
                temporary = out / f".{name}.{os.getpid()}.tmp"
                temporary.unlink(missing_ok=True)
                source, mine = self.folder / name, out / name
                mine.unlink(missing_ok=True)
                try:
                    if source.stat().st_nlink > 1:
                        raise OSError("another output is a link to this file")
                    os.link(source, temporary)
                except OSError:
                    atomic.write(mine, source.read_bytes())
                else:
                    os.utime(temporary)
                    os.replace(temporary, mine)

    @contextlib.contextmanager
    def claimed(self, out: Path) -> Iterator[None]:
        """While inside, no other job can claim `out`; UserError if one with another key has."""
        with _claim_file(out) as file:
            if (newest := file.read()) not in ("", self.folder.name):
                raise UserError(
                    f"Another training job ({newest}) was begun in {out} after this one ({self.folder.name}), with "
                    "other values or sources. This one ends here, so that it does not overwrite the newer files; its "
                    "last checkpoint stays in the store."
                )
            yield


def claim(out: Path, key: str) -> None:
    """Reserve the folder `out` for the files of `key`: a job with another key, begun before, does not link there."""
    with _claim_file(out) as file:
        file.truncate(0)
        file.write(key)


@contextlib.contextmanager
def _claim_file(out: Path) -> Iterator[TextIO]:
    out.mkdir(parents=True, exist_ok=True)
    with open(out / _CLAIM, "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


@contextlib.contextmanager
def locked(store: Path, key: str) -> Iterator[Entry]:
    """The entry `key` of `store`, locked for this process; waits, naming the owner, while another process holds it."""
    folder = Path(store) / key
    told = False
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    lock.seek(0)
                    print(
                        f"store: {lock.read().strip() or 'another process'} is training this very job (left over from "
                        "an earlier run?). Waiting for it, to use its result; to stop it, kill that process.",
                        flush=True,
                    )
                    told = True
                time.sleep(0.2)
                continue
            if os.fstat(lock.fileno()).st_nlink == 0:
                continue  # `shrink` removed the entry while this process waited: begin anew
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}")
            lock.flush()
            yield Entry(folder)
            return


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def entries(store: str | Path) -> list[Path]:
    """The job folders of a store: those with a lock (matmul.json, say, is none)."""
    return [folder for folder in Path(store).glob("*") if (folder / "lock").exists()]


def size(store: str | Path) -> int:
    """Bytes that the store holds by itself: files also linked into results cost nothing more."""
    return sum(map(_own_bytes, entries(store)))


def _own_bytes(folder: Path) -> int:
    total = 0
    with contextlib.suppress(FileNotFoundError):  # other jobs replace and remove files meanwhile
        for file in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                stat = file.stat()
                total += stat.st_size if stat.st_nlink == 1 else 0
    return total


def shrink(store: Path, limit: int) -> list[str]:
    """Remove the entries unused for longest until `size` is at most `limit` bytes, except locked ones; their keys."""
    removed: list[str] = []
    found: list[tuple[float, Path, int]] = []
    for folder in entries(store):
        with contextlib.suppress(FileNotFoundError):  # another job is removing it
            found.append(((folder / "lock").stat().st_mtime, folder, _own_bytes(folder)))
    left = sum(own for _, _, own in found)
    for _, folder, own in sorted(found):
        if left <= limit:
            break
        # Open for writing, as NFS wants what it locks.
        with contextlib.suppress(FileNotFoundError), open(folder / "lock", "r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
            left -= own
    return removed
