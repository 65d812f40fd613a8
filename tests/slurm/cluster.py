"""A SLURM of one node for the tests, from Debian's packages: slurmctld, slurmd and munged, with two made-up GPUs.

Everything lies in one temporary folder but for slurm.conf and gres.conf: a job step looks for them in their default
place, since Snakemake's executor plugin hides the variables of SLURM from it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from processes import MARK, daemons, kill_left_over

ETC = Path("/etc/slurm")
COMMANDS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")

SLURM_CONF = """\
ClusterName=winnow
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=600
KillWait=2
SchedulerParameters=sched_interval=5,bf_interval=5
MpiDefault=none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 Gres=gpu:toy:2
PartitionName=toys Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
GRES_CONF = "Name=gpu Type=toy File=/dev/null\nName=gpu Type=toy File=/dev/zero\n"


def refusal() -> str | None:
    """Why no SLURM can be started here, or None."""
    if os.geteuid() != 0:
        return "This starts slurmctld and slurmd, which only root can do."
    if missing := [name for name in COMMANDS if shutil.which(name) is None]:
        return f"These commands are missing: {', '.join(missing)}. On Debian: apt-get install slurm-wlm munge"
    if found := daemons():
        return f"SLURM runs on this machine: {', '.join(found)}. That stays untouched."
    found = [str(path) for path in (ETC / "slurm.conf", ETC / "gres.conf", Path("/etc/slurm-llnl")) if path.exists()]
    if found or os.environ.get("SLURM_CONF"):
        return (
            f"This machine has a SLURM configuration already: {', '.join(found) or '$SLURM_CONF'}. It stays untouched."
        )
    return None


@dataclass
class Cluster:
    """The SLURM that runs, and the folder where it keeps everything."""

    folder: Path
    at_the_end: contextlib.ExitStack

    def start(self, daemon: str) -> None:
        """Start a daemon, with nothing that it may have known before."""
        paths = {name: f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")}
        command = {
            "munged": ["munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", *paths.values()],
            "slurmctld": ["slurmctld", "-D", "-c"],
            "slurmd": ["slurmd", "-D", "-c"],
        }[daemon]
        environment = {**os.environ, MARK: str(self.folder)}
        with open(self.folder / f"{daemon}.out", "a") as log:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.at_the_end.callback(_end, process)


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """The cluster, up while inside. Afterwards no process and no file of it is left."""
    with contextlib.ExitStack() as stack:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up then, too
        stack.callback(signal.signal, signal.SIGTERM, before)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="winnow-slurm-")))
        for name in ("state", "spool"):
            (folder / name).mkdir()
        stack.callback(kill_left_over, folder)
        host = platform.node().partition(".")[0]
        text = SLURM_CONF.format(host=host, ports=_free_ports(2), folder=folder)
        stack.enter_context(configured({"slurm.conf": text, "gres.conf": GRES_CONF}))
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o400)
        folder.chmod(0o755)  # munged refuses its socket in a folder that others may not enter
        cluster = Cluster(folder, stack)
        for name in ("munged", "slurmctld", "slurmd"):
            cluster.start(name)
            if name == "munged":
                _wait(lambda: (folder / "munge.socket").exists(), folder)
        _wait(lambda: "idle" in _answer("sinfo", "--noheader", "--format=%T"), folder)
        stack.callback(_cancel_everything)
        yield cluster


@contextlib.contextmanager
def configured(files: dict[str, str]) -> Iterator[None]:
    made = not ETC.exists()
    ETC.mkdir(exist_ok=True)
    written = []
    try:
        for name, text in files.items():
            with open(ETC / name, "x") as file:  # never over another one
                written.append(ETC / name)
                file.write(text)
        yield
    finally:
        for path in written:
            path.unlink()
        if made:
            ETC.rmdir()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _answer(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _wait(ready: Callable[[], bool], folder: Path, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            logs = "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in sorted(folder.glob("*.out")))
            raise RuntimeError(f"SLURM did not start within {seconds:g} s.\n{logs}")
        time.sleep(0.2)


def _cancel_everything() -> None:
    subprocess.run(["scancel", "--signal=KILL", "--full", "--user=root"], capture_output=True, check=False)
    subprocess.run(["scancel", "--user=root"], capture_output=True, check=False)
    until = time.monotonic() + 20
    while _answer("squeue", "--noheader").strip() and time.monotonic() < until:
        time.sleep(0.5)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
