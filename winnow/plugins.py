"""Plug-ins by file name: ``winnow/<kind>/<name>.py`` is what config calls `<name>`. No registry to edit."""

from __future__ import annotations

import ast
import difflib
import importlib
import os
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from winnow import syntax
from winnow.errors import UserError

ROOT = Path(__file__).parent
KINDS = (
    "datasets", "models", "optimizers", "schedules", "batch_schedules", "augmentations", "criteria",
    "sparsifiers", "measures", "figures", "tables",
)  # fmt: skip


def names(kind: str) -> list[str]:
    """The valid names of a kind, sorted: its files that do not start with an underscore."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind of plug-in {kind!r}: one of {', '.join(KINDS)}")
    files = (
        os.listdir(ROOT / kind) if (ROOT / kind).is_dir() else []
    )  # faster than glob, and asked for thousands of times
    return sorted(file[:-3] for file in files if file.endswith(".py") and not file.startswith("_"))


def valid_names(key: object, valid: Iterable[str]) -> str:
    """What follows on an unknown key: the nearest valid one and all valid ones."""
    listed = sorted(valid)
    near = difflib.get_close_matches(str(key), listed, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"{hint}Valid names: {', '.join(listed) or '(none)'}."


def path(kind: str, name: str) -> Path:
    """The source file of a plug-in; UserError with the valid names if there is none."""
    valid = names(kind)
    if name not in valid:
        raise UserError(f"There is no {name!r} among the {kind}. {valid_names(name, valid)}")
    return ROOT / kind / f"{name}.py"


def load(kind: str, name: str) -> ModuleType:
    """Import a plug-in's module."""
    path(kind, name)
    return importlib.import_module(f"winnow.{kind}.{name}")


def load_class(kind: str, name: str) -> type[Any]:
    """The one public class that a plug-in's module defines."""
    module = load(kind, name)
    found = [
        value
        for key, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and not key.startswith("_")
    ]
    if len(found) != 1:
        raise TypeError(f"winnow/{kind}/{name}.py must define exactly one public class, it defines {len(found)}")
    return found[0]


def constant(kind: str, name: str, variable: str, default: Any = None) -> Any:
    """A literal module-level constant of a plug-in, read from its source without importing anything."""
    for node in syntax.tree(path(kind, name)).body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == variable for target in targets):
            return ast.literal_eval(node.value)
    return default
