"""The whole workflow with the real programs, on scikit-learn's digits with a tiny network (tests/digits.yaml)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from winnow import config, io, plan

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("Snakefile", "config.yaml", "rules", "profiles", "envs", "winnow", "workflow_scripts", "tests/digits.yaml")
OVERLAY = "tests/digits.yaml"


def snakemake(tree: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the repository after a complete run, and what Snakemake printed."""
    tree = tmp_path_factory.mktemp("digits") / "tree"
    for part in PARTS:
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, tree / part)
    return tree, snakemake(tree, "--configfile", OVERLAY)


def test_every_output_of_every_stage_is_made(finished: tuple[Path, str]) -> None:
    tree, text = finished
    overlay = yaml.safe_load((ROOT / OVERLAY).read_text())
    made = plan.Plan(config.load(yaml.safe_load((ROOT / "config.yaml").read_text()), [overlay]))
    assert {job.rule for job in made.jobs.values()} == {rule for rules in plan.STAGES.values() for rule in rules} | {
        "download"
    }
    missing = [path for path in made.outputs() if not (tree / path).is_file() or not (tree / path).stat().st_size]
    assert not missing
    for job in made.jobs.values():
        if job.rule == "table":
            assert len(io.read_table(tree / job.outputs[0], job.wildcards["table"])), job
    assert "Figures: results/gd_vs_eg/figures/" in text
    assert "Tables:  results/gd_vs_eg/tables/" in text
    assert "Store:   results/.store/ holds" in text


def test_a_second_run_has_nothing_to_do(finished: tuple[Path, str]) -> None:
    assert "Nothing to be done" in snakemake(finished[0], "--configfile", OVERLAY)
    shutil.rmtree(finished[0] / ".snakemake")
    assert "Nothing to be done" in snakemake(finished[0], "--configfile", OVERLAY)


def test_the_report_has_every_study_and_is_made_again_only_when_it_would_differ(finished: tuple[Path, str]) -> None:
    tree = finished[0]
    snakemake(tree, "report", "--configfile", OVERLAY)
    page = (tree / "results/report/index.html").read_text()
    for study in ("gd_vs_eg", "optimizers", "scratch"):
        assert f'<h2 id="study{1 + ("gd_vs_eg", "optimizers", "scratch").index(study)}-title">{study}</h2>' in page
        assert f"Configuration of {study}" in page
    assert "--configfile tests/digits.yaml --config" in page
    assert "Nothing to show yet" not in page
    assert 'class="masks"' in page
    assert "Nothing to be done" in snakemake(tree, "report", "--configfile", OVERLAY)
    assert "Nothing to be done" in snakemake(tree, "--configfile", OVERLAY)
    snakemake(tree, "--report", "report.zip", "--configfile", OVERLAY)
    with zipfile.ZipFile(tree / "report.zip") as archive:
        inside = b"".join(archive.read(name) for name in archive.namelist() if name.endswith((".html", ".js", ".json")))
    assert b"Test accuracy against density, and the paired difference" in inside  # a figure's caption
    assert b"Accuracy per arm, recipe and round" in inside  # a table's
    style = tree / "winnow/report/assets/style.css"
    style.write_text(style.read_text() + "\n")
    assert "Writing the report" in snakemake(tree, "report", "-n", "--configfile", OVERLAY)
    assert "Nothing to be done" in snakemake(tree, "--configfile", OVERLAY, "-n")


def test_more_trials_train_only_what_is_missing(finished: tuple[Path, str]) -> None:
    tree = finished[0]
    table = tree / "results/scratch/sweeps/seed/trials.csv"
    before = table.read_text().rstrip().splitlines()
    assert len(before) == 1 + 8
    overlay = tree / "more.yaml"
    overlay.write_text(yaml.safe_dump({"scratch": {"sweeps": {"seed": {"trials": 12}}}}))
    snakemake(tree, str(table.relative_to(tree)), "--configfile", OVERLAY, "more.yaml")
    after = table.read_text().rstrip().splitlines()
    assert after[: len(before)] == before
    assert len(after) == 1 + 12
    logs = (tree / "results/logs/sweep/scratch/seed").glob("*.log")
    assert sum(log.read_text().count("accuracy") for log in logs) == 4


def test_a_rate_that_loses_trains_only_itself(finished: tuple[Path, str]) -> None:
    """The arm prunes at `best`: its dense run and rounds rerun, and are put together from the store."""
    tree = finished[0]
    before = {path.name for path in (tree / "results/.store").iterdir()}
    best = json.loads((tree / "results/gd_vs_eg/gd/best.json").read_text())["lr"]
    ticket = "results/gd_vs_eg/gd/magnitude_global_rewind/seeds0-1/round2/final.safetensors"
    weights = (tree / ticket).read_bytes()
    overlay = tree / "losing.yaml"
    overlay.write_text(yaml.safe_dump({"gd_vs_eg": {"arms": {"gd": {"rates": ["1e-6", 0.05, 0.1]}}}}))
    text = snakemake(tree, ticket, "--configfile", OVERLAY, "losing.yaml")
    assert "round 2" in text
    assert json.loads((tree / "results/gd_vs_eg/gd/best.json").read_text())["lr"] == best
    assert len({path.name for path in (tree / "results/.store").iterdir()} - before) == 1
    assert (tree / ticket).read_bytes() == weights
