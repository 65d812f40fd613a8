"""Where under a results root there is something to tell a tracker."""

from __future__ import annotations

import os
import platform
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from winnow import atomic
from winnow.errors import UserError
from winnow.plugins import valid_names

PLACES = (  # below a study's folder; docs/files.md describes them
    r"(?P<arm>[^/]+)/dense/(?P<train_on>[^/]+)/(?P<rate>[^/]+)/seeds[^/]+/metrics\.csv",
    r"(?P<arm>[^/]+)/(?P<recipe>[^/]+)/seeds[^/]+/round(?P<round>\d+)/metrics\.csv",
    r"(?P<arm>[^/]+)/(?P<scenario>[^/]+)/final/seeds[^/]+/metrics\.csv",
    r"(?P<arm>[^/]+)/(?P<scenario>[^/]+)/tuning/trials\.csv",
    r"runs/(?P<group>[^/]+)/(?P<run>[^/]+)/metrics\.csv",
    r"sweeps/(?P<sweep>[^/]+)/trials\.csv",
    r"figures",
)

ROOT_ID = ".id"  # in a results root
OTHERS = ("data", "logs", "benchmarks", "report", "trackers")  # folders of a results root that are no study


@dataclass(frozen=True)
class Place:
    """A metrics.csv, a trials.csv or a folder of figures; `parts`: its folder below the study's."""

    study: str
    parts: tuple[str, ...]
    tags: dict[str, str]
    path: Path
    root: str = ""  # the name of its results root, which no other has


def find(results: Path, studies: Sequence[str] = ()) -> tuple[list[Place], int]:
    """(all that these studies have finished, the number of runs that have not); no `studies`: all that are there.

    UserError: no run there, or none of a study that is named.
    """
    if not results.is_dir():
        raise UserError(f"--results {results} is no folder; valid is a results root, such as results/quick.")
    found: dict[str, list[Place]] = {}
    unfinished, root = 0, root_id(results)
    for folder in sorted(path for path in results.iterdir() if path.is_dir() and path.name not in OTHERS):
        if folder.name.startswith("."):
            continue
        places = [replace(place, root=root) for place in _study(folder)]
        whole = [place for place in places if place.path.name != "metrics.csv" or _finished(place.path.parent)]
        if any(place.path.name != "figures" for place in whole):
            found[folder.name] = whole
            unfinished += (len(places) - len(whole)) * (not studies or folder.name in studies)
    if not found:
        raise UserError(
            f"--results {results} holds no finished run of any study: no metrics.csv with its run.json and no "
            "trials.csv where docs/files.md has them. Name a results root, such as results or results/quick."
        )
    for study in studies:
        if study not in found:
            raise UserError(f"--study {study}: {results} has no finished run of it. {valid_names(study, found)}")
    return [place for study, places in found.items() if not studies or study in studies for place in places], unfinished


def root_id(results: Path) -> str:
    """The name of a results root, drawn when it is first asked for and kept there; its path where that cannot be.

    Equal paths on two machines are two roots, and a root that was moved is the same.
    """
    file = results / ROOT_ID
    try:
        if not file.exists():
            atomic.write(file, f"{uuid.uuid4().hex}\n".encode())
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return f"{platform.node()}:{results.resolve()}"


def _study(folder: Path) -> list[Place]:
    paths = [folder / "figures"]
    for root, _, files in os.walk(folder):
        paths += [Path(root, name) for name in ("metrics.csv", "trials.csv") if name in files]
    places = [place for path in sorted(paths) if (place := of(folder, path.relative_to(folder).as_posix()))]
    return [place for place in places if place.path.name != "figures" or any(place.path.glob("*.png"))]


def of(folder: Path, path: str) -> Place | None:
    """The place that a path below a study's folder is; None for another file."""
    for pattern in PLACES:
        if match := re.fullmatch(pattern, path):
            tags = {"study": folder.name, **match.groupdict()}
            if "train_on" in tags:
                tags |= {"recipe": "dense", "round": "0"}
            return Place(folder.name, Path(path).parent.parts, tags, folder / path)
    return None


def _finished(folder: Path) -> bool:
    return (folder / "run.json").is_file()
