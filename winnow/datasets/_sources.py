"""Fetching by trying sources in order, each in a scratch folder of its own that is removed afterwards.

Programs that use the network (torchvision's downloader, apt-get) run as child processes and are stopped once neither
their output nor their folder has grown for a while: a dead name server or a silent mirror costs less than a minute,
and is not tried again.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from winnow.errors import UserError

STALL = 45.0  # seconds without growth until a child process is stopped
PAUSE = 1.0  # seconds between two tries of a source
POLL = 0.1
RESOLVER = "timeout:3 attempts:2"  # a name server that does not answer costs 6 seconds per name, see resolv.conf(5)
SPACE = 2**20  # bytes; with less the disk counts as full

log = logging.getLogger("winnow.download")


class UnavailableError(Exception):
    """The source cannot work here, so trying again is useless. The message says why."""


@dataclass(frozen=True)
class Source:
    """One place to get a data set from: `fetch(scratch folder)` returns its arrays or raises UserError or OSError."""

    name: str
    fetch: Callable[[Path], dict[str, np.ndarray]]
    tries: int = 1


def first(what: str, sources: Sequence[Source], work: Path, advice: str) -> dict[str, np.ndarray]:
    """The arrays from the first source that has them; its name is left in the file `work`/source.

    UserError names every source with the reason why it failed, and then gives `advice`. A full disk ends the search.
    """
    reasons: list[str] = []
    for source in sources:
        for attempt in range(1, source.tries + 1):
            scratch = work / "scratch"
            scratch.mkdir(parents=True)
            try:
                arrays = source.fetch(scratch)
                (work / "source").write_text(source.name)
                return arrays
            except UnavailableError as error:
                reason, again = str(error), False
            except (UserError, OSError) as error:
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise
                reason, again = str(error), attempt < source.tries
            finally:
                shutil.rmtree(scratch)
            log.warning("%s from %s failed: %s%s", what, source.name, reason, " (trying again)" if again else "")
            if not again:
                break
            time.sleep(PAUSE)
        tried = f" (tried {attempt} times)" if attempt > 1 else ""
        reasons.append(f"({len(reasons) + 1}) {source.name}{tried}: {reason.rstrip('.')}")
    raise UserError(f"{what} could not be fetched. Sources: {'; '.join(reasons)}. {advice}")


def run(name: str, command: Sequence[str], scratch: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a program in `scratch`. UserError with the reason it printed if it fails, UnavailableError if it stalls,
    OSError if it leaves the disk full.
    """
    output = scratch / "output.log"
    with open(output, "wb") as file:
        process = subprocess.Popen(
            command,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={"RES_OPTIONS": RESOLVER, **os.environ, "LC_ALL": "C", **(environment or {})},
        )
        try:
            size, since = -1, time.monotonic()
            while process.poll() is None:
                if (now := _size(scratch)) != size:
                    size, since = now, time.monotonic()
                elif time.monotonic() - since > STALL:
                    raise UnavailableError(f"{name} was stopped: nothing arrived for {STALL:g} seconds")
                time.sleep(POLL)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        if shutil.disk_usage(scratch).free < SPACE:  # programs say it in many ways, or cannot even say it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(scratch))
        raise UserError(f"{name} failed: {_reason(output.read_text(errors='replace'))}")


def _size(folder: Path) -> int:
    """Bytes in all files below `folder`; files that vanish meanwhile do not count."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _reason(output: str) -> str:
    """What a program's output says about its failure: apt's and dpkg's error lines, otherwise the last line."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E: ", "dpkg: error", "dpkg-deb: error"))]
    return "; ".join(errors[:3] or lines[-1:] or ["it printed nothing"])[:500]


def torchvision(dataset: str, scratch: Path) -> None:
    """Download into `scratch` with torchvision's data set class of that name, from its mirrors."""
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "winnow.vision", dataset, str(scratch)]
    run("torchvision", command, scratch, {"PYTHONPATH": path})


def debian_package(package: str, scratch: Path) -> Path:
    """Fetch and unpack a Debian package without root and without touching the system; returns the unpacked tree."""
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise UnavailableError(f"there is no {program} on this system")
    lists, cache = scratch / "lists", scratch / "cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    options = {
        "Dir::State::Lists": lists,
        "Dir::Cache": cache,
        "Dir::Cache::archives": cache / "archives",
        "APT::Sandbox::User": "root",  # as root, apt would otherwise download as a user who may not write here
        "APT::Update::Error-Mode": "any",  # otherwise a failed update passes and the package is "not found"
        "Acquire::Languages": "none",
        "Acquire::Retries": 1,
        "Acquire::http::Timeout": 20,
        "Acquire::https::Timeout": 20,
    }
    apt = ["apt-get", "-q", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    update = ""
    try:
        run("apt-get", [*apt, "update"], scratch)
    except UserError as error:  # one broken repository among several: the package may still be found in the others
        update = f"; before that, with update, {error}"
    try:
        run("apt-get", [*apt, "download", package], scratch)
        archive = next(scratch.glob("*.deb"), None)
        if archive is None:
            raise UserError(f"apt-get downloaded no file for the package {package}")
        run("dpkg", ["dpkg", "-x", str(archive), str(scratch / "tree")], scratch)
    except UserError as error:
        raise UserError(f"{error}{update}") from error
    return scratch / "tree"
