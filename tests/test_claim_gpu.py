"""Jobs on a machine with several GPUs: each has one to itself, and gives it back when it dies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHOW = "import os, sys; print(os.environ.get('CUDA_VISIBLE_DEVICES')); sys.stdout.flush(); sys.stdin.read()"


class Jobs:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "workflow_scripts/claim_gpu.py"), sys.executable, "-c", SHOW]
        names = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID")
        around = {name: value for name, value in os.environ.items() if name not in names}
        around |= {"TMPDIR": str(self.folder), **environment}
        job = subprocess.Popen(command, env=around, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.started.append(job)
        return job


def said(job: subprocess.Popen[str]) -> str:
    assert job.stdout is not None
    return job.stdout.readline().strip()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    every = Jobs(tmp_path)
    yield every
    for job in every.started:
        job.kill()
        job.communicate()


def test_each_job_has_a_device_to_itself_and_a_killed_one_gives_it_back(jobs: Jobs) -> None:
    first, second = (jobs.start(CUDA_VISIBLE_DEVICES="3,5") for _ in range(2))
    devices = {said(first), said(second)}
    assert devices == {"3", "5"}
    third = jobs.start(CUDA_VISIBLE_DEVICES="3,5")
    assert said(third) == "claim_gpu: all of 3, 5 are taken; waiting for one"
    first.kill()
    assert said(third) in devices


def test_the_devices_are_those_that_the_driver_names(jobs: Jobs, tmp_path: Path) -> None:
    stub = tmp_path / "nvidia-smi"
    stub.write_text("#!/bin/sh\necho GPU-a1\necho GPU-b2\n")
    stub.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    assert {said(jobs.start(PATH=path)) for _ in range(2)} == {"GPU-a1", "GPU-b2"}


def test_what_slurm_gave_stays(jobs: Jobs) -> None:
    assert [said(jobs.start(CUDA_VISIBLE_DEVICES="0", SLURM_JOB_ID="7")) for _ in range(2)] == ["0", "0"]


def test_without_a_gpu_the_command_runs_as_it_is(jobs: Jobs, tmp_path: Path) -> None:
    assert said(jobs.start(PATH=str(tmp_path))) == "None"
