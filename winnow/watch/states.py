"""How a run of the workflow stands, from files alone: its plan, the ledger, signs of life, progress files and logs.

Done: the ledger has a finished record of the job under its key, written since the run began, and its first output is
there (of a download, which has no record: all outputs, made since). Failed: it began, is not done, and its process has
ended or gives no sign of life. Running: any other job whose log or sign of life is younger than the run.
Times of files are compared with each other; the clock only tells how old they are.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winnow import provenance, pulse
from winnow.errors import UserError
from winnow.watch.plan_file import FOLDER

TAIL = 8192  # bytes of a log that are looked at
ENDED = "has ended"


@dataclass(frozen=True)
class Watched:
    """A job: `state` is planned, running, done or failed; `note` says how it failed, or seems to."""

    rule: str
    name: str
    log: str
    state: str
    note: str = ""
    began: float | None = None  # seconds since the epoch
    progress: dict[str, Any] | None = None  # as the job wrote it, with seconds_left as of now


@dataclass(frozen=True)
class Run:
    """All jobs of a run, in the order of the plan. `ended`: when, and `lost` whether without a word."""

    began: float
    ended: float | None
    lost: bool
    jobs: list[Watched]

    @property
    def over(self) -> bool:
        """Whether nothing changes any more: a Snakemake that was killed may leave jobs that go on, and what other hosts
        have written is seen later."""
        waits = self.lost or any(job.note == ENDED for job in self.jobs)
        return self.ended is not None and not (waits and self.of("running"))

    def of(self, state: str) -> list[Watched]:
        """The jobs in a state."""
        return [job for job in self.jobs if job.state == state]


class Watcher:
    """Reads how the run in a results root stands; what did not change is not read again."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self._records: dict[str, tuple[tuple[int, int], str | None]] = {}
        self._plan: tuple[tuple[int, int], tuple[float, dict[str, Any] | None]] | None = None

    def _read_plan(self) -> tuple[float, dict[str, Any] | None]:
        """(time, plan), read when it is another one: of thousands of jobs it is megabytes."""
        path = self.results / FOLDER / "plan.json"
        try:
            status = os.stat(path)
        except OSError:
            return 0.0, None
        version = (status.st_mtime_ns, status.st_ino)
        if self._plan is None or self._plan[0] != version:
            self._plan = (version, _read(path))
        return self._plan[1]

    def look(self) -> Run:
        """How it stands now. UserError where there is no plan."""
        folder = self.results / FOLDER
        began, plan = self._read_plan()
        if plan is None:
            raise UserError(
                f"--results {self.results} holds no run to watch: {folder / 'plan.json'} is missing or broken. "
                "Snakemake writes it when it starts with something to do. Start a run (make demo, make reproduce) and "
                "name its results root, e.g. make watch RESULTS=results/quick."
            )
        if not (os.path.exists(plan["results"]) and os.path.samefile(plan["results"], self.results)):
            raise UserError(
                f"--results {self.results} holds the plan of a run that wrote into {plan['results']}: it was moved or "
                "copied, or is of another clone. Watch a run from the clone, and by the folder, that it was started in."
            )
        now = time.time()
        seen, main = _read(folder / "run.json")
        ended, lost = None, False
        if main is not None and seen >= began - 1:  # else of the run before, or cannot be written
            ended = main.get("ended")
            if ended is None and now - seen > pulse.LOST:
                ended, lost = seen, True
        # Snakemake ends after its jobs, unless it is killed.
        over = 0.0 if ended is None or lost else ended
        return Run(began, ended, lost, [self._job(job, began, now, over) for job in plan["jobs"]])

    def _job(self, job: dict[str, Any], since: float, now: float, over: float) -> Watched:
        about = (job["rule"], job["name"], job["log"])
        if self._done(job, since):
            return Watched(*about, "done")
        seen, life = _read(Path(job["alive"]))
        if life is None or seen < since:
            if _time(job["log"]) < since:
                return Watched(*about, "planned")
            return Watched(*about, "failed", "did not finish") if over else Watched(*about, "running")
        if "ended" in life and life["host"] != socket.gethostname() and now - seen < pulse.LOST:
            return Watched(*about, "running", ENDED, life["began"])  # its record may not be seen here yet
        if "ended" in life or seen <= over:
            return Watched(*about, "failed", "ended with an error" if "ended" in life else "killed?", life["began"])
        if now - seen > pulse.LOST:
            return Watched(*about, "failed", f"killed? no sign of life since {clock(seen)}", life["began"])
        silent = now - seen > 4 * pulse.BEAT
        note = f"no sign of life for {round(now - seen)} s" if silent else ""
        written, progress = _read(Path(job["progress"]))
        if progress is None or written < life["began"]:
            return Watched(*about, "running", note, life["began"])
        if progress.get("seconds_left") is not None:
            progress["seconds_left"] = max(progress["seconds_left"] - max(now - written, 0), 0)
        return Watched(*about, "running", note, life["began"], progress)

    def _done(self, job: dict[str, Any], since: float) -> bool:
        if job["ledger"] is None:
            return min(map(_time, job["outputs"])) >= since
        try:
            status = os.stat(job["ledger"])
        except OSError:
            return False
        if status.st_mtime < since:
            return False
        version = (status.st_mtime_ns, status.st_ino)  # every version is a file of its own
        if self._records.get(job["ledger"], (None, None))[0] != version:
            record = provenance.read_record(job["ledger"])
            key = record["key"] if record and record["finished"] else None
            self._records[job["ledger"]] = (version, key)
        return self._records[job["ledger"]][1] == job["key"] and os.path.exists(job["outputs"][0])


def _time(path: str | Path) -> float:
    """When a file was changed last; 0 where it is missing."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _read(path: Path) -> tuple[float, dict[str, Any] | None]:
    """(time, JSON object) of a file; (0, None) where it is missing or no JSON object."""
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read())
            return (os.fstat(file.fileno()).st_mtime, value) if isinstance(value, dict) else (0.0, None)
    except (OSError, ValueError, RecursionError):
        return 0.0, None


def clock(moment: float) -> str:
    """`14:05`, on another day `2026-03-01 14:05`."""
    then, today = time.localtime(moment), time.localtime()
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)


def tail(log: str, lines: int) -> list[str]:
    """The last lines of a log that say something; none where it cannot be read."""
    try:
        with open(log, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - TAIL, 0))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:] if lines else []
