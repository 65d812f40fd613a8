"""What the page is told beside results: which studies belong to a results root, and what its preset is for."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml


def overlays(root: Path, results: Path) -> list[str]:
    """The preset that has its results in this folder, if any: commands on the page name it."""
    found = []
    for path in sorted((root / "presets").glob("*.yaml")):
        place = (_read(path).get("pathvars") or {}).get("results")
        if place is not None and (root / place).resolve() == results.resolve():
            found.append(path.relative_to(root).as_posix())
    return found


def studies(root: Path, results: Path, files: list[str]) -> list[str]:
    """Studies that config asks for, where these are its results, then other folders with tables."""
    ours = bool(files) or results.resolve() == (root / "results").resolve()
    asked = [_read(root / name).get("studies") for name in ("config.yaml", *files)] if ours else []
    named = [names for names in asked if names][-1:]
    there = sorted(path.parent.name for path in results.glob("*/tables") if path.is_dir())
    return list(dict.fromkeys([*(named[0] if named else []), *there]))


def purposes(root: Path, files: list[str]) -> list[tuple[str, str]]:
    """(overlay, what its first comment says it is for): a preset may not be for conclusions."""
    found = []
    for name in files:
        path = root / name
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        comment = [line.removeprefix("#").strip() for line in takewhile(lambda line: line.startswith("#"), lines)]
        text = " ".join(line for line in comment if not line.startswith("snakemake "))
        found += [(name, text)] if text else []
    return found


def _read(path: Path) -> dict[str, Any]:
    values = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return values if isinstance(values, dict) else {}
