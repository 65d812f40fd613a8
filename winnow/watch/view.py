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
NARROW = 60  # columns below which a running job has only its place and the time left
LOW = 20  # lines below which rules are not counted, and of what failed the last line of the log is shown
LOG_LINES = 5


def frame(results: Path, run: Run, console: Console, height: int | None = None) -> Group:
    """The run as it stands, in at most `height` lines (None: as many as it takes)."""
    running, failed = run.of("running"), run.of("failed")
    if height is None:
        return _frame(results, run, running, failed, console.width)
    last = failed[-max(height // 16, 1) :]
    number, low = min(len(running), height), height < LOW
    while True:
        made = _frame(results, run, running[:number], last, console.width, low)
        excess = len(console.render_lines(made)) - height
        if excess > 0 and number > 1:
            number = max(
                number - max(excess // 3, 1), 1
            )  # a job takes three lines at most, unless its name is very long
        elif excess > 0 and not low:
            low = True
        else:
            return made


def _frame(
    results: Path, run: Run, running: list[Watched], failed: list[Watched], width: int, low: bool = False
) -> Group:
    gap: list[RenderableType] = [] if low else [Text()]
    parts: list[RenderableType] = [_headline(results, run), _counts(run), *([] if low else [_rules(run)])]
    if running:
        parts += [*gap, _running(running, width, low)]
    if more := len(run.of("running")) - len(running):
        parts.append(Text(f"and {more} more", "dim"))
    for job in failed:
        parts += [*gap, *_failure(job, 1 if low else LOG_LINES)]
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


def _running(jobs: list[Watched], width: int, low: bool) -> Table:
    names = ["for", "epoch", "accuracy", "rate", *(["images/s"] if width >= WIDE else []), "left"]
    names = ["epoch", "left"] if width < NARROW else names
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False, show_header=not low)
    table.add_column("running", overflow="fold")
    room = width - 11 * len(names)  # of a name in one line, whose end tells more than its beginning
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for job in jobs:
        name = plain(job.name)
        if low and len(name) > (left := max(room - len(job.rule) - 1, 8)):
            name = f"…{name[1 - left :]}"
        what = Text.assemble((plain(job.rule), "cyan"), " ", name)
        told = job.progress or {}
        notes = [(job.note, "yellow")] if job.note else []
        if job.progress is None:  # what does not train says here what it does
            notes += [(cut(plain(line), max(width - 40, 20)), "dim") for line in tail(job.log, 1)]
        elif "trial" in told:
            notes.append((f"trial {_number(told['trial'])} of {_number(told.get('trials'))}", "dim"))
        for text, style in notes[: 0 if low else None]:
            what.append(f"\n{text}", style)
        cells = {
            "for": span(time.time() - job.began) if job.began else "",
            "epoch": f"{_number(told.get('epoch'))}/{_number(told.get('epochs'))}",
            "accuracy": _percent(told.get("accuracy")), "rate": _number(told.get("rate")),
            "images/s": _number(told.get("images_per_second"), ",.0f"), "left": _left(told.get("seconds_left")),
        }  # fmt: skip
        table.add_row(what, *(cells[column] if told or column == "for" else "" for column in names))
    return table


def _failure(job: Watched, lines: int) -> list[RenderableType]:
    head = Text.assemble(("failed ", "bold red"), (plain(job.rule), "red"), " ", plain(job.name))
    head.append(f"\n  {job.note}\n  {plain(job.log)}" if lines > 1 else f" {job.note}", "dim")
    return [head, *(Text(f"  {plain(line)}", no_wrap=True, overflow="ellipsis") for line in tail(job.log, lines))]


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
