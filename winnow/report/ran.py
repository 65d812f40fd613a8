"""What was run, from the run.json of every training: settings, seeds, versions, commit, machine, times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas
import yaml

from winnow import io
from winnow.report import words

ARM = ("model", "dataset", "optimizer", "lr", "schedule", "length", "batch_size", "precision", "seeds")


@dataclass
class Ran:
    """`facts`: (name, text) pairs; `arms`: a row of texts per arm, under ARM; `specs`: (arm, spec as YAML); `work`: how
    much was trained; `commits`: of what code."""

    facts: list[tuple[str, str]] = field(default_factory=list)
    arms: list[tuple[str, list[str]]] = field(default_factory=list)
    specs: list[tuple[str, str]] = field(default_factory=list)
    work: str = ""
    commits: list[str] = field(default_factory=list)


def read(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """(path, contents) of every run.json under a study's folder."""
    return [(path, io.read_json(path)) for path in sorted(folder.rglob("run.json"))]


def collect(
    runs: list[tuple[Path, dict[str, Any]]], arms: dict[str, dict[str, Any]], trials: pandas.DataFrame | None
) -> Ran:
    """What the runs tell. `arms`: a training spec of each; `trials`: the table of sweeps, which count as trainings."""
    values = [run for _, run in runs]
    found = Ran()
    trainings, time = len(values), sum(run.get("train_seconds") or 0 for run in values)
    if trials is not None:
        trainings, time = trainings + len(trials), time + float(trials["seconds"].sum())
    if trainings:
        found.work = f"{trainings:,} jobs or trials, {words.seconds(time)} of training in all"
        found.facts.append(("trainings", found.work))
    for name, keys in {
        "machine": ("cpu", "accelerator"), "device": ("device",), "system": ("system",), "git commit": ("commit",),
        "Python": ("python",), "PyTorch": ("torch",), "NumPy": ("numpy",),
    }.items():  # fmt: skip
        texts = _distinct(run.get(key) for run in values for key in keys)
        if texts:
            found.facts.append((name, "; ".join(texts)))
    found.commits = _distinct(run.get("commit") for run in values)
    if diverged := sum(len(run.get("diverged") or ()) for run in values):
        found.facts.append(("diverged", words.count(diverged, "lane")))
    for arm, training in arms.items():
        found.arms.append((arm, [words.options(training.get(key)) for key in ARM]))
        found.specs.append((arm, yaml.safe_dump(training, sort_keys=False)))
    return found


def trainings(folder: Path, runs: list[tuple[Path, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """{arm: training spec}: of a run that has one, those of rounds or of scenario `plain` first."""
    chosen: dict[str, tuple[int, dict[str, Any]]] = {}
    for path, run in runs:
        arm, *parts = path.relative_to(folder).parts
        spec = run.get("spec") or {}
        training = spec.get("training") or (spec if "optimizer" in spec and "model" in spec else None)
        rank = 2 if any(part.startswith("round") or part == "plain" for part in parts) else 1
        if training and rank > chosen.get(arm, (0, {}))[0]:
            seeds = run.get("seeds") or training.get("seeds")
            chosen[arm] = (rank, {**training, "lr": run.get("lr", training.get("lr")), "seeds": seeds})
        elif training and rank == chosen[arm][0] and run.get("lr") == chosen[arm][1]["lr"]:
            mine = chosen[arm][1]
            mine["seeds"] = sorted({*(mine["seeds"] or ()), *(run.get("seeds") or ())})
    return {arm: training for arm, (_, training) in chosen.items()}


def _distinct(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value is not None))
