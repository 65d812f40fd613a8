"""Run a command with a GPU of this machine to itself: python workflow_scripts/claim_gpu.py COMMAND ...

Snakemake counts GPUs but hands out none. Here each device has a lock (flock) of its own, which the command inherits: it
is free again when the command ends, however it ends. The command sees its device alone, in CUDA_VISIBLE_DEVICES, and
so as `cuda`. While all are taken this waits. A list in CUDA_VISIBLE_DEVICES is respected; inside a SLURM job nothing is
claimed, since SLURM has given the device.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path


def devices() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if (listed := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in listed.split(",") if name.strip()]
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []


def claim(names: Sequence[str], folder: Path, wait: float = 1.0) -> str:
    """The first free device, locked until this process and what it becomes have ended."""
    folder.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        for name in names:
            lock = os.open(folder / name.replace("/", "_"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            os.set_inheritable(lock, True)  # survives exec
            return name
        if not told:
            print(f"claim_gpu: all of {', '.join(names)} are taken; waiting for one", flush=True)
            told = True
        time.sleep(wait)


def main() -> None:
    names = [] if "SLURM_JOB_ID" in os.environ else devices()
    if names:  # where there is none, the command says so
        os.environ["CUDA_VISIBLE_DEVICES"] = claim(names, Path(tempfile.gettempdir()) / f"winnow-gpus-{os.getuid()}")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
