"""What `make watch` says of a run, from files alone, and how it looks; a real run is in test_watch_run.py."""

from __future__ import annotations

import io as text_io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from winnow import atomic, progress, progress_file, provenance, pulse
from winnow.errors import UserError
from winnow.jobs import Job
from winnow.timeline import Timeline
from winnow.trial_progress import TrialProgress
from winnow.watch import plan_file, states

pytest.importorskip("rich")
from rich.console import Console

from winnow.watch import view

ROOT = Path(__file__).resolve().parent.parent


class Scene:
    """A results root with a plan that was made 100 seconds ago; files of jobs are written by hand."""

    def __init__(self, results: Path, names: list[str], rule: str = "dense") -> None:
        self.results, self.start = results, time.time() - 100
        self.jobs = {name: job(results, rule, name) for name in names}
        entries = [plan_file.entry(one, str(self.log(name))) for name, one in self.jobs.items()]
        self.write(results / ".watch/plan.json", json.dumps({"results": str(results), "jobs": entries}), 100)
        self.main(0)

    def log(self, name: str) -> Path:
        return self.results / f"logs/{name}.log"

    def write(self, path: Path, text: str, age: float) -> None:
        atomic.write(path, text.encode())
        os.utime(path, (time.time() - age,) * 2)

    def main(self, age: float, **more: float) -> None:
        self.write(self.results / ".watch/run.json", json.dumps({"began": self.start, **more}), age)

    def alive(self, name: str, age: float, **more: float) -> None:
        path = pulse.of_job(self.jobs[name].ledger)
        assert path is not None
        self.write(path, json.dumps({"host": socket.gethostname(), "pid": 1, "began": self.start + 10, **more}), age)

    def record(self, name: str, age: float, finished: bool, key: str | None = None) -> None:
        one = self.jobs[name]
        record = {"key": key or one.key, "spec": {}, "sources": {}, "outputs": one.outputs, "finished": finished}
        self.write(Path(one.ledger), json.dumps(record), age)

    def output(self, name: str, age: float) -> None:
        for path in self.jobs[name].outputs:
            self.write(Path(path), "x", age)

    def look(self) -> dict[str, tuple[str, str]]:
        return {one.name: (one.state, one.note) for one in states.Watcher(self.results).look().jobs}

    def text(self, width: int = 80, height: int | None = None) -> str:
        return drawn(Path("results"), states.Watcher(self.results).look(), width, height)


def job(results: Path, rule: str, name: str) -> Job:
    outputs = [str(results / name / file) for file in ("metrics.csv", "run.json")]
    ledger = f"{results}/.ledger/{rule}/{name}.json"
    return Job(rule, {"study": name}, {}, outputs, {}, {}, (), f"key-{name}", ledger)


def drawn(results: Path, run: states.Run, width: int, height: int | None) -> str:
    console = Console(file=text_io.StringIO(), width=width, force_terminal=True, highlight=False)
    console.print(view.frame(results, run, console, height))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def bare(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_states_follow_from_files(tmp_path: Path) -> None:
    names = ["planned", "old", "starting", "running", "silent", "done", "undone", "other", "failed", "killed"]
    scene = Scene(tmp_path, names)
    scene.record("old", 500, finished=True)  # of the run before: it is planned again
    scene.alive("old", 500, ended=time.time() - 500)
    scene.output("old", 500)
    scene.write(scene.log("old"), "from before", 500)
    scene.write(scene.log("starting"), "", 50)
    scene.alive("running", 1)
    scene.record("running", 80, finished=False)
    scene.alive("silent", 40)
    for name in ("done", "undone", "other"):
        scene.record(name, 5, finished=True, key="another" if name == "other" else None)
        scene.alive(name, 5, ended=time.time() - 5)
    scene.output("done", 5)
    scene.output("other", 5)  # undone: its group failed, and Snakemake deleted what it had made
    scene.record("failed", 20, finished=False)
    scene.alive("failed", 20, ended=time.time() - 20)
    scene.record("killed", 90, finished=False)
    scene.alive("killed", 70)
    found = scene.look()
    error = ("failed", "ended with an error")
    assert {name: found[name] for name in names if name not in ("silent", "killed")} == {
        "planned": ("planned", ""), "old": ("planned", ""), "starting": ("running", ""), "running": ("running", ""),
        "done": ("done", ""), "undone": error, "other": error, "failed": error,
    }  # fmt: skip
    assert found["silent"][0] == "running"
    assert re.fullmatch(r"no sign of life for 4\d s", found["silent"][1])
    assert found["killed"][0] == "failed"
    assert re.match("killed.* no sign of life since ", found["killed"][1])


def test_a_done_job_that_begins_again_runs(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ["a"])
    scene.record("a", 50, finished=True)
    scene.output("a", 50)
    watcher = states.Watcher(tmp_path)
    assert watcher.look().jobs[0].state == "done"
    scene.record("a", 1, finished=False)
    scene.alive("a", 1)
    assert watcher.look().jobs[0].state == "running"


def test_a_download_is_known_by_its_outputs(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ["a"], rule="download")
    scene.output("a", 200)
    assert scene.look()["a"][0] == "planned"
    scene.write(scene.log("a"), "fetching", 20)
    assert scene.look()["a"][0] == "running"
    scene.output("a", 10)
    assert scene.look()["a"][0] == "done"


@pytest.mark.parametrize(
    ("age", "more", "ended", "lost"),
    [(2, {}, False, False), (70, {}, True, True), (30, {"ended": 1}, True, False), (900, {"ended": 1}, False, False)],
)
def test_whether_the_run_itself_is_over(
    tmp_path: Path, age: float, more: dict[str, float], ended: bool, lost: bool
) -> None:
    """The last case is a sign of life from the run before."""
    scene = Scene(tmp_path, ["a", "b"])
    scene.main(age, **{key: time.time() - age for key in more})
    scene.write(scene.log("a"), "begun", 40)
    run = states.Watcher(tmp_path).look()
    assert (run.ended is not None, run.lost) == (ended, lost)
    assert run.over == (ended and not lost)  # a is a job that a killed Snakemake left, as far as one can tell
    assert run.jobs[0].state == ("failed" if ended and not lost else "running")
    assert ("1 not begun" in bare(scene.text())) == ended


def test_a_run_that_was_killed_is_over_when_its_last_job_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ["a"])
    scene.main(80)
    scene.alive("a", 1)
    assert not states.Watcher(tmp_path).look().over
    scene.alive("a", 70)
    assert states.Watcher(tmp_path).look().over
    assert "Snakemake gave its last sign of life" in bare(scene.text())


