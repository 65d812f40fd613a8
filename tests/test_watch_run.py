"""The view beside real Snakemake runs of the real rules, on stand-ins for the programs (see test_workflow.py)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_workflow import Tree, planted

pytest.importorskip("rich")

ROOT = Path(__file__).resolve().parent.parent
RUN = "results/toy/eg/dense/all/lr0.5/seeds0-1/metrics.csv"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = planted(tmp_path / "tree")
    shutil.copytree(ROOT / "winnow/watch", tree.path / "winnow/watch", dirs_exist_ok=True)
    shutil.copy(ROOT / "winnow/clock.py", tree.path / "winnow")
    shutil.copy(ROOT / "workflow_scripts/watch.py", tree.path / "workflow_scripts")
    return tree


@contextlib.contextmanager
def running(tree: Tree, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Snakemake at work."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    with subprocess.Popen(command, cwd=tree.path, stdout=-3, stderr=-3, text=True) as process:
        try:
            yield process
        finally:
            (tree.path / "orders/waiting").unlink(missing_ok=True)
            process.wait(120)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def once(tree: Tree) -> str:
    """What it prints where there is no terminal."""
    command = [sys.executable, "workflow_scripts/watch.py", "--results", "results"]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(command, cwd=tree.path, env=environment, capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stdout
    return done.stdout


class Terminal:
    """The live view in a terminal of 80 columns."""

    def __init__(self, tree: Tree) -> None:
        self.process, self.terminal = pty.fork()
        if not self.process:
            os.chdir(tree.path)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a shell starts in the background ignores it
            # Named, since GNU readline, which pytest loads, adds a size to what execv would pass on.
            environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
            command = [sys.executable, "workflow_scripts/watch.py"]
            os.execve(sys.executable, command, environment | {"TERM": "xterm"})
        self.text = ""
        self.resize(80)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self) -> bool:
        """Whether there may be more to come; it says something every second."""
        assert select.select([self.terminal], [], [], 60)[0], self.text[-2000:]
        try:
            text = os.read(self.terminal, 65536).decode(errors="replace")
        except OSError:  # it has ended
            return False
        self.text += text
        return bool(text)

    def shows(self, text: str) -> None:
        self.text, deadline = "", time.monotonic() + 60
        while text not in self.text and time.monotonic() < deadline and self.read():
            pass
        assert text in self.text

    def end(self) -> int:
        """The exit status, once it has ended by itself."""
        deadline = time.monotonic() + 60
        while self.read():
            assert time.monotonic() < deadline, "it goes on"
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def test_a_run_is_seen_from_beside_and_the_view_ends_with_it(tree: Tree) -> None:
    tree.write("orders/wait-train_dense", "")
    with running(tree, RUN) as run:
        until((tree.path / "orders/waiting").exists)
        text = once(tree)
        assert "2 jobs: 1 done, 1 running, 0 planned, 0 failed" in text
        assert "download 1/1, dense 0/1" in text
        assert "dense toy/eg/all/lr0.5/seeds0-1" in text
        first, second = Terminal(tree), Terminal(tree)
        first.shows("1 running")
        second.shows("1 running")
        first.resize(120)
        first.shows("images/s")
        os.write(second.terminal, b"\x03")
        assert second.end() == 0
        os.kill(first.process, signal.SIGTERM)
        assert first.end() == 0
        assert "\x1b[?1049l" in first.text  # the terminal is as it was
        assert run.poll() is None
        third = Terminal(tree)
        third.shows("1 running")
        (tree.path / "orders/waiting").unlink()
        assert third.end() == 0
        assert run.wait() == 0
        assert "everything is made" in third.text
    assert re.match("results, ended at .* ago: everything is made\n2 jobs: 2 done", once(tree))
    # What was there before is not in the plan of the next run.
    assert tree.snakemake("results/toy/gd/dense/all/lr0.2/seeds0-1/metrics.csv").returncode == 0
    assert "1 jobs: 1 done" in once(tree)
    tree.run("-n")
    assert "1 jobs: 1 done" in once(tree)


def test_a_job_that_fails_and_one_that_is_killed(tree: Tree) -> None:
    tree.write("orders/fail-train_dense", "gd/dense/all")
    assert tree.snakemake(RUN, "results/toy/gd/dense/all/lr0.2/seeds0-1/metrics.csv").returncode == 1
    text = once(tree)
    assert "3 jobs: 2 done, 0 running, 0 not begun, 1 failed" in text
    assert re.search(r"failed dense toy/gd/all/lr0.2/seeds0-1\n  ended with an error\n  results/logs/\S+log\n", text)
    assert "  Error: ordered to fail\n" in text
    tree.write("orders/wait-prune", "")
    ticket = "results/toy/eg/halves/seeds0-1/round2/metrics.csv"
    with running(tree, ticket) as run:
        until((tree.path / "orders/waiting").exists)
        (sign,) = (tree.path / "results/.watch/jobs/prune").rglob("1.json")
        os.kill(json.loads(sign.read_text())["pid"], signal.SIGKILL)
        assert run.wait() == 1
    text = once(tree)
    assert "1 not begun, 1 failed" in text
    assert re.search(r"failed prune toy/eg/halves/seeds0-1/1\n  killed\?\n", text)


def test_a_job_inside_the_run_leaves_the_plan_alone(tree: Tree) -> None:
    """On a cluster every job is a Snakemake of its own."""
    assert tree.snakemake(RUN).returncode == 0
    folder = tree.path / "results/.watch"
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in (folder / "plan.json", folder / "run.json")]
    for mode in ("subprocess", "remote"):
        inner = tree.snakemake("--mode", mode, "--nolock", "--force", RUN)
        assert inner.returncode == 0, inner.stderr
        assert len(tree.trainings()) <= 1
    assert before == [(p.read_bytes(), p.stat().st_mtime_ns) for p in (folder / "plan.json", folder / "run.json")]


def test_a_run_that_cannot_be_watched_runs_all_the_same(tree: Tree) -> None:
    tree.write("results/.watch", "in the way")
    done = tree.snakemake(RUN)
    assert done.returncode == 0
    assert "`make watch` will not show this run" in done.stderr
    assert (tree.path / RUN).is_file()
