"""The workflow on a real SLURM, through profiles/slurm: jobs are killed in every way that a cluster has, and come back.

`make test-slurm` runs this; it needs root and Debian's packages slurm-wlm and munge. The jobs train on the CPU, but ask
for one of two made-up GPUs each.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cluster
import control
import pytest
from processes import left_over, lose_power
from workflow import PLUGIN, Workflow, tree

RESULTS = "results/gd_vs_eg"
TRAININGS = ("train_dense.py", "prune.py", "tune.py", "train_scenario.py")
LIGHT = ("download.py", "make_table.py", "draw.py", "trials.py", "classify.py")


@dataclass
class Run:
    tree: Path
    jobs: dict[str, dict[str, str]]  # of SLURM, by id
    held: dict[str, str]  # order -> id of the job that obeyed it

    def programs(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.tree / "programs.jsonl").read_text().splitlines()]

    def attempts(self, part: str) -> list[str]:
        """The ids of the jobs in which a training that writes into a folder of this name began, in order."""
        trainings = [program for program in self.programs() if program["program"] in TRAININGS]
        return [program["job"] for program in trainings if part in program["out"]]


@pytest.fixture(scope="module")
def slurm() -> Iterator[cluster.Cluster]:
    if reason := cluster.refusal():
        pytest.exit(reason, returncode=1)
    assert PLUGIN.is_dir(), "the plugin is missing: make env"
    with cluster.running() as slurm:
        yield slurm
    assert left_over(slurm.folder) == []
    assert not slurm.folder.exists()
    assert not (cluster.ETC / "slurm.conf").exists()
    assert not (cluster.ETC / "gres.conf").exists()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    """The same on this machine, at the same time."""
    workflow = Workflow(tree(tmp_path_factory.mktemp("local") / "tree"), "--cores", "1", "pruning")
    yield workflow
    workflow.end()


@pytest.fixture(scope="module")
def run(slurm: cluster.Cluster, local: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A workflow with accidents: a training and a chain of rounds are cancelled, others run into their time limit, the
    node of a chain fails."""
    copy = tree(tmp_path_factory.mktemp("slurm") / "tree")
    orders = {
        "cancel": "gd/dense",
        "time": "eg/dense",
        "cancel-chain": "gd/magnitude_global_rewind/seeds0-1/round2",
        "time-chain": "gd/magnitude_init/seeds0-1/round2",
        "node": "eg/magnitude_global_rewind/seeds0-1/round2",
    }
    for name, out in orders.items():
        (copy / f"orders/hold-{name}").write_text(out)
    workflow = Workflow(copy, cluster=slurm.folder)
    held: dict[str, str] = {}

    def holds(name: str) -> bool:
        for path in (copy / "orders").glob(f"held-*-hold-{name}"):
            held[name] = path.name.split("-")[1]
        return name in held

    try:
        for name in ("cancel", "cancel-chain"):
            workflow.until(lambda name=name: holds(name))
            subprocess.run(["scancel", held[name]], check=True)
        workflow.until(lambda: holds("time"))  # its limit is one minute, and it stands still
        workflow.until(lambda: holds("time-chain"))
        control.scontrol("update", f"JobId={held['time-chain']}", "TimeLimit=1")  # it has four
        workflow.until(lambda: holds("node"))
        workflow.until(lambda: control.active() == [held["node"]])
        node = control.jobs()[held["node"]]["NodeList"]
        lose_power(held["node"])
        control.scontrol("update", f"NodeName={node}", "State=DOWN", "Reason=test")  # SLURM would see it after minutes
        workflow.until(lambda: control.jobs()[held["node"]]["JobState"] == "PENDING")
        slurm.start("slurmd")
        workflow.until(lambda: control.in_service(node))
        # SLURM waits for two minutes, since what it told the node of the old attempt would end the new one.
        control.scontrol("update", f"JobId={held['node']}", "StartTime=now+30")
        code, text = workflow.finish()
    finally:
        workflow.end()
    assert code == 0, text
    return Run(copy, control.jobs(), held)


def test_every_training_ran_under_slurm_with_one_gpu_and_light_rules_did_not(run: Run) -> None:
    programs = run.programs()
    for program in programs:
        assert (program["job"] is None) == (program["program"] in LIGHT), program
        assert (program["devices"] in ("0", "1")) == (program["program"] in TRAININGS), program
    on_the_cluster = {*TRAININGS, "measure.py", "sweep.py", "train_from_scratch.py"}
    assert {program["program"] for program in programs} == {*LIGHT, *on_the_cluster}


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


def test_a_cancelled_job_was_submitted_again_and_resumed(run: Run) -> None:
    first, second = run.attempts("gd/dense")
    assert run.held["cancel"] == first
    assert [run.jobs[job]["JobState"] for job in (first, second)] == ["CANCELLED", "COMPLETED"]
    (log,) = (run.tree / "results/logs/dense/gd_vs_eg/gd").rglob("*.log")
    assert "store: continuing at iteration" in log.read_text()


@pytest.mark.parametrize(
    ("order", "recipe", "state"),
    [("cancel-chain", "magnitude_global_rewind", "CANCELLED"), ("time-chain", "magnitude_init", "TIMEOUT")],
)
def test_a_chain_that_was_killed_was_submitted_again_and_replayed_its_finished_round(
    run: Run, order: str, recipe: str, state: str
) -> None:
    chain = f"gd/{recipe}/seeds0-1/round"
    first, again = dict.fromkeys(run.attempts(chain))
    assert run.held[order] == first
    assert run.attempts(chain) == [first, first, again, again]  # two rounds, one submission
    assert [run.jobs[job]["JobState"] for job in (first, again)] == [state, "COMPLETED"]
    assert run.jobs[again]["TimeLimit"] == "00:08:00"  # twice that of the first
    logs = run.tree / f"results/logs/prune/gd_vs_eg/gd/{recipe}/seeds0-1"
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


def test_the_results_equal_those_of_a_local_run(run: Run, local: Workflow) -> None:
    code, text = local.finish()
    assert code == 0, text
    here = local.tree
    files = [path for study in ("gd_vs_eg", "optimizers") for path in (here / "results" / study).rglob("*")]
    found = [path.relative_to(here) for path in files if path.name == "metrics.csv" or path.suffix == ".safetensors"]
    assert len(found) == 2 * 3 + 3 * 2 * 3 + 2  # of two dense trainings, three chains of two rounds, a final run
    assert [str(path) for path in found if (here / path).read_bytes() != (run.tree / path).read_bytes()] == []


def test_a_second_run_has_nothing_to_do(run: Run, slurm: cluster.Cluster) -> None:
    assert "Nothing to be done" in Workflow(run.tree, cluster=slurm.folder).finish()[1]


def test_a_job_that_fails_ends_the_workflow_and_its_log_is_named(run: Run, slurm: cluster.Cluster) -> None:
    part = "gd/magnitude_global_rewind/seeds0-1/round1"
    shutil.rmtree(run.tree / RESULTS / part)
    (run.tree / "orders/fail-round1").write_text(part)
    code, text = Workflow(run.tree, "--retries", "0", f"{RESULTS}/{part}/run.json", cluster=slurm.folder).finish()
    assert code == 1, text
    assert f"results/logs/prune/gd_vs_eg/{part}.log" in text
    assert "ordered to fail" in text


def test_where_slurm_runs_no_other_is_started(slurm: cluster.Cluster) -> None:
    assert "SLURM runs on this machine" in (cluster.refusal() or "")
    with pytest.raises(FileExistsError), cluster.configured({"slurm.conf": ""}):
        pass
