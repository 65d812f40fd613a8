"""What becomes stale, and what does not: real Snakemake runs of the real rules on stand-ins for the programs.

The tree holds the real Snakefile, rules, profile, winnow/config.py, plan.py and provenance.py, tiny plug-ins, and one
program that copies its arguments into its outputs. It is made and run once; each test works on a copy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WINNOW = (
    "__init__", "argument_types", "atomic", "benchmark_config", "benchmark_plan", "cli", "config", "config_errors",
    "duration", "errors", "fields", "io", "jobs", "lottery", "masks", "options", "plan", "plugins", "provenance",
    "pulse", "rates", "recipes", "report/__init__", "report/captions", "report/inlined", "run_folder", "schemas",
    "scratch/__init__", "scratch/names", "scratch/settings", "scratch_config", "scratch_plan", "scratch_space",
    "search_space", "spec", "store", "study_checks", "study_config", "study_outputs", "study_plan", "syntax",
    "timeline", "tuning_space", "watch/__init__", "watch/plan_file", "why",
)  # fmt: skip

PLUGINS = {
    "datasets/toy.py": "TRAIN = 100\n",
    "models/net.py": "class Net:\n    def __init__(self, shape, classes, hidden: int = 4):\n        pass\n",
    "optimizers/_shared.py": "VALUE = 1\n",
    "optimizers/gd.py": "class GD:\n    def __init__(self, params, lr, momentum: float = 0.0):\n        pass\n",
    "optimizers/eg.py": (
        '"""EG."""\nfrom winnow.optimizers import _shared\n\n\n'
        "class EG:\n    def __init__(self, params, lr, momentum: float = 0.0):\n        self.value = _shared.VALUE\n"
    ),
    "schedules/constant.py": "def factor(iteration, *, total, per_epoch):\n    return 1.0\n",
    "augmentations/none.py": "class Unchanged:\n    pass\n",
    "batch_schedules/constant.py": "def sizes(*, images, batch_size):\n    return {0: batch_size}\n",
    "criteria/magnitude.py": "NEEDS = ('weights',)\n",
    "criteria/random.py": "NEEDS = ()\n",
    "measures/density.py": "GRAPHS = ('recurrent',)\n",
    "measures/moments.py": "WEIGHTS = True\n",
    "tables/lr_sweep.py": "GROUPS = ('sweep',)\nFILES = ('metrics.csv',)\nBEST = True\n",
    "tables/summary.py": "GROUPS = ('dense', 'rounds', 'in_run')\nFILES = ('metrics.csv',)\n",
    "tables/graph.py": "GROUPS = ('rounds', 'in_run')\nFILES = ('metrics.csv', 'graph.csv', 'edges.csv.gz')\n",
    "figures/sweep.py": "TABLES = ('lr_sweep',)\n",
    "figures/accuracy.py": "TABLES = ('summary',)\n",
    "figures/graphs.py": "TABLES = ('graph', 'summary')\n",
}
# The stand-in for every program. A training that the store does not hold is a line in trainings.log. By the folder
# `orders` a test can tell it to fail (fail-<program>), to edit a source while it runs (edit-<program>: that source), or
# to wait for the removal of `waiting` (wait-<program>).
PROGRAM = """
import argparse, hashlib, json, os, sys, time
from pathlib import Path
from winnow import cli, provenance
from winnow.errors import UserError

OUTPUTS = {
    "train_fused": ["lanes.json"],
    "train_dense": ["metrics.csv", "init.safetensors", "rewind.safetensors", "final.safetensors", "run.json"],
    "prune": ["mask.safetensors", "final.safetensors", "metrics.csv", "run.json"],
    "prune_in_run": ["mask.safetensors", "final.safetensors", "metrics.csv", "run.json"],
}


