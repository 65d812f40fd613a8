"""What SLURM's controller says and is told."""

from __future__ import annotations

import re
import subprocess


def scontrol(*arguments: str) -> str:
    return subprocess.run(["scontrol", *arguments], capture_output=True, text=True, check=True).stdout


def jobs() -> dict[str, dict[str, str]]:
    """What SLURM says of every job, by its id."""
    lines = scontrol("--oneliner", "show", "job").splitlines()
    described = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines]
    return {job["JobId"]: job for job in described if "JobId" in job}


def in_service(node: str) -> bool:
    """Whether the node takes jobs again; asks for it (an error if it has come back by itself)."""
    subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], capture_output=True, check=False)
    return not re.search(r"State=\S*(DOWN|DRAIN)", scontrol("show", "node", node))


def active() -> list[str]:
    """The jobs that run or end just now."""
    return [key for key, job in jobs().items() if job["JobState"] in ("RUNNING", "COMPLETING")]
