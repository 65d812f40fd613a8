"""The only reader of config: strict models, and errors that name the key, its value and what is valid.

Snakemake has merged the overlays (`--configfile`: mappings deeply, lists replaced) before `validate` sees them; a
`null` removes the entry. Nothing heavy is imported here: a Snakefile is parsed for every command and every cluster job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from winnow import options, plugins
from winnow.benchmark_config import BenchmarkStudy
from winnow.config_errors import WORDS, first, shown
from winnow.errors import UserError
from winnow.fields import (
    Device,
    Name,
    Positive,
    PositiveNumber,
    Results,
    Strict,
)
from winnow.scratch_config import ScratchStudy
from winnow.study_config import Study

GENERAL = ("studies", "execution", "data", "pathvars")
MARKS = {"scratch": "sweeps", "benchmarks": "scenarios"}  # a section with such a key is a study of this kind
KINDS = {"arms", *MARKS.values()}  # a section with one of these keys is a study


class Execution(Strict):
    """How it runs. `device`, `threads` and `deterministic` decide bits, so training specs carry them."""

    device: Device = "cpu"
    threads: Positive = 1
    deterministic: bool = False
    store_gb: PositiveNumber = 20.0


class DataSource(Strict):
    """Where a data set may already lie."""

    folder: str | None = None


class Config(Strict):
    """The whole configuration: `run` names the studies that run, in order; their sections are in one of the last three.

    A section with the key `sweeps` is a study of the network from scratch, one with `scenarios` compares optimisers.
    """

    run: list[str]
    execution: Execution
    data: dict[str, DataSource]
    results: Results
    studies: dict[Name, Study]
    scratch: dict[Name, ScratchStudy] = {}
    benchmarks: dict[Name, BenchmarkStudy] = {}


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return value


def _kind(section: Mapping[str, Any]) -> str:
    return next((kind for kind, mark in MARKS.items() if mark in section), "studies")


def _wrong(path: str, text: str) -> options.WrongValueError:
    return options.WrongValueError(path, f"config: {path}: {text}")


def validate(raw: Mapping[str, Any]) -> Config:
    """Check a merged configuration, studies that do not run included. UserError, one paragraph, for what is wrong."""
    values = _without_null(raw)
    run = values.get("studies")
    sections = {key: value for key, value in values.items() if key not in GENERAL}
    if not isinstance(run, list) or not run:
        known = ", ".join(map(str, sections)) or "(none)"
        raise _wrong("studies", f"{run!r} is not valid; it must list at least one of {known}.")
    for key, value in sections.items():
        if key in run and not isinstance(value, Mapping):
            raise _wrong(str(key), f"{shown(value)} is not valid; valid is {WORDS['model_type']}.")
        if key not in run and not (isinstance(value, Mapping) and value.keys() & KINDS):
            raise _wrong(str(key), options.unknown("The key", key, [*GENERAL, *map(str, run)]))
    for index, study in enumerate(run):
        if not isinstance(study, str) or study not in sections:
            raise _wrong(f"studies[{index}]", options.unknown("The study", study, map(str, sections)))
    if len(set(run)) < len(run):
        raise _wrong("studies", f"{run} is not valid; a study stands there more than once.")
    pathvars = values.get("pathvars", {})
    if not isinstance(pathvars, Mapping) or set(pathvars) - {"results"}:
        raise _wrong("pathvars", f"{pathvars!r} is not valid; the only key is results.")
    try:
        config = Config(
            run=run,
            execution=values.get("execution", {}),
            data=values.get("data", {}),
            results=pathvars.get("results", "results"),
            **{kind: {n: s for n, s in sections.items() if _kind(s) == kind} for kind in (*MARKS, "studies")},
        )
    except ValidationError as error:
        path, text = first(error)
        kind, _, below = path.partition(".")
        path = "pathvars.results" if path == "results" else below if kind in (*MARKS, "studies") else path
        raise _wrong(path, text) from error
    if config.execution.device == "cpu":
        for path in _paths(sections, "precision", "tf32"):
            raise _wrong(path, "'tf32' is not valid on a CPU; valid is fp32 or bf16, or execution: {device: cuda}.")
    for name in config.data:
        try:
            plugins.path("datasets", name)
        except UserError as error:
            raise _wrong(f"data.{name}", str(error)) from error
    return config


def _paths(value: Any, key: str, wanted: str, above: str = "") -> Iterator[str]:
    """Where `key` has the value `wanted`, in the mappings below `value`."""
    for name, item in value.items() if isinstance(value, Mapping) else ():
        path = f"{above}.{name}".lstrip(".")
        if name == key and item == wanted:
            yield path
        yield from _paths(item, key, wanted, path)


def check_folders(config: Config) -> None:
    """UserError unless the folders named under `data` exist; apart, since a cluster's nodes may not have them."""
    for name, source in config.data.items():
        if source.folder is not None and not Path(source.folder).expanduser().is_dir():
            raise _wrong(
                f"data.{name}.folder", f"{source.folder!r} is not valid; valid is a folder that exists, or null."
            )


def load(base: Mapping[str, Any], overlays: list[Mapping[str, Any]]) -> Config:
    """Merge as Snakemake does (mappings deeply, everything else replaced) and validate."""
    merged: dict[str, Any] = dict(base)
    for overlay in overlays:
        merged = _merge(merged, overlay)
    return validate(merged)


def _merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = _merge(old if isinstance(old, Mapping) else {}, value) if isinstance(value, Mapping) else value
    return merged