def test_a_training_tells_how_far_it_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ["a"])
    scene.alive("a", 1)
    bar = progress.Progress(tmp_path / "a", 0, 20, Timeline(300, {0: 60}), 1, text_io.StringIO())
    bar.started -= 30
    row = {"seed": 0, "train_loss": 0.5, "test_accuracy": 0.8766, "lr": 0.0143, "diverged_step": None}
    bar.row(10, [row])
    lines = bare(scene.text()).splitlines()
    (shown,) = [line for line in lines if line.startswith("dense a")]
    assert re.search(r"1:3\d +2/4 +87\.66% +0\.0143 +0:(29|30)\b", shown), shown
    assert "images/s" not in "".join(lines)
    assert re.search(r"0\.0143 +\d\d +0:(29|30)", bare(scene.text(width=120)))
    os.utime(tmp_path / "a/progress.json", (time.time() - 20,) * 2)  # time goes on between two evaluations
    assert re.search(r"0\.0143 +0:(09|10)", bare(scene.text()))
    os.utime(tmp_path / "a/progress.json", (time.time() - 95,) * 2)  # of an attempt before this one
    assert "87.66%" not in scene.text()


def test_a_training_tells_where_it_is_before_its_first_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of 0.4 seconds: the file is there after three, and is not written at each."""
    scene = Scene(tmp_path, ["a"])
    scene.alive("a", 1)
    now, written = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress_file, "write", lambda file, values: written.append(values))
    bar = progress.Progress(tmp_path / "a", 0, 20, Timeline(300, {0: 60}), 1, text_io.StringIO())
    bar.begin(0)
    for iteration in range(1, 11):
        now[0] += 0.4
        bar.tick(iteration)
    assert [values["epoch"] for values in written] == [0.6, 1.2, 1.8]
    assert written[0]["seconds_left"] == pytest.approx(17 * 0.4)
    assert written[0]["accuracy"] is None
    bar.row(10, [{"seed": 0, "train_loss": 0.5, "test_accuracy": 0.75, "lr": 0.1, "diverged_step": None}])
    now[0] += 1
    bar.tick(11)
    assert (written[-1]["epoch"], written[-1]["accuracy"], written[-1]["rate"]) == (2.2, 0.75, 0.1)
    monkeypatch.undo()
    progress_file.write(tmp_path / "a/progress.json", written[0])
    assert re.search(r"dense a +\S+ +0\.6/4 +- +- +0:06", bare(scene.text()))


def test_a_step_costs_next_to_nothing(tmp_path: Path) -> None:
    """A step of the smallest network takes some 300 microseconds."""
    bar = progress.Progress(tmp_path, 0, 10**6, Timeline(60_000, {0: 64}), 1, text_io.StringIO())
    told = TrialProgress(tmp_path / "told.json", 1, 1)
    told.begin(0, 0)
    for tick in (bar.tick, lambda iteration: told.tick(lambda: iteration / 938, 1)):
        began = time.process_time()
        for iteration in range(10_000):
            tick(iteration)
        assert time.process_time() - began < 0.1  # 10 microseconds a step, at least ten times of what it takes


def test_no_job_fails_of_its_progress_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    bar = progress.Progress(tmp_path / "file", 0, 20, Timeline(300, {0: 60}), 1, text_io.StringIO())
    bar.written -= 2
    bar.tick(1)


def test_a_search_tells_how_far_it_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ["a"], rule="sweep")
    scene.alive("a", 1)
    told = TrialProgress(Path(scene.jobs["a"].outputs[0]).with_suffix(".progress.json"), trials=10, work=10)
    told.begin(before=3, done=3)
    told.started -= 60
    told.row({"epoch": 2.0, "validation_accuracy": 0.5}, 4, 0.001)
    told.row({"epoch": 4.0, "validation_accuracy": 0.6}, 4, 0.001)  # at most once a second
    told.tick(lambda: 4.0, 4)
    shown = bare(scene.text())
    assert "trial 4 of 10" in shown
    assert re.search(r"2/4 +50\.00% +0\.001 +1[23]:\d\d", shown)  # half a trial a minute, six and a half to go
    told.begin(before=4, done=4)
    told.written -= 2
    told.tick(lambda: 1.5, 4)  # within an epoch of the next trial, which has no accuracy yet
    shown = bare(scene.text())
    assert "trial 5 of 10" in shown
    assert re.search(r"1\.5/4 +- +- +\d+:\d\d", shown)
    TrialProgress(tmp_path / "logs/a/b.json", 1, 1).begin(0, 0)
    blocked = TrialProgress(tmp_path / "logs", 1, 1)
    blocked.begin(0, 0)
    (tmp_path / "logs").mkdir(exist_ok=True)
    blocked.row({"epoch": 1.0, "validation_accuracy": None}, 1, 0.1)  # a folder is in the way: no error


def test_what_a_job_wrote_is_shown_as_text(tmp_path: Path) -> None:
    name = "[bold red]x[/]"
    scene = Scene(tmp_path, [name, "b"])
    scene.alive(name, 5, ended=time.time())
    scene.write(
        scene.log(name), "first\n" * 9 + "\x1b[2J\x1b]0;title\x07[link=http://x]y[/link] \u202eabc\tq\x9b5n\rlast\n", 5
    )
    scene.alive("b", 1)
    scene.write(scene.log("b"), "Measuring [red]\x1b[31m\n", 1)
    text = scene.text()
    assert not set(re.findall(r"\x1b(?!\[[0-9;]*m).|[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202e]", text))
    text = bare(text)
    assert "[bold red]x[/]" in text
    assert "␛[2J␛]0;title␇[link=http://x]y[/link] \\u202eabc q\\u009b5n" in text
    assert text.count("first") == view.LOG_LINES - 2
    assert "  last\n" in text
    assert "Measuring [red]␛[31m" in text


def test_a_frame_fits_into_the_terminal(tmp_path: Path) -> None:
    names = [f"study/arm_with_a_long_name/recipe/seeds0-4/round{i}" for i in range(60)]
    scene = Scene(tmp_path, names)
    for name in names[:20]:
        scene.alive(name, 1)
        progress.Progress(tmp_path / name, 0, 20, Timeline(300, {0: 60}), 1, text_io.StringIO()).row(
            10, [{"seed": 0, "train_loss": 0.5, "test_accuracy": 0.5, "lr": 1e-5, "diverged_step": None}]
        )
    for name in names[20:40]:
        scene.alive(name, 1, ended=time.time())
        scene.write(scene.log(name), "word " * 99 + "\n" * 3 + "line\n" * 9, 1)
    for width, height, fewest in ((80, 24, 2), (80, 50, 4), (140, 40, 8)):
        lines = bare(scene.text(width, height)).splitlines()
        assert len(lines) <= height, (width, height)
        assert max(map(len, lines)) <= width
        assert "60 jobs: 0 done, 20 running, 20 planned, 20 failed" in lines[1]
        assert sum("that failed before" in line for line in lines) == 1
        more = re.search(r"^and (\d+) more", "\n".join(lines), re.MULTILINE)
        shown = sum(line.startswith("dense") and not line.startswith("dense 0") for line in lines)
        assert shown >= fewest, (width, height)
        assert shown + (int(more[1]) if more else 0) == 20
    assert bare(scene.text()).count("failed dense") == 20
    for width, height in ((40, 24), (40, 12), (60, 14), (80, 12), (50, 20)):
        lines = bare(scene.text(width, height)).splitlines()
        assert len(lines) <= height, (width, height)
        assert max(map(len, lines)) <= width
        text = " ".join(" ".join(lines).split())
        assert "60 jobs: 0 done, 20 running, 20 planned, 20 failed" in text
        assert "2/4" in text, (width, height)
        assert re.search(r"and \d+ more", text)
        assert "failed dense" in text
        assert "that failed before" in text


def test_the_plan_is_read_when_it_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Scene(tmp_path, ["a"])
    read = []
    original = states._read
    monkeypatch.setattr(states, "_read", lambda path: read.append(path.name) or original(path))
    watcher = states.Watcher(tmp_path)
    assert [watcher.look().jobs[0].name for _ in range(3)] == ["a"] * 3
    assert read.count("plan.json") == 1
    Scene(tmp_path, ["b"])
    assert watcher.look().jobs[0].name == "b"


def test_what_another_host_has_written_is_waited_for(tmp_path: Path) -> None:
    """On a network file system a sign of life may be seen before the record that the job is done."""
    scene = Scene(tmp_path, ["a"])
    now = time.time()
    for age, state, over in ((5, ("running", "has ended"), False), (90, ("failed", "ended with an error"), True)):
        scene.alive("a", age, ended=now - age, host="elsewhere")
        scene.main(2, ended=now - 2)
        assert scene.look() == {"a": state}
        assert states.Watcher(tmp_path).look().over == over


def test_a_record_of_the_same_moment_is_read_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ["a"])
    watcher = states.Watcher(tmp_path)
    scene.output("a", 10)
    found = []
    for finished in (False, True):
        scene.record("a", 10, finished)
        os.utime(scene.jobs["a"].ledger, (scene.start + 50,) * 2)
        found += [job.state for job in watcher.look().jobs]
    assert found == ["planned", "done"]


def test_the_plan_of_a_moved_folder_is_refused(tmp_path: Path) -> None:
    Scene(tmp_path / "here", ["a"])
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    with pytest.raises(UserError, match=r"there holds the plan of a run that wrote into .*here"):
        states.Watcher(tmp_path / "there").look()


def test_a_folder_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"holds no run to watch: .*plan\.json is missing or broken.* make watch RESULTS="
    ):
        states.Watcher(tmp_path).look()
    command = [sys.executable, "workflow_scripts/watch.py", "--results", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is no folder" in " ".join(done.stderr.split())


PROGRAM = """
import argparse, sys, time
from winnow import provenance, pulse
pulse.BEAT = 0.05
args = argparse.Namespace(key="k", ledger=sys.argv[1], sources={}, spec={})
args.ledger = __import__("pathlib").Path(sys.argv[1])
provenance.start(args)
print("begun", flush=True)
sys.stdin.read()
"""


def test_a_sign_of_life_that_has_become_another_process_s_is_left_alone(tmp_path: Path) -> None:
    ledger, path = tmp_path / ".ledger/dense/a.json", tmp_path / ".watch/jobs/dense/a.json"
    command = [sys.executable, "-c", PROGRAM, str(ledger)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, cwd=ROOT) as program:
        assert program.stdout
        assert program.stdout.readline() == "begun\n"
        theirs = json.dumps({"host": "elsewhere", "pid": 1, "began": 1.0})
        atomic.write(path, theirs.encode())
        time.sleep(0.2)  # a touch that was on its way
        os.utime(path, (1, 1))
        time.sleep(0.3)  # six touches
        assert path.stat().st_mtime == 1
    assert path.read_text() == theirs


def test_a_program_shows_that_it_lives_and_that_it_ended(tmp_path: Path) -> None:
    ledger = tmp_path / ".ledger/dense/a.json"
    path = tmp_path / ".watch/jobs/dense/a.json"
    command = [sys.executable, "-c", PROGRAM, str(ledger)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, cwd=ROOT) as program:
        assert program.stdin
        assert program.stdout
        assert program.stdout.readline() == "begun\n"
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 30
        while path.stat().st_mtime < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - path.stat().st_mtime < 30
        assert json.loads(path.read_text())["pid"] == program.pid
        assert "ended" not in json.loads(path.read_text())
    assert json.loads(path.read_text())["ended"] >= json.loads(path.read_text())["began"]
    blocked = tmp_path / "blocked"
    (blocked / ".ledger").mkdir(parents=True)
    (blocked / ".watch").write_text("in the way")
    done = subprocess.run([*command[:-1], str(blocked / ".ledger/a.json")], input="", text=True, cwd=ROOT, check=False)
    assert done.returncode == 0
    assert provenance.read_record(blocked / ".ledger/a.json")
