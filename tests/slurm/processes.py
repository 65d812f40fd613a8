"""The processes of the test's SLURM on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

MARK = "WINNOW_SLURM_TEST"  # in the environment of every process of the cluster
DAEMONS = ("slurmctld", "slurmd", "slurmstepd")


def daemons() -> list[str]:
    """The daemons of SLURM, of this test or not, that run on this machine."""
    return sorted({_name(pid) for pid in _processes()} & set(DAEMONS))


def lose_power(job: str) -> None:
    """Kill a job and its node as if the machine went down: slurmd first, which would tell, then steps and programs."""
    found = [pid for pid in _processes() if _name(pid) == "slurmd"]
    found += [pid for pid in _processes() if f"slurmstepd: [{job}." in _read(pid, "cmdline")]
    found += [pid for pid in _processes() if f"SLURM_JOB_ID={job}\0" in _read(pid, "environ")]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def left_over(folder: Path) -> list[int]:
    """Processes of this cluster: its daemons, and what its jobs began."""
    mark = f"{MARK}={folder}\0"
    return [pid for pid in _processes() if mark in _read(pid, "environ") or _name(pid) in DAEMONS]


def kill_left_over(folder: Path) -> None:
    for pid in left_over(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _name(pid: int) -> str:
    return _read(pid, "comm").strip()


def _read(pid: int, name: str) -> str:
    with contextlib.suppress(OSError):  # it has ended meanwhile
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    return ""
