"""The workflow on a real SLURM, through profiles/slurm: jobs are killed in every way that a cluster has, and come back.

`make test-slurm` runs this; it needs root and Debian's packages slurm-wlm and munge. The jobs train on the CPU, but ask
for one of two made-up GPUs each.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cluster
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PARTS = ("Snakefile", "config.yaml", "rules", "profiles", "envs", "winnow", "workflow_scripts")
PLUGIN = ROOT / ".venv/slurm"
RESULTS = "results/gd_vs_eg"
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


def snakemake(tree: Path, *arguments: str, mark: str = "") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "snakemake", "--configfile", "cluster.yaml", *arguments]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")}
    folders = [HERE / "site", *([PLUGIN] if mark else [])]
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, folders)), cluster.MARK: mark}
    with open(tree / "snakemake.out", "wb") as log:
        return subprocess.Popen(command, cwd=tree, env=environment, stdout=log, stderr=log, process_group=0)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a workflow and all that it runs on this machine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def on_slurm(tree: Path, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return snakemake(tree, "--workflow-profile", "profiles/test", *arguments, mark=str(folder))


def until(ready: Callable[[], object], process: subprocess.Popen[bytes], tree: Path) -> None:
    began = time.monotonic()
    while not ready():
        told = (tree / "snakemake.out").read_text
        assert process.poll() is None, f"the workflow ended too early:\n{told()}"
        assert time.monotonic() - began < PATIENCE, f"the workflow took too long:\n{told()}"
        time.sleep(0.2)


def finish(process: subprocess.Popen[bytes], tree: Path) -> str:
    with contextlib.suppress(AssertionError):
        until(lambda: process.poll() is not None, process, tree)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)
    if process.returncode is None:
        end(process)
        pytest.fail(f"the workflow hung:\n{(tree / 'snakemake.out').read_text()}")
    return (tree / "snakemake.out").read_text()


def scontrol(*arguments: str) -> str:
    return subprocess.run(["scontrol", *arguments], capture_output=True, text=True, check=True).stdout


def slurm_jobs() -> dict[str, dict[str, str]]:
    """What SLURM says of every job, by its id."""
    jobs = scontrol("--oneliner", "show", "job").splitlines()
    described = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in jobs]
    return {job["JobId"]: job for job in described if "JobId" in job}


def in_service(node: str) -> bool:
    """Whether the node takes jobs again; asks for it (an error if it has come back by itself)."""
    subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], capture_output=True, check=False)
    return not re.search(r"State=\S*(DOWN|DRAIN)", scontrol("show", "node", node))


@dataclass
class Run:
    tree: Path
    text: str
    jobs: dict[str, dict[str, str]]  # of SLURM, by id
    held: dict[str, str]  # order -> id of the job that obeyed it

    def programs(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.tree / "programs.jsonl").read_text().splitlines()]

    def attempts(self, part: str) -> list[str]:
        """The ids of the jobs in which a training that writes into a folder of this name began, in order."""
        return [program["job"] for program in self.programs() if part in program["out"]]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    if reason := cluster.refusal():
        pytest.exit(reason, returncode=1)
    assert PLUGIN.is_dir(), "the plugin is missing: make env"
    with cluster.running() as folder:
        yield folder
    assert cluster.left_over(folder) == []
    assert not folder.exists()
    assert not (cluster.ETC / "slurm.conf").exists()
    assert not (cluster.ETC / "gres.conf").exists()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """The same on this machine, at the same time."""
    copy = tree(tmp_path_factory.mktemp("local") / "tree")
    process = snakemake(copy, "--cores", "1", "pruning")
    yield copy, process
    end(process)


@pytest.fixture(scope="module")
def run(folder: Path, local: object, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A workflow with accidents: a training runs into its time limit, a chain is cancelled, another's node fails."""
    copy = tree(tmp_path_factory.mktemp("slurm") / "tree")
    orders = {
        "time": "eg/dense",
        "cancel": "gd/magnitude_global_rewind/seeds0-1/round2",
        "node": "eg/magnitude_global_rewind/seeds0-1/round2",
    }
    for name, out in orders.items():
        (copy / f"orders/hold-{name}").write_text(out)
    process = on_slurm(copy, folder)
    held: dict[str, str] = {}

    def job_of(name: str) -> bool:
        for path in (copy / "orders").glob(f"held-*-hold-{name}"):
            held[name] = path.name.split("-")[1]
        return name in held

    try:
        until(lambda: job_of("cancel"), process, copy)
        subprocess.run(["scancel", held["cancel"]], check=True)
        until(lambda: job_of("time"), process, copy)  # its limit is one minute, and it stands still
        until(lambda: job_of("node"), process, copy)
        others = ("RUNNING", "COMPLETING")
        until(
            lambda: [j for j, job in slurm_jobs().items() if job["JobState"] in others] == [held["node"]], process, copy
        )
        node = slurm_jobs()[held["node"]]["NodeList"]
        scontrol("update", f"NodeName={node}", "State=DOWN", "Reason=test")
        cluster.lose_power(held["node"])
        until(lambda: slurm_jobs()[held["node"]]["JobState"] == "PENDING", process, copy)
        until(lambda: in_service(node), process, copy)
        scontrol("update", f"JobId={held['node']}", "StartTime=now")  # SLURM would wait for two minutes
        text = finish(process, copy)
    finally:
        end(process)
    assert process.returncode == 0, text
    return Run(copy, text, slurm_jobs(), held)