def main():
    program = Path(__file__).stem
    parser = argparse.ArgumentParser()
    provenance.arguments(parser)
    for name in ("data", "out", "store", "store-gb", "best", "dense", "previous", "run", "table", "figure", "tables",
                 "dataset", "folder"):
        parser.add_argument("--" + name)
    args = parser.parse_args()
    spec = provenance.start(args)
    for order in sorted(Path("orders").glob(f"*-{program}")):
        if order.name.startswith("edit-"):
            source = Path(order.read_text())
            source.write_text(source.read_text() + "EDITED = 1\\n")
            order.unlink()
        elif order.name.startswith("wait-"):
            order.rename("orders/waiting")
            while Path("orders/waiting").exists():
                time.sleep(0.02)
        elif order.read_text() in args.out:
            raise UserError("ordered to fail")
    out = Path(args.out)
    names = OUTPUTS.get(program)
    if program == "measure":
        names = ["weights.csv", "histograms.csv"] + (["graph.csv", "nodes.csv"] if "/round" in args.out else [])
    if program == "download":
        names = [f"{part}_{kind}.npy" for part in ("train", "test") for kind in ("images", "labels")] + ["dataset.json"]
    paths = [out / name for name in names] if names else [out]
    content = json.dumps(spec, sort_keys=True)
    if program in OUTPUTS:
        rate = json.loads(Path(args.best).read_text())["lr"] if args.best else None
        inputs = [Path(args.dense, "final.safetensors").read_text()] if args.dense else []
        inputs += [Path(args.previous, "final.safetensors").read_text()] if args.previous else []
        lane = json.dumps([content, rate, args.sources, inputs], sort_keys=True)
        entry = Path(args.store, hashlib.sha256(lane.encode()).hexdigest())
        if not entry.exists():
            with open("trainings.log", "a") as log:
                log.write(args.out + "\\n")
            entry.parent.mkdir(parents=True, exist_ok=True)
            entry.write_text("")
        content = entry.name
    if program == "select_rate":
        content = json.dumps({"lr": min((c["lr"] for c in spec["candidates"]), key=float)})  # the smallest wins
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    provenance.finish(args, paths)


if __name__ == "__main__":
    cli.run(main)
