"""The jobs of a run of the workflow as a file, for `make watch`, which finds out from other files how they stand.

`<results>/.watch/plan.json` is written when Snakemake starts; its time is that of the start. `run.json` beside it is
the sign of life of Snakemake (winnow/pulse.py), `jobs/` holds those of the jobs. Imports nothing heavy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from winnow import atomic, pulse

if TYPE_CHECKING:
    from winnow.jobs import Job

FOLDER = ".watch"


def begin(results: str | Path, logs: Mapping[str, str], jobs: list[Job]) -> None:
    """Write the plan of the run that begins in this process, and show that it lives. `logs`: {ledger: log}."""
    folder = Path(results, FOLDER)
    plan = {"results": str(results), "jobs": [entry(job, logs[job.ledger]) for job in jobs]}
    atomic.write(folder / "plan.json", json.dumps(plan).encode())
    pulse.begin(folder / "run.json")


def entry(job: Job, log: str) -> dict[str, object]:
    """What the plan says of a job. `progress`: where it tells how far it is, if it trains."""
    first = Path(job.outputs[0])
    shared = job.rule == "sweep"  # by its workers: see workflow_scripts/sweep.py
    return {
        "rule": job.rule,
        "name": "/".join(job.wildcards.values()),
        "key": job.key,
        "outputs": job.outputs,
        "log": log,
        "ledger": None if job.rule == "download" else job.ledger,
        "alive": str(pulse.of_job(job.ledger)),
        "progress": str(first.with_suffix(".progress.json") if shared else first.parent / "progress.json"),
    }
