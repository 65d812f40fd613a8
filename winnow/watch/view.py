"""How a run of the workflow looks in a terminal: a frame that fits into its width and height.

What comes from files is set as text, never as markup, and characters that steer a terminal are shown, not sent.
"""

from __future__ import annotations

import time
import unicodedata
from collections import Counter
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from winnow.clock import text as span
from winnow.watch.states import Run, Watched, clock, tail

STYLES = {"done": "green", "running": "cyan", "planned": "dim", "failed": "bold red"}
WIDE = 100  # columns from which the speed is shown, too
LOG_LINES = 5


def frame(results: Path, run: Run, console: Console, height: int | None = None) -> Group:
    """The run as it stands, in at most `height` lines (None: as many as it takes)."""
    running, failed = run.of("running"), run.of("failed")
    if height is None:
        return _frame(results, run, running, failed, console.width)
    last = failed[-max(height // 16, 1) :]
    number = min(len(running), height)
    while True:
        made = _frame(results, run, running[:number], last, console.width)
        excess = len(console.render_lines(made)) - height
        if excess <= 0 or number <= 1:
            return made
        number = max(number - max(excess // 3, 1), 1)  # a job takes three lines at most, unless its name is very long


def _frame(results: Path, run: Run, running: list[Watched], failed: list[Watched], width: int) -> Group:
    parts: list[RenderableType] = [_headline(results, run), _counts(run), _rules(run)]
    if running:
        parts += [Text(), _running(running, width)]
    if more := len(run.of("running")) - len(running):
        parts.append(Text(f"and {more} more", "dim"))
    for job in failed:
        parts += [Text(), *_failure(job)]
    if more := len(run.of("failed")) - len(failed):
        parts.append(Text(f"and {more} that failed before", "red"))
    return Group(*parts)


def _headline(results: Path, run: Run) -> Text:
    if run.ended is None:
        state = f"running for {span(time.time() - run.began)}"
    else:
        ended = f"at {clock(run.ended)}, {span(time.time() - run.ended)} ago"
        whole = len(run.of("done")) == len(run.jobs)
        state = f"Snakemake gave its last sign of life {ended}" if run.lost else f"ended {ended}"
        state += ": everything is made" if whole else ""
    return Text.assemble((plain(str(results)), "bold"), ", ", state, overflow="fold")


def _counts(run: Run) -> Text:
    text = Text(f"{len(run.jobs)} jobs: ")
    for position, (state, style) in enumerate(STYLES.items()):
        number = len(run.of(state))
        name = "not begun" if state == "planned" and run.ended is not None else state
        text.append(", " if position else "").append(f"{number} {name}", style if number else "dim")
    return text


def _rules(run: Run) -> Text:
    """How many jobs of each rule are done."""
    planned, done = Counter(job.rule for job in run.jobs), Counter(job.rule for job in run.of("done"))
    return Text(", ".join(f"{plain(rule)} {done[rule]}/{number}" for rule, number in planned.items()), "dim")


def _running(jobs: list[Watched], width: int) -> Table:
    wide = width >= WIDE
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    table.add_column("running", overflow="fold")
    for name in ("for", "epoch", "accuracy", "rate", *(["images/s"] if wide else []), "left"):
        table.add_column(name, justify="right", no_wrap=True)
    for job in jobs:
        what = Text.assemble((plain(job.rule), "cyan"), " ", plain(job.name))
        since = span(time.time() - job.began) if job.began else ""
        if job.note:
            what.append(f"\n{job.note}", "yellow")
        if job.progress is None:
            for line in tail(job.log, 1):  # what does not train says here what it does
                what.append(f"\n{cut(plain(line), max(width - 40, 20))}", "dim")
            table.add_row(what, since)
            continue
        told = job.progress
        if "trial" in told:
            what.append(f"\ntrial {_number(told['trial'])} of {_number(told.get('trials'))}", "dim")
        cells = [f"{_number(told.get('epoch'))}/{_number(told.get('epochs'))}", _percent(told.get("accuracy"))]
        cells += [_number(told.get("rate"))]
        cells += [_number(told.get("images_per_second"), ",.0f")] if wide else []
        table.add_row(what, since, *cells, _left(told.get("seconds_left")))
    return table


def _failure(job: Watched) -> list[RenderableType]:
    head = Text.assemble(("failed ", "bold red"), (plain(job.rule), "red"), " ", plain(job.name))
    head.append(f"\n  {job.note}\n  {plain(job.log)}", "dim")
    return [head, *(Text(f"  {plain(line)}", no_wrap=True, overflow="ellipsis") for line in tail(job.log, LOG_LINES))]


def plain(text: str) -> str:
    """The text with visible signs in place of characters that steer a terminal or turn the direction of writing."""
    return "".join(_visible(sign) if unicodedata.category(sign)[0] == "C" else sign for sign in text)


def _visible(sign: str) -> str:
    if sign == "\t":
        return " "
    return chr(0x2400 + ord(sign)) if ord(sign) < 32 else f"\\u{ord(sign):04x}"


def cut(text: str, length: int) -> str:
    """At most `length` characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _number(value: object, form: str = ".4g") -> str:
    return format(value, form) if isinstance(value, (int, float)) else "-"


def _percent(value: object) -> str:
    return _number(value, ".2%") if value is not None else "-"


def _left(value: object) -> str:
    return span(value) if isinstance(value, (int, float)) else "-"