def test_every_training_ran_under_slurm_with_one_gpu_and_light_rules_did_not(run: Run) -> None:
    programs = run.programs()
    for program in programs:
        assert (program["job"] is None) == (program["program"] in ("download.py", "make_table.py", "draw.py")), program
        if program["program"] in ("train_dense.py", "prune.py"):
            assert program["devices"] in ("0", "1"), program
    assert {program["program"] for program in programs} >= {"train_dense.py", "prune.py", "measure.py", "draw.py"}


def test_jobs_at_the_same_time_had_different_gpus(run: Run) -> None:
    devices = {program["job"]: program["devices"] for program in run.programs() if program["devices"]}
    pairs = []
    for one, other in itertools.combinations(devices, 2):
        times = [(run.jobs[job]["StartTime"], run.jobs[job]["EndTime"]) for job in (one, other)]
        if max(begin for begin, _ in times) < min(end for _, end in times):  # ISO times sort as text
            pairs.append((devices[one], devices[other]))
    assert pairs
    assert all(one != other for one, other in pairs)


def test_a_job_that_ran_into_its_time_limit_came_back_with_more_and_resumed(run: Run) -> None:
    first, second = run.attempts("eg/dense")
    assert run.held["time"] == first
    assert [run.jobs[job]["JobState"] for job in (first, second)] == ["TIMEOUT", "COMPLETED"]
    assert [run.jobs[job]["TimeLimit"] for job in (first, second)] == ["00:01:00", "00:02:00"]
    memory = [re.search(r"mem=(\d+)", run.jobs[job]["TRES"]).group(1) for job in (first, second)]
    assert int(memory[1]) == 2 * int(memory[0])
    (log,) = (run.tree / "results/logs/dense/gd_vs_eg/eg").rglob("*.log")
    assert "store: continuing at iteration" in log.read_text()


def test_a_cancelled_chain_was_submitted_again_and_replayed_its_finished_round(run: Run) -> None:
    chain = "gd/magnitude_global_rewind/seeds0-1/round"
    first, again = dict.fromkeys(run.attempts(chain))
    assert run.attempts(chain) == [first, first, again, again]  # two rounds, one submission
    assert [run.jobs[job]["JobState"] for job in (first, again)] == ["CANCELLED", "COMPLETED"]
    assert [run.jobs[job]["TimeLimit"] for job in (first, again)] == ["00:04:00", "00:08:00"]
    logs = run.tree / "results/logs/prune/gd_vs_eg/gd/magnitude_global_rewind/seeds0-1"
    assert "was trained before; nothing to train" in (logs / "round1.log").read_text()
    assert "store: continuing at iteration" in (logs / "round2.log").read_text()


def test_a_chain_whose_node_failed_was_requeued_and_resumed(run: Run) -> None:
    chain = run.attempts("eg/magnitude_global_rewind/seeds0-1/round")
    assert set(chain) == {run.held["node"]}
    assert len(chain) == 4
    job = run.jobs[run.held["node"]]
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    logs = run.tree / "results/logs/prune/gd_vs_eg/eg/magnitude_global_rewind/seeds0-1"
    assert "was trained before; nothing to train" in (logs / "round1.log").read_text()
    assert "store: continuing at iteration" in (logs / "round2.log").read_text()


def test_the_results_equal_those_of_a_local_run(run: Run, local: tuple[Path, subprocess.Popen[bytes]]) -> None:
    here, process = local
    text = finish(process, here)
    assert process.returncode == 0, text
    found = [
        path.relative_to(here) for path in (here / RESULTS).rglob("*") if path.name in ("metrics.csv", "edges.csv.gz")
    ]
    found += [path.relative_to(here) for path in (here / RESULTS).rglob("*.safetensors")]
    assert len(found) >= 2 * (4 + 2 * 3)
    assert [str(path) for path in found if (here / path).read_bytes() != (run.tree / path).read_bytes()] == []


def test_a_second_run_has_nothing_to_do(run: Run, folder: Path) -> None:
    assert "Nothing to be done" in finish(on_slurm(run.tree, folder), run.tree)


def test_a_job_that_fails_ends_the_workflow_and_its_log_is_named(run: Run, folder: Path) -> None:
    shutil.rmtree(run.tree / RESULTS / "gd/magnitude_global_rewind/seeds0-1/round1")
    (run.tree / "orders/fail-round1").write_text("gd/magnitude_global_rewind/seeds0-1/round1")
    process = on_slurm(
        run.tree, folder, "--retries", "0", f"{RESULTS}/gd/magnitude_global_rewind/seeds0-1/round1/run.json"
    )
    text = finish(process, run.tree)
    assert process.returncode == 1, text
    assert "results/logs/prune/gd_vs_eg/gd/magnitude_global_rewind/seeds0-1/round1.log" in text
    assert "ordered to fail" in text


def test_where_slurm_runs_no_other_is_started(folder: Path) -> None:
    assert "SLURM runs on this machine" in (cluster.refusal() or "")
    with pytest.raises(FileExistsError), cluster.configured({"slurm.conf": ""}):
        pass
