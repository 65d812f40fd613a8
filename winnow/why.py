"""Why a job would run: its ledger record against its key of now, in words, without Snakemake's own metadata."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from winnow import provenance
from winnow.jobs import Job
from winnow.plan import Plan

READS = "reads a job that reruns"


def reasons(plan: Plan) -> dict[str, list[Job]]:
    """{reason: jobs} for every job that is stale now; the reasons in the order in which they first apply."""
    found: dict[str, list[Job]] = {}
    stale: set[str] = set()
    for job in plan.jobs.values():
        why = list(_of(job)) or ([READS] if any(plan.maker[path].ledger in stale for path in job.all_inputs) else [])
        if why:
            stale.add(job.ledger)
        for reason in why:
            found.setdefault(reason, []).append(job)
    return found


def _of(job: Job) -> Iterator[str]:
    missing = [path for path in job.outputs if not os.path.exists(path)]
    record = provenance.read_record(job.ledger)
    if job.rule == "download" and len(missing) < len(job.outputs):  # it keeps no record
        record = {"key": job.key, "spec": job.spec, "sources": job.sources, "finished": True}
    if len(missing) == len(job.outputs) and record is None:
        yield "never made"
    elif record is None:
        yield "the ledger has no record of it"
    elif not record["finished"]:
        yield "it was begun and did not finish"
    elif missing:
        yield "an output is missing"
    elif record["key"] != job.key:
        changes = [*_edits(record["sources"], job.sources), *_differences(record["spec"], job.spec)]
        yield from changes or [READS]
    elif _older(job):
        yield "an input is newer"


def _edits(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            how = "was edited" if name in old and name in new else "is used now" if name in new else "is no longer used"
            yield f"{name} {how}"


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """`key: old -> new` for every value in which two specs differ."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(old, list) and isinstance(new, list) and any(isinstance(item, Mapping) for item in [*old, *new]):
        gone, come = ([item for item in a if item not in b] for a, b in ((old, new), (new, old)))
        changed = f"{len(come)} added, {len(gone)} removed" if come or gone else "the same ones otherwise arranged"
        yield f"config: {path}: {changed}"
    else:
        yield f"config: {path}: {provenance.canonical(old)} -> {provenance.canonical(new)}"


def _older(job: Job) -> bool:
    """Whether an input is newer than the oldest output, as Snakemake asks."""
    outputs = min(os.stat(path).st_mtime_ns for path in job.outputs)
    return any(os.path.exists(path) and os.stat(path).st_mtime_ns > outputs for path in job.all_inputs)


def report(found: Mapping[str, list[Job]], shown: int = 8) -> str:
    """One paragraph per reason: how many jobs, and the first of them by rule."""
    if not found:
        return "Nothing is stale."
    lines = []
    for reason, jobs in found.items():
        lines.append(f"because {reason}: {len(jobs)} job{'s' * (len(jobs) > 1)}")
        lines += [f"    {job}" for job in jobs[:shown]]
        if len(jobs) > shown:
            lines.append(f"    ... and {len(jobs) - shown} more")
    stale = {job.ledger for jobs in found.values() for job in jobs}
    return "\n".join([*lines, f"{len(stale)} jobs would run."])