"""
CONFIG: dict[str, Any] = {
    "studies": ["toy"],
    "toy": {
        "dataset": "toy",
        "validation": 10,
        "model": {"name": "net"},
        "training": {"length": "4ep", "rewind": "1ep", "batch_size": 10, "schedule": {"name": "constant"}},
        "arms": {
            "gd": {"optimizer": {"name": "gd", "momentum": 0.9}, "rates": [0.1, 0.2], "pruning_rate": 0.2},
            "eg": {"optimizer": {"name": "eg"}, "rates": [0.5], "pruning_rate": 0.5},
        },
        "reference": "gd",
        "sweep": {"seeds": [[0]]},
        "dense": {"seeds": [[0, 1]]},
        "prunable": ["*"],
        "recipes": {
            "halves": {
                "criterion": "magnitude", "scope": "global", "restart": "rewind", "schedule_restart": "rewind",
                "rate": 0.5, "density": 0.25,
            },
            "within": {
                "criterion": "random", "scope": "global",
                "in_run": {
                    "at": ["2ep", "4ep"], "density": 0.25,
                    "schedule": {"name": "constant"}, "schedule_after": {"name": "constant"},
                },
            },
        },
        "measures": {"graph": ["density"], "weights": ["moments"], "nulls": 2},
        "tables": ["lr_sweep", "summary", "graph"],
        "figures": {"names": ["sweep", "accuracy", "graphs"], "formats": ["png"]},
    },
}  # fmt: skip
FIGURE = "results/toy/figures/accuracy.png"


class Tree:
    """A working copy that can be edited, run, and asked what is stale."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def append(self, name: str, text: str) -> None:
        self.write(name, (self.path / name).read_text() + text)

    def overlay(self, **study: Any) -> list[str]:
        """Arguments for a run whose config is changed by this overlay."""
        self.write("overlay.yaml", yaml.safe_dump({"toy": study}))
        return ["--configfile", "overlay.yaml"]

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")
        }
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        return subprocess.run(command, cwd=self.path, env=environment, capture_output=True, text=True, check=False)

    def run(self, *arguments: str) -> set[str]:
        """The jobs that ran, all successfully."""
        done = self.snakemake(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return jobs(done)

    def stale(self, *arguments: str) -> set[str]:
        """The jobs that would run."""
        return self.run("-n", *arguments)

    def trainings(self) -> list[str]:
        """The trainings that the store did not hold, since the last call."""
        log = self.path / "trainings.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return sorted(lines)


def jobs(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The messages of the jobs of a run, without those of the named targets."""
    messages = re.findall(r"^Job \d+: (.*)$", done.stdout + done.stderr, re.MULTILINE)
    return {message for message in messages if not re.match(r"(All|Everything) ", message)}


def having(messages: set[str], pattern: str) -> set[str]:
    return {message for message in messages if re.search(pattern, message)}


def planted(path: Path) -> Tree:
    """The tree before anything ran."""
    tree = Tree(path)
    for name in ("Snakefile", "rules", "profiles/default"):
        source, target = ROOT / name, tree.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _ = shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    for name in WINNOW:
        source = ROOT / "winnow" / f"{name}.py"
        shutil.copy(source, _folder((tree.path / source.relative_to(ROOT)).parent))
    for name, text in PLUGINS.items():
        tree.write(f"winnow/{name}", text)
        tree.write(f"winnow/{name.partition('/')[0]}/__init__.py", "")
    for name in ("cpu", "gpu"):
        shutil.copy(ROOT / "envs" / f"{name}.yaml", _folder(tree.path / "envs"))
    for program in (
        "download",
        "train_fused",
        "train_dense",
        "prune",
        "prune_in_run",
        "select_rate",
        "export_edges",
        "measure",
    ):
        tree.write(f"workflow_scripts/{program}.py", PROGRAM)
    for program in ("make_table", "draw"):
        tree.write(f"workflow_scripts/{program}.py", PROGRAM)
    shutil.copy(ROOT / "workflow_scripts/why.py", tree.path / "workflow_scripts")
    tree.write("config.yaml", yaml.safe_dump(CONFIG))
    (tree.path / "orders").mkdir()
    return tree


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tree, set[str]]:
    """The tree after a complete run, and the jobs that ran."""
    tree = planted(tmp_path_factory.mktemp("workflow") / "tree")
    everything = tree.run()
    assert len(having(everything, "Training toy/(gd|eg) dense")) == 5
    assert len(tree.trainings()) == 5 + 2 * 2 + 2
    return tree, everything


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def tree(prepared: tuple[Tree, set[str]], tmp_path: Path) -> Tree:
    shutil.copytree(prepared[0].path, tmp_path / "tree", symlinks=True)  # times are kept
    return Tree(tmp_path / "tree")


@pytest.fixture
def everything(prepared: tuple[Tree, set[str]]) -> set[str]:
    return having(prepared[1], "^(?!Fetching)")


JOINED = "(Joining|Drawing) "


def test_nothing_is_stale_after_a_run_or_a_checkout(tree: Tree) -> None:
    assert tree.stale() == set()
    for file in [*tree.path.glob("winnow/**/*.py"), *tree.path.glob("workflow_scripts/*.py"), tree.path / "Snakefile"]:
        file.touch()
    assert tree.stale() == set()
    assert tree.run() == set()


def test_nothing_is_stale_under_snakemakes_own_triggers(tree: Tree) -> None:
    """Whoever leaves out the profile reruns nothing either, also after jobs that ran because they were stale."""
    tree.append("winnow/figures/accuracy.py", "X = 1\n")
    assert len(tree.run()) == 1
    assert tree.stale("--workflow-profile", "none", "--quiet", "host") == set()


def test_the_size_of_the_store_makes_nothing_stale(tree: Tree) -> None:
    """Also under Snakemake's own triggers; the program is told it as it stands in config."""
    tree.write("overlay.yaml", yaml.safe_dump({"execution": {"store_gb": 0.25}}))
    more = ("--configfile", "overlay.yaml")
    assert tree.stale(*more) == set()
    assert tree.stale(*more, "--workflow-profile", "none", "--quiet", "host") == set()
    ticket = "results/toy/eg/halves/seeds0-1/round2/final.safetensors"
    (tree.path / ticket).unlink()
    shown = tree.snakemake("-n", "-p", ticket, *more)
    assert "--store-gb 0.25 " in shown.stdout + shown.stderr


def test_editing_an_optimiser_reruns_its_arm_and_what_joins_it(tree: Tree, everything: set[str]) -> None:
    expected = having(everything, f"toy/eg|{JOINED}")
    tree.append("winnow/optimizers/eg.py", "X = 1\n")
    assert tree.stale() == expected
    assert tree.stale(FIGURE) == having(expected, "dense on all|Pruning|pruning|summary|accuracy") - having(
        expected, "Measuring|Exporting"
    )


def test_editing_what_an_optimiser_imports_is_noticed(tree: Tree, everything: set[str]) -> None:
    tree.write("winnow/optimizers/_shared.py", "VALUE = 2\n")
    assert tree.stale() == having(everything, f"toy/eg|{JOINED}")


def test_editing_a_figure_redraws_that_figure(tree: Tree) -> None:
    tree.append("winnow/figures/accuracy.py", "X = 1\n")
    assert tree.stale() == {"Drawing accuracy.png of toy"}


def test_an_output_from_the_future_does_not_hide_an_edit(tree: Tree) -> None:
    os.utime(tree.path / FIGURE, (time.time() + 3600,) * 2)
    assert tree.stale() == set()
    tree.append("winnow/figures/accuracy.py", "X = 1\n")
    assert tree.stale(FIGURE) == {"Drawing accuracy.png of toy"}


def test_comments_and_docstrings_are_free(tree: Tree) -> None:
    tree.append("winnow/optimizers/eg.py", "# a comment\n")
    tree.append("workflow_scripts/prune.py", "\n\n# another\n")
    old = (tree.path / "winnow/optimizers/eg.py").read_text()
    tree.write("winnow/optimizers/eg.py", old.replace('"""EG."""', '"""Exponentiated gradient."""'))
    assert tree.stale() == set()


def test_a_new_seed_block_adds_its_jobs(tree: Tree) -> None:
    stale = tree.stale(*tree.overlay(dense={"seeds": [[0, 1], [2]]}))
    added = {message for message in stale if not re.match(JOINED, message)}
    assert added
    assert all("seeds2" in message for message in added)
    assert stale - added == {
        "Joining the table summary of toy",
        "Joining the table graph of toy",
        "Drawing accuracy.png of toy",
        "Drawing graphs.png of toy",
    }


def test_a_new_rate_trains_once_and_selects(tree: Tree) -> None:
    assert tree.stale(*tree.overlay(arms={"eg": {"rates": [0.5, 0.6]}})) == {
        "Training toy/eg dense on holdout at lr0.6, seeds0",
        "Selecting a learning rate for toy/eg",
        "Joining the table lr_sweep of toy",
        "Drawing sweep.png of toy",
    }


def test_an_overlay_leaves_the_order_of_config(tree: Tree) -> None:
    """A change of the last arm alone: tables that do not read it stay as they are."""
    last = list(yaml.safe_load((tree.path / "config.yaml").read_text())["toy"]["arms"])[-1]
    stale = tree.stale(*tree.overlay(arms={last: {"rates": [0.1, 0.2, 0.5, 0.6]}}))
    assert "Joining the table lr_sweep of toy" in stale
    assert "Joining the table summary of toy" not in stale


def test_a_fused_sweep_comes_before_its_dense_runs_and_makes_nothing_stale(tree: Tree) -> None:
    fused = {"sweep": {"seeds": [[0]], "fuse": ["lr"]}}
    together = "Training the sweep of toy/gd, all rates and seeds together"  # eg has one rate
    assert tree.run(*tree.overlay(**fused)) == {together}
    assert tree.stale(*tree.overlay(**fused)) == set()
    assert tree.stale() == set()
    more = tree.overlay(**fused, arms={"gd": {"rates": [0.1, 0.2, 0.3]}})
    ran = {message for message in tree.run(*more) if message.startswith("Training")}
    assert ran == {together, "Training toy/gd dense on holdout at lr0.3, seeds0"}
    tree.append("winnow/optimizers/gd.py", "VALUE = 2\n")
    tree.trainings()
    tree.run("--cores", "1", *more)
    done = (tree.path / "trainings.log").read_text().splitlines()
    first = next(index for index, out in enumerate(done) if "/holdout/" in out and "/gd/" in out)
    assert done.index("results/toy/gd/dense/fused") < first


def test_a_new_round_adds_its_jobs(tree: Tree) -> None:
    stale = tree.stale(*tree.overlay(recipes={"halves": {"density": 0.125}}))
    assert {message for message in stale if not re.match(JOINED, message)} == {
        f"{what} toy/{arm} halves, seeds0-1, round 3"
        for what in ("Pruning and training", "Exporting edges of", "Measuring")
        for arm in ("gd", "eg")
    }


def test_null_in_an_overlay_removes_jobs(tree: Tree, everything: set[str]) -> None:
    stale = tree.stale(*tree.overlay(recipes={"within": None}))
    assert stale == having(everything, "(summary|graph|accuracy|graphs)( of|.png)")


def test_with_best_only_a_winning_rate_trains(tree: Tree) -> None:
    """The stand-in for selection takes the smallest rate."""
    best = {"pruning_rate": "best"}
    tree.trainings()
    tree.run(*tree.overlay(arms={"gd": best}))
    assert len(tree.trainings()) == 1 + 2 + 1  # the tuned run at the selected rate, its rounds, its in-run recipe
    assert tree.stale("--configfile", "overlay.yaml") == set()
    tree.run(*tree.overlay(arms={"gd": {**best, "rates": [0.1, 0.2, 0.3]}}))
    assert tree.trainings() == ["results/toy/gd/dense/holdout/lr0.3/seeds0"]
    tree.run(*tree.overlay(arms={"gd": {**best, "rates": [0.05, 0.1, 0.2, 0.3]}}))
    assert len(tree.trainings()) == 1 + 1 + 2 + 1


def test_reverted_edit_leaves_nothing_stale(tree: Tree, everything: set[str]) -> None:
    file = tree.path / "winnow/optimizers/eg.py"
    before = file.read_text()
    tree.append("winnow/optimizers/eg.py", "X = 1\n")
    assert tree.stale() == having(everything, f"toy/eg|{JOINED}")
    file.write_text(before)
    assert tree.stale() == set()


def test_a_branch_that_was_run_and_left_again(tree: Tree) -> None:
    file = tree.path / "winnow/figures/accuracy.py"
    before = file.read_text()
    tree.append("winnow/figures/accuracy.py", "X = 1\n")
    assert tree.run(FIGURE) == {"Drawing accuracy.png of toy"}
    assert tree.stale() == set()
    file.write_text(before)
    os.utime(file, (1, 1))  # older than everything, as rsync or tar may leave it
    assert tree.run() == {"Drawing accuracy.png of toy"}
    assert tree.stale() == set()


@pytest.mark.parametrize("lose", [False, True], ids=["", "lost .snakemake"])
def test_a_failed_job_is_stale_until_it_succeeds(tree: Tree, everything: set[str], lose: bool) -> None:
    tree.append("winnow/optimizers/eg.py", "X = 1\n")
    tree.write("orders/fail-prune", "eg/halves/seeds0-1/round1")
    failed = tree.snakemake()
    assert failed.returncode == 1
    assert "ordered to fail" in failed.stdout + failed.stderr
    if lose:
        shutil.rmtree(tree.path / ".snakemake")
    rest = having(everything, r"eg halves|(Joining|Drawing) .*(summary|graph|accuracy)")
    assert tree.stale() == rest
    assert tree.stale(FIGURE) == {
        "Pruning and training toy/eg halves, seeds0-1, round 1",
        "Pruning and training toy/eg halves, seeds0-1, round 2",
        "Joining the table summary of toy",
        "Drawing accuracy.png of toy",
    }
    (tree.path / "orders/fail-prune").unlink()
    assert tree.run() == rest
    assert tree.stale() == set()


def test_a_failed_table_leaves_no_figure_current(tree: Tree) -> None:
    tree.append("winnow/tables/summary.py", "X = 1\n")
    tree.write("orders/fail-make_table", "summary")
    assert tree.snakemake().returncode == 1
    joined = {"Joining the table summary of toy", "Drawing accuracy.png of toy", "Drawing graphs.png of toy"}
    assert tree.stale() == joined
    assert tree.stale(FIGURE) == joined - {"Drawing graphs.png of toy"}


def test_a_data_set_that_cannot_be_had_stops_its_own_jobs_only(tree: Tree) -> None:
    tree.write("winnow/datasets/rare.py", "TRAIN = 100\n")
    tree.write("orders/fail-download", "rare")
    overlay = tree.overlay(arms={"eg": {"dataset": "rare"}, "gd": {"rates": [0.1, 0.2, 0.3]}})
    failed = tree.snakemake(*overlay)
    assert failed.returncode == 1
    assert (failed.stdout + failed.stderr).count("ordered to fail") == 1  # the message of the download, told once
    stale = tree.stale(*overlay)
    assert "Fetching rare" in stale
    assert having(stale, "toy/eg")
    assert not having(stale, "toy/gd|Fetching toy")  # all that needs the other data set is done
    (tree.path / "orders/fail-download").unlink()
    assert tree.run(*overlay) == stale


def test_a_source_edited_while_its_job_runs(tree: Tree) -> None:
    tree.append("winnow/optimizers/eg.py", "X = 1\n")
    dense = "results/toy/eg/dense/all/lr0.5/seeds0-1/final.safetensors"
    tree.write("orders/edit-train_dense", "winnow/optimizers/eg.py")
    assert len(tree.run(dense)) == 1
    assert tree.stale(dense) == {"Training toy/eg dense on all at lr0.5, seeds0-1"}
    assert len(tree.run(dense)) == 1
    assert tree.stale(dense) == set()


def test_a_source_edited_before_its_job_starts(tree: Tree) -> None:
    """The tuned run edits the criterion; the round that follows refuses to start."""
    tree.append("winnow/optimizers/eg.py", "X = 1\n")
    tree.write("orders/edit-train_dense", "winnow/criteria/magnitude.py")
    ticket = "results/toy/eg/halves/seeds0-1/round1/final.safetensors"
    refused = tree.snakemake(ticket)
    assert refused.returncode == 1
    assert "winnow/criteria/magnitude.py was edited after" in refused.stdout + refused.stderr
    assert tree.run(ticket) == {"Pruning and training toy/eg halves, seeds0-1, round 1"}


def test_recovery_after_a_killed_snakemake(tree: Tree) -> None:
    """As documented: --unlock, then the same command; the orphan may still be running or not."""
    tree.append("winnow/figures/accuracy.py", "X = 1\n")
    tree.write("orders/wait-draw", "")
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    running = subprocess.Popen(command, cwd=tree.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    waiting = tree.path / "orders/waiting"
    deadline = time.monotonic() + 60
    while not waiting.exists():
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.kill()
    running.wait()
    refused = tree.snakemake()
    assert refused.returncode == 1
    assert "--unlock" in refused.stdout + refused.stderr
    waiting.unlink()  # the orphan ends
    assert tree.snakemake("--unlock").returncode == 0
    assert tree.run() == {"Drawing accuracy.png of toy"}
    assert tree.stale() == set()


def test_a_preset_beside_full_results(tree: Tree) -> None:
    tree.write(
        "quick.yaml", yaml.safe_dump({"pathvars": {"results": "results/quick"}, "toy": {"measures": {"nulls": 1}}})
    )
    made = tree.run("results/quick/toy/figures/accuracy.png", "--configfile", "quick.yaml")
    assert not having(made, "Fetching")
    assert (tree.path / "results/quick/toy/figures/accuracy.png").exists()
    assert tree.stale() == set()


def test_lost_snakemake_folder(tree: Tree, everything: set[str]) -> None:
    shutil.rmtree(tree.path / ".snakemake")
    assert tree.stale() == set()
    tree.append("winnow/optimizers/eg.py", "X = 1\n")
    os.utime(tree.path / "winnow/optimizers/eg.py", (1, 1))
    assert tree.stale() == having(everything, f"toy/eg|{JOINED}")
    tree.run()
    assert tree.stale() == set()


def test_outputs_of_an_unfinished_job_are_not_taken_for_finished(tree: Tree) -> None:
    """A killed job's outputs, with .snakemake lost and the edit reverted: the ledger knows that it did not finish."""
    record = tree.path / "results/.ledger/figure/toy/accuracy/png.json"
    content = json.loads(record.read_text())
    assert content["finished"] is True
    record.write_text(json.dumps({**content, "finished": False}))
    shutil.rmtree(tree.path / ".snakemake")
    assert tree.stale() == {"Drawing accuracy.png of toy"}


def test_a_lost_output_is_made_again(tree: Tree) -> None:
    (tree.path / "results/toy/eg/halves/seeds0-1/round2/edges.csv.gz").unlink()
    assert tree.stale() == {
        "Exporting edges of toy/eg halves, seeds0-1, round 2",
        "Joining the table graph of toy",
        "Drawing graphs.png of toy",
    }


def test_config_errors_stop_before_any_job_in_one_paragraph(tree: Tree) -> None:
    stopped = tree.snakemake(*tree.overlay(arms={"eg": {"rates": [0]}}))
    assert stopped.returncode == 1
    output = " ".join((stopped.stdout + stopped.stderr).split())
    assert "Error: config: toy.arms.eg.rates[0]: A learning rate must be a number above 0, not 0." in output
    assert "Traceback" not in output
    assert "WorkflowError" not in output


def test_another_working_directory_is_refused_with_what_to_do(tree: Tree, tmp_path: Path) -> None:
    other = Tree(tmp_path / "other")
    other.path.mkdir()
    for place, arguments in ((other, ["-s", str(tree.path / "Snakefile")]), (tree, ["--directory", str(other.path)])):
        stopped = place.snakemake("-n", *arguments)
        assert stopped.returncode == 1
        output = " ".join((stopped.stdout + stopped.stderr).split())
        assert f"Error: snakemake works in {other.path}, but winnow runs in its own folder only" in output
        assert f"cd {tree.path}" in output
        assert "Traceback" not in output
    link = Tree(tmp_path / "link")
    link.path.symlink_to(tree.path)
    assert link.stale("-s", str(link.path / "Snakefile")) == set()


def test_jobs_that_config_does_not_ask_for_are_refused_with_a_reason(tree: Tree) -> None:
    stopped = tree.snakemake("-n", "results/toy/gd/dense/all/lr0.7/seeds0-1/metrics.csv")
    assert stopped.returncode == 1
    assert "asks for no job dense with study=toy, arm=gd" in stopped.stdout + stopped.stderr


def test_figures_and_tables_that_config_does_not_name(tree: Tree) -> None:
    """They are drawn from the runs that there are, with the tables that they need, and are stale by the same rules."""
    rest = tree.overlay(figures={"names": ["accuracy"]}, tables=["summary"])
    shutil.rmtree(tree.path / "results/toy/tables")
    tree.write("winnow/figures/own.py", "TABLES = ('graph',)\n")
    assert tree.run("results/toy/figures/own.pdf", *rest) == {
        "Joining the table graph of toy", "Drawing own.pdf of toy",
    }  # fmt: skip
    assert tree.run("results/toy/tables/lr_sweep.csv", *rest) == {"Joining the table lr_sweep of toy"}
    assert tree.stale("results/toy/figures/own.pdf", "results/toy/tables/lr_sweep.csv", *rest) == set()
    tree.append("winnow/figures/own.py", "X = 1\n")
    assert tree.stale("results/toy/figures/own.pdf", *rest) == {"Drawing own.pdf of toy"}
    assert not having(tree.stale(*rest), "own|graph|lr_sweep")
    for target, message in (
        ("figures/acuracy.png", "There is no 'acuracy' among the figures. Did you mean 'accuracy'?"),
        ("figures/accuracy.jpg", "A figure cannot be made as 'jpg'; valid is png, pdf, svg."),
        ("tables/grap.csv", "There is no 'grap' among the tables. Did you mean 'graph'?"),
    ):
        stopped = tree.snakemake("-n", f"results/toy/{target}", *rest)
        assert stopped.returncode == 1
        assert message in stopped.stdout + stopped.stderr


class TestWhy:
    def why(self, tree: Tree, *arguments: str) -> str:
        command = [sys.executable, "workflow_scripts/why.py", *arguments]
        return subprocess.run(command, cwd=tree.path, capture_output=True, text=True, check=True).stdout

    def test_nothing(self, tree: Tree) -> None:
        assert self.why(tree) == "Nothing is stale.\n"

    def test_edit_missing_output_and_what_follows(self, tree: Tree) -> None:
        tree.append("winnow/figures/accuracy.py", "X = 1\n")
        (tree.path / "results/toy/tables/graph.csv").unlink()
        assert self.why(tree) == (
            "because an output is missing: 1 job\n    table toy graph\n"
            "because winnow/figures/accuracy.py was edited: 1 job\n    figure toy accuracy png\n"
            "because reads a job that reruns: 1 job\n    figure toy graphs png\n"
            "3 jobs would run.\n"
        )
        assert len(tree.stale()) == 3

    def test_config_and_failure(self, tree: Tree) -> None:
        arguments = tree.overlay(arms={"eg": {"rates": [0.5, 0.6]}}, measures={"nulls": 3})
        tree.write("orders/fail-train_dense", "lr0.6")
        assert tree.snakemake(*arguments, "--until", "dense").returncode == 1
        text = self.why(tree, *arguments)
        assert "because it was begun and did not finish: 1 job\n    dense toy eg holdout lr0.6 seeds0\n" in text
        assert "because config: nulls: 2 -> 3: 6 jobs\n" in text
        assert "because config: candidates: 1 added, 0 removed: 1 job\n    select toy eg\n" in text
        assert f"{len(tree.stale(*arguments))} jobs would run." in text

    def test_a_fused_sweep(self, tree: Tree) -> None:
        fused = {"sweep": {"seeds": [[0]], "fuse": ["lr"]}}
        tree.run(*tree.overlay(**fused))
        assert self.why(tree, *tree.overlay(**fused)) == "Nothing is stale.\n"
        more = tree.overlay(**fused, arms={"gd": {"rates": [0.1, 0.2, 0.3]}})
        assert f"{len(tree.stale(*more))} jobs would run." in self.why(tree, *more)
        (tree.path / "results/toy/gd/dense/fused/lanes.json").unlink()
        text = self.why(tree, *tree.overlay(**fused))
        assert text == "because an output is missing: 1 job\n    fuse toy gd\n1 jobs would run.\n"
        assert len(tree.stale(*tree.overlay(**fused))) == 1

    def test_before_the_first_run(self, tree: Tree) -> None:
        shutil.rmtree(tree.path / "results")
        assert self.why(tree, "--jobs", "0").startswith("because never made: ")
