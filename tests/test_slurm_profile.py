"""profiles/slurm: what is asked of SLURM, with stand-ins for its commands (a real one: tests/slurm/)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_workflow import Tree, planted

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = ROOT / ".venv/slurm"
PROFILE = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
RULES = {
    re.match(r"\w+", text).group(): text  # type: ignore[union-attr]
    for path in (ROOT / "rules").glob("*.smk")
    for text in re.split(r"(?m)^rule ", path.read_text(encoding="utf-8"))[1:]
}
LOCAL = {
    name
    for path in (ROOT / "rules").glob("*.smk")
    for block in re.findall(r"(?m)^localrules:\n((?: {4}\w+,\n)+)", path.read_text(encoding="utf-8"))
    for name in re.findall(r"\w+", block)
}
CHAIN = "rounds_toy_gd_halves_seeds0-1"


def test_what_the_default_profile_says_holds_here_too() -> None:
    default = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    assert {key: PROFILE.get(key) for key in default} == default


def test_light_rules_run_on_the_submit_host() -> None:
    light = {"download", "select", "trials", "finalists", "classify", "export_rounds", "export_edges"}
    light |= {"table", "figure", "report"}
    assert light == LOCAL


def test_the_profile_names_the_rules_that_train_on_a_gpu() -> None:
    assert {name for name, text in RULES.items() if "gpu=" in text} == set(PROFILE["set-resources"])


@pytest.mark.parametrize("resource", ["mem_mb", "runtime"])
def test_whatever_is_submitted_gets_more_on_retry(resource: str) -> None:
    assert [name for name in set(RULES) - LOCAL if f"{resource}=growing(" not in RULES[name]] == []
    for values in PROFILE["set-resources"].values():
        assert re.fullmatch(r"\d+ \* attempt", values[resource])


class Cluster:
    """The tree with stand-ins for SLURM's commands."""

    def __init__(self, tree: Tree, folder: Path) -> None:
        self.tree, self.folder = tree, folder
        (folder / "commands").mkdir(parents=True)
        (folder / "jobs").mkdir()
        stub = (ROOT / "tests/slurm/stub.py").read_text(encoding="utf-8")
        for name in ("sbatch", "srun", "squeue", "sacct", "scontrol", "sinfo", "scancel", "sacctmgr"):
            (folder / "commands" / name).write_text(f"#!{sys.executable} -SE\n{stub}")
            (folder / "commands" / name).chmod(0o755)

    def snakemake(self, *arguments: str, fail: str = "", min_job_age: int = 300) -> subprocess.CompletedProcess[str]:
        (self.folder / "jobs/fail").write_text(fail)
        around = {name: value for name, value in os.environ.items() if name != "SNAKEMAKE_PROFILE"}
        around |= {
            "PATH": f"{self.folder / 'commands'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PLUGIN),
            "STUB": str(self.folder / "jobs"),
            "MIN_JOB_AGE": str(min_job_age),
        }
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", *arguments]
        command += ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "2"]
        return subprocess.run(command, cwd=self.tree.path, env=around, capture_output=True, text=True, check=False)

    def submitted(self, part: str) -> list[dict[str, str]]:
        """The options of the submissions with this in their comment, in order."""
        folders = sorted(
            (path.parent for path in self.folder.glob("jobs/*/call.json")), key=lambda path: int(path.name)
        )
        calls = [json.loads((folder / "call.json").read_text()) for folder in folders]
        return [options(call) for call in calls if part in call[call.index("--comment") + 1]]

    def asked(self, command: str) -> bool:
        return bool(re.search(rf"(?m)^{command} ", (self.folder / "jobs/calls").read_text()))


def options(call: list[str]) -> dict[str, str]:
    """{option: value} of `--option=value`, `--option value` and `--option`."""
    found: dict[str, str] = {}
    for text in call:
        if text.startswith("-"):
            name, _, value = text.partition("=")
            found[name] = value
        else:
            found[name] = text
    return found


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    if not PLUGIN.is_dir():
        pytest.skip("Snakemake's SLURM plugin is not in .venv/slurm, where `make env` puts it")
    tree = planted(tmp_path / "tree")
    tree.write("workflow_scripts/claim_gpu.py", (ROOT / "workflow_scripts/claim_gpu.py").read_text())
    profile = (ROOT / "profiles/slurm/config.yaml").read_text()
    for commented in ("slurm_account: my_account", "slurm_partition: gpu", "gpu_model: a100"):
        assert f"# {commented}" in profile
        profile = profile.replace(f"# {commented}", commented)
    tree.write("profiles/slurm/config.yaml", profile)
    return Cluster(tree, tmp_path / "slurm")


SMALL: dict[str, Any] = {
    "arms": {"eg": None, "gd": {"rates": None}},
    "recipes": {"within": None},
    "tables": ["summary"],
    "figures": {"names": []},
}


def test_a_chain_is_one_submission_with_one_gpu_and_comes_back_with_more(cluster: Cluster) -> None:
    cluster.tree.write("overlay.yaml", yaml.safe_dump({"execution": {"device": "cuda"}, "toy": SMALL}))
    # MinJobAge is too short for squeue, so the plugin asks the accounting daemon.
    done = cluster.snakemake("pruning", "--configfile", "overlay.yaml", fail=CHAIN, min_job_age=2)
    assert done.returncode == 0, done.stdout + done.stderr
    (dense,) = cluster.submitted("rule_dense")
    asked = {"-p": "gpu", "-A": "my_account", "-t": "240", "--mem": "8000", "--gpus": "a100:1", "--cpus-per-task": "1"}
    assert {key: dense.get(key) for key in asked} == asked
    assert "--requeue" in dense
    first, second = cluster.submitted("rounds_")
    assert {key: first.get(key) for key in asked} == asked | {"-t": "120"}  # two rounds of 60 minutes
    assert {key: second.get(key) for key in asked} == asked | {"-t": "240", "--mem": "16000"}
    assert not any("--array" in call for call in (dense, first, second))
    assert len(cluster.tree.trainings()) == 3
    assert cluster.asked("sacct -X")
    assert not cluster.asked("squeue")


def test_on_a_cpu_cluster_no_gpu_is_asked_for_and_a_job_that_keeps_failing_ends_the_workflow(cluster: Cluster) -> None:
    cluster.tree.write("profiles/slurm/config.yaml", (ROOT / "profiles/slurm/config.yaml").read_text())
    cluster.tree.write("overlay.yaml", yaml.safe_dump({"toy": SMALL}))
    done = cluster.snakemake("pruning", "--configfile", "overlay.yaml", fail="rule_dense\n" * 3)
    assert done.returncode == 1
    assert "results/logs/dense/toy/gd/all/lr0.2/seeds0-1.log" in done.stdout + done.stderr
    calls = cluster.submitted("")
    assert [(call["-t"], call["--mem"]) for call in calls] == [("240", "8000"), ("480", "16000"), ("720", "24000")]
    assert not any("--gpus" in call or "-A" in call for call in calls)
    assert {call["-p"] for call in calls} == {"cluster"}  # the default partition
    assert cluster.asked("squeue")
