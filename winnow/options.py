"""Options of plug-ins, checked against their signatures without importing them (torch takes seconds to import).

A config entry `{name: eg, momentum: 0.9}` names a plug-in and its options. Names, and types where the annotation is
simple, are checked here, before any job starts; ranges are the plug-in's own business.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from winnow import plugins
from winnow.errors import UserError

# What the caller passes itself, by kind of plug-in.
_PASSED = {
    "models": ("self", "shape", "classes"),
    "optimizers": ("self", "params", "lr"),
    "schedules": ("iteration", "total", "per_epoch"),
}


def unknown(what: str, key: object, valid: Iterable[str]) -> str:
    """The sentence that names an unknown key, the nearest valid one and all valid ones."""
    names = sorted(valid)
    near = difflib.get_close_matches(str(key), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{what} {key!r} is not known.{hint} Valid: {', '.join(names) or '(none)'}."


def parameters(kind: str, name: str) -> dict[str, tuple[str, bool]]:
    """{option: (annotation, required)} of a plug-in: of its class, or of the function `factor` of a schedule."""
    found: dict[str, tuple[str, bool]] = {}
    for node in ast.parse(plugins.path(kind, name).read_bytes()).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
        elif isinstance(node, ast.FunctionDef) and node.name == "factor":
            methods = [node]
        else:
            continue
        for method in methods:
            arguments = method.args
            plain = [*arguments.posonlyargs, *arguments.args]
            required = len(plain) - len(arguments.defaults)
            for index, item in enumerate(plain):
                found[item.arg] = (_text(item.annotation), index < required)
            for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
                found[item.arg] = (_text(item.annotation), default is None)
    return {option: entry for option, entry in found.items() if option not in _PASSED[kind]}


def _text(annotation: ast.expr | None) -> str:
    return "" if annotation is None else ast.unparse(annotation).strip("'\"")


def as_number(value: Any) -> Any:
    """YAML reads 1e-6 as text; here it is a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _typed(value: Any, annotation: str) -> Any:
    """The value in the form its annotation asks for (1 -> 1.0 for a float); TypeError where it does not fit."""
    simple = {"int": int, "float": float, "str": str, "bool": bool}
    kinds = [part.strip() for part in annotation.split("|")]
    if value is None and "None" in kinds:
        return None
    wanted = [kind for kind in kinds if kind != "None"]
    if not wanted or any(kind not in simple for kind in wanted):
        return value
    for kind in wanted:
        fitting = as_number(value) if kind == "float" else value
        if type(fitting) is simple[kind]:
            return fitting
    raise TypeError(annotation)


def check(kind: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """`{"name": plug-in, option: value}` with every option known, present if required, and of the right type."""
    name = entry.get("name")
    if not isinstance(name, str):
        raise UserError(f"The key 'name' is missing. Valid names: {', '.join(plugins.names(kind))}.")
    known = parameters(kind, name)
    checked: dict[str, Any] = {"name": name}
    for option, value in entry.items():
        if option == "name":
            continue
        if option not in known:
            raise UserError(unknown(f"The option of {name}", option, known))
        try:
            checked[option] = _typed(value, known[option][0])
        except TypeError:
            raise UserError(f"The option {option} of {name} is {value!r}; it must be {known[option][0]}.") from None
    missing = [option for option, (_, required) in known.items() if required and option not in checked]
    if missing:
        raise UserError(f"The option {missing[0]} of {name} is missing.")
    return checked
