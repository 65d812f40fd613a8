"""Why a job would run, asked of single jobs and records (of whole workflows: tests/test_workflow.py)."""

from __future__ import annotations

import json
import os
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from winnow import atomic, jobs, provenance, why
from winnow.jobs import Job


def job(root: Path, rule: str = "select", **values: Any) -> Job:
    """A job with two outputs, which are made."""
    outputs = [str(root / rule / name) for name in ("a", "b")]
    for path in outputs:
        atomic.write(path, b"")
    ledger = f"{root}/.ledger/{rule}/toy/eg.json"
    given = {"inputs": {}, "spec": {}, "sources": {}, "key": "new", **values}
    wildcards = {"study": "toy", "arm": "eg"}
    return Job(rule=rule, wildcards=wildcards, outputs=outputs, parents=(), ledger=ledger, **given)


def record(made: Job, **values: Any) -> None:
    """Leave the record of a finished run of the job, with other `values`."""
    whole = {"key": made.key, "spec": made.spec, "sources": made.sources, "outputs": made.outputs, "finished": True}
    atomic.write(made.ledger, json.dumps({**whole, **values}).encode())


def reasons(*all_jobs: Job) -> dict[str, list[str]]:
    plan: Any = types.SimpleNamespace(
        jobs=dict(enumerate(all_jobs)), maker={path: made for made in all_jobs for path in made.outputs}
    )
    return {reason: [made.rule for made in found] for reason, found in why.reasons(plan).items()}


CANDIDATES = [{"lr": "0.5", "folders": ["x"]}, {"lr": "0.6", "folders": ["y"]}]


@pytest.mark.parametrize(
    ("old", "reason"),
    [
        (CANDIDATES, why.READS),  # the key differs by what it reads
        (CANDIDATES[:1], "config: candidates: 1 added, 0 removed"),
        (CANDIDATES[::-1], "config: candidates: the same ones otherwise arranged"),
    ],
)
def test_a_list_is_named_only_if_it_changed(tmp_path: Path, old: list[Any], reason: str) -> None:
    made = job(tmp_path, spec={"last": 3, "candidates": CANDIDATES})
    record(made, key="old", spec={"last": 3, "candidates": old})
    assert reasons(made) == {reason: ["select"]}


def test_a_deleted_data_file_is_a_missing_output(tmp_path: Path) -> None:
    made = job(tmp_path, "download")
    assert reasons(made) == {}
    os.unlink(made.outputs[0])
    assert reasons(made) == {"an output is missing": ["download"]}
    os.unlink(made.outputs[1])
    assert reasons(made) == {"never made": ["download"]}


@pytest.mark.parametrize(
    "values", [{"sources": 3}, {"sources": ["a"]}, {"spec": None}, {"key": 3}, {"finished": "no"}, {"outputs": {}}]
)
def test_a_record_of_other_types_counts_as_none(tmp_path: Path, values: dict[str, Any]) -> None:
    made = job(tmp_path)
    record(made)
    assert reasons(made) == {}
    record(made, **values)
    assert provenance.read_record(made.ledger) is None
    assert reasons(made) == {"the ledger has no record of it": ["select"]}


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "3"])
def test_other_json_is_no_record(tmp_path: Path, text: str) -> None:
    made = job(tmp_path)
    atomic.write(made.ledger, text.encode())
    assert not made.current


def test_the_number_of_jobs_shown_is_not_negative(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = str(provenance.ROOT / "workflow_scripts/why.py")
    monkeypatch.setattr(sys, "argv", [program, "--jobs", "-1"])
    with pytest.raises(SystemExit, match="1"):
        runpy.run_path(program, run_name="__main__")
    assert "--jobs is '-1'; it must be a whole number of at least 0" in capsys.readouterr().err


def test_a_long_spec_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = job(tmp_path, spec={"text": "x" * jobs.LONGEST_ARGUMENT})
    file = Path(made.arguments()[1].removeprefix("@"))
    assert json.loads(file.read_bytes()) == made.spec
    before = file.stat().st_ino

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="not written"):
        made.arguments()
    assert file.stat().st_ino == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
