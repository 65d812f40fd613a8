"""A run of Snakemake in a copy of the repository, on the test's SLURM or on this machine alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from processes import MARK

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PARTS = ("Snakefile", "config.yaml", "rules", "profiles", "envs", "winnow", "workflow_scripts")
PLUGIN = ROOT / ".venv/slurm"
PATIENCE = float(os.environ.get("PATIENCE", "300"))  # seconds for the workflow


def tree(folder: Path) -> Path:
    """A copy of the repository's workflow, with the test's config and a profile that asks for a made-up GPU."""
    folder.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)
    shutil.copy(HERE / "cluster.yaml", folder)
    (folder / "orders").mkdir()
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    for rule, resources in profile["set-resources"].items():
        resources |= {"gpu": 1, "gpu_model": "toy", "runtime": f"{2 if rule == 'prune' else 1} * attempt"}
    profile |= {"slurm-init-seconds-before-status-checks": 3, "latency-wait": 10}
    (folder / "profiles/test").mkdir()
    (folder / "profiles/test/config.yaml").write_text(yaml.safe_dump(profile))
    return folder


class Workflow:
    """Snakemake with the test's config in `tree`; on the SLURM whose folder is `cluster`, if one is given."""

    def __init__(self, tree: Path, *arguments: str, cluster: Path | None = None) -> None:
        self.tree = tree
        command = [sys.executable, "-m", "snakemake", "--configfile", "cluster.yaml", *arguments]
        folders = [HERE / "site"]
        if cluster:
            command += ["--workflow-profile", "profiles/test"]
            folders.append(PLUGIN)
        hidden = ("PYTHONPATH", "SNAKEMAKE_PROFILE")
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        environment |= {"PYTHONPATH": os.pathsep.join(map(str, folders)), MARK: str(cluster)}
        with open(tree / "snakemake.out", "wb") as log:
            self.process = subprocess.Popen(command, cwd=tree, env=environment, stdout=log, stderr=log, process_group=0)

    def told(self) -> str:
        return (self.tree / "snakemake.out").read_text()

    def until(self, ready: Callable[[], object]) -> None:
        """Wait for `ready`; the test fails if the workflow ends before, or takes too long."""
        began = time.monotonic()
        while not ready():
            if self.process.poll() is not None:
                pytest.fail(f"the workflow ended too early:\n{self.told()}")
            if time.monotonic() - began > PATIENCE:
                pytest.fail(f"the workflow waited for too long:\n{self.told()}")
            time.sleep(0.2)

    def finish(self) -> tuple[int, str]:
        """The exit code and what Snakemake printed; the test fails if it hangs."""
        try:
            return self.process.wait(PATIENCE), self.told()
        except subprocess.TimeoutExpired:
            self.end()
            pytest.fail(f"the workflow hung:\n{self.told()}")

    def end(self) -> None:
        """Kill it and all that it runs on this machine."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
