"""The page: the studies of a folder of results, put into the template with everything that it needs inside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import numpy as np
import pandas
import yaml

from winnow import io
from winnow.errors import UserError
from winnow.report import compared, content, inlined, masks, pictures, ran
from winnow.report.sections import benchmark, pruning, sweep

KINDS: tuple[ModuleType, ...] = (pruning, sweep, benchmark)
FIGURES_ROOM = 5_000_000  # bytes of figures in the page, all studies together


@dataclass
class Study:
    """A study on the page; without `section` only its notes are shown."""

    name: str
    section: content.Section | None = None
    compared: compared.Compared = compared.NOTHING
    ran: ran.Ran | None = None
    pictures: list[pictures.Picture] = field(default_factory=list)
    masks: dict[str, Any] | None = None
    config: str = ""
    notes: list[str] = field(default_factory=list)
    made: str = ""


def render(
    results: Path,
    studies: Sequence[str],
    config: Mapping[str, Any],
    overlays: Sequence[str] = (),
    purposes: Sequence[tuple[str, str]] = (),
) -> str:
    """The page about `results` as HTML. `studies`: those that belong there, with or without results. `config`: what the
    configuration says of them, by name. `overlays`: its files beside config.yaml, for commands; `purposes`: what these
    are for. UserError: no study."""
    if not studies:
        raise UserError(
            f"{results} holds no study: no folder in it has tables/. Name a results root, e.g. results/quick."
        )
    room, found = FIGURES_ROOM, []
    for name in studies:
        study = _study(results / name, config.get(name))
        study.pictures, room = pictures.collect(results / name, overlays, room)
        found.append(study)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(inlined.ASSETS), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"shown": shown, "exact": exact}
    files = " ".join(overlays)
    return environment.get_template("page.html").render(
        results=results.as_posix(), studies=found, data=_data(found), arm_columns=ran.ARM,
        style=inlined.text("style.css"), scripts=[inlined.text(name) for name in inlined.SCRIPTS],
        overlays=f" --configfile {files}" if files else "", purposes=purposes,
    )  # fmt: skip


def _study(folder: Path, config: Any) -> Study:
    study = Study(folder.name, config=yaml.safe_dump(config, sort_keys=False) if config else "")
    tables, study.notes = _tables(folder)
    kind = next((kind for kind in KINDS if kind.NEEDS in tables), None)
    if kind is None:
        missing = " or ".join(f"tables/{kind.NEEDS}.csv" for kind in KINDS)
        study.notes.append(f"Nothing to show yet: {folder.as_posix()} has no {missing}.")
        return study
    runs = ran.read(folder)
    study.compared = compared.collect(folder, runs, tables)
    study.section = kind.section({name: table for name, table in tables.items() if name in kind.READS}, study.compared)
    absent = [name for name in kind.READS if name not in tables]
    if absent:
        study.notes.append(
            "Nothing is said from these tables, which this study does not ask for or has not made: "
            f"{', '.join(absent)}."
        )
    study.ran = ran.collect(runs, study.compared.arms, tables.get("trials"))
    study.section.charts = [chart for chart in study.section.charts if chart.drawable]
    study.masks = masks.collect(folder, list(dict.fromkeys(tables["summary"]["arm"]))) if kind is pruning else None
    newest = max(path.stat().st_mtime for path in (folder / "tables").glob("*.csv"))
    study.made = datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return study


def _tables(folder: Path) -> tuple[dict[str, pandas.DataFrame], list[str]]:
    """The tables that some section reads and that can be read; notes about those that cannot."""
    found, notes = {}, []
    for name in dict.fromkeys(name for kind in KINDS for name in kind.READS):
        path = folder / "tables" / f"{name}.csv"
        if not path.exists():
            continue
        try:
            table = io.read_table(path, name)
        except UserError as error:
            notes.append(str(error))
            continue
        if len(table):
            found[name] = table
        else:
            notes.append(f"The table {name} has no rows.")
    return found, notes


def _data(studies: list[Study]) -> dict[str, Any]:
    """What the scripts draw, for the page's JSON."""
    found: dict[str, Any] = {}
    for study in studies:
        if study.section:
            charts = {
                chart.name: {
                    "kind": type(chart).__name__,
                    **{name: _json(value) for name, value in vars(chart).items()},
                }
                for chart in study.section.charts
            }
            found[study.name] = {"charts": charts, "filters": study.section.filters, "masks": study.masks}
    return found


def _json(value: Any) -> Any:
    if isinstance(value, pandas.DataFrame):
        return content.rows(value)
    return vars(value) if isinstance(value, content.Axis) else value


def shown(value: Any, percent: bool = False) -> str:
    """A cell as it is read: rounded."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float):
        if percent:
            return f"{100 * value:.2f}"
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def exact(value: Any) -> str:
    """A cell as the table has it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)
