"""Options of plug-ins, checked against their signatures without importing them (torch takes seconds to import).

A config entry `{name: eg, momentum: 0.9}` names a plug-in and its options. Names, types where the annotation is simple,
and ranges where the plug-in states them are checked here, before any job starts. A plug-in may say in literals

    RANGES      {option: what is valid}: an interval "[0, 1)", a list of texts, "duration" or "epochs" (of at least 1),
                or "moment" (a duration since the start, may be 0)
    REQUIRES    {option: {value: {other option: what is valid beside that value, or None: to be left out}}}
    PARAMETERS  of a model: the names of its tensors, where "{layers}" counts from 0 to below the option `layers`

The plug-in refuses a wrong option itself, too, since it may be used without config; tests hold it against both.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import product
from string import Formatter
from typing import Any

from winnow import plugins, syntax
from winnow.duration import Duration
from winnow.errors import UserError

# What the caller passes itself, by kind of plug-in.
_PASSED = {
    "models": ("self", "shape", "classes"),
    "optimizers": ("self", "params", "lr"),
    "schedules": ("iteration", "total", "per_epoch"),
    "batch_schedules": ("images", "batch_size"),
    "augmentations": ("self",),
    "sparsifiers": ("self", "weights"),
}
_FUNCTIONS = {"schedules": "factor", "batch_schedules": "sizes"}
_CONTAINERS = ("Any", "object", "list", "tuple", "dict", "Sequence", "Mapping")
Range = str | list[str]
_INTERVAL = re.compile(r"([\[(])(\S+), (\S+)([\])])")


class WrongValueError(UserError):
    """A wrong value below the key path of what is checked: `path` leads on from there."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


def unknown(what: str, key: object, valid: Iterable[str]) -> str:
    """The sentence that names an unknown key, the nearest valid one and all valid ones."""
    return f"{what} {key!r} is not known. {plugins.valid_names(key, valid)}"


def _interval(valid: str) -> tuple[str, float, float, str]:
    match = _INTERVAL.fullmatch(valid)
    if match is None:
        raise ValueError(f"{valid!r} is no range: write '[0, 1)', a list of texts, 'duration', 'epochs' or 'moment'")
    return match[1], float(match[2]), float(match[3]), match[4]


def allows(valid: Range, value: object) -> bool:
    """Whether a value lies in a range as RANGES gives it."""
    if isinstance(valid, list):
        return value in valid
    if valid in ("duration", "epochs", "moment"):
        try:
            length = Duration.parse(value)  # type: ignore[arg-type]
        except UserError:
            return False
        return (length.count > 0 or valid == "moment") and (valid != "epochs" or length.unit == "ep")
    left, low, high, right = _interval(valid)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    above = low <= value if left == "[" else low < value
    return above and (value <= high if right == "]" else value < high)


def words(valid: Range, whole: bool = False) -> str:
    """A range in words; `whole`: its numbers are whole."""
    if isinstance(valid, list):
        return f"one of {', '.join(valid)}"
    if valid == "duration":
        return "a duration of at least 1, in epochs ('5ep') or iterations ('1000it')"
    if valid == "epochs":
        return "a whole number of epochs, at least '1ep'"
    if valid == "moment":
        return "a moment, in epochs ('5ep') or iterations ('1000it') since the start"
    left, low, high, right = _interval(valid)
    if low == high:
        return f"{low:g}"
    bounds = [f"{'>=' if left == '[' else '>'} {low:g}"] if low > -math.inf else []
    bounds += [f"{'<=' if right == ']' else '<'} {high:g}"] if high < math.inf else []
    what = "a whole number" if whole else "a number" if len(bounds) == 2 else "a finite number"
    return f"{what} {' and '.join(bounds)}".strip()


def parameters(kind: str, name: str) -> dict[str, tuple[str, bool]]:
    """{option: (annotation, required)} of a plug-in: of its class, or of a schedule's function (`factor`, `sizes`)."""
    return {option: (text, default is None) for option, (text, default) in _signature(kind, name).items()}


def tensors(entry: Mapping[str, Any]) -> list[str] | None:
    """Names of the tensors of a model with the options of a checked entry; None if the model does not tell."""
    templates = plugins.constant("models", entry["name"], "PARAMETERS")
    if templates is None:
        return None
    found: list[str] = []
    for template in templates:
        counted = [field for _, field, _, _ in Formatter().parse(template) if field]
        for index in product(*(range(value_of("models", entry, option)) for option in counted)):
            found.append(template.format(**dict(zip(counted, index, strict=True))))
    return found


def value_of(kind: str, entry: Mapping[str, Any], option: str) -> Any:
    """The option's value in a checked entry or, where it is left out, its default."""
    default = _signature(kind, entry["name"])[option][1]
    return entry[option] if option in entry or default is None else ast.literal_eval(default)


def sparse_from(entry: Mapping[str, Any]) -> str | None:
    """The moment after which evaluations must have a sparsifier's density, where it comes to it on the way."""
    option = plugins.constant("sparsifiers", entry["name"], "SPARSE_FROM")
    return None if option is None else value_of("sparsifiers", entry, option)


def check_taken(entry: Mapping[str, Any], optimizer: str, needs: Collection[str]) -> None:
    """UserError where a sparsifier, a checked entry, refuses what an optimiser needs."""
    if any(need in needs for need in plugins.constant("sparsifiers", entry["name"], "REFUSES", ())):
        raise UserError(
            f"The sparsifier {entry['name']} does not take the optimiser {optimizer}, which computes losses by itself: "
            "to compare them would be wrong, since they do not see all weights that move. Take another of the two."
        )


def _signature(kind: str, name: str) -> dict[str, tuple[str, ast.expr | None]]:
    """{option: (annotation, default)}."""
    found: dict[str, tuple[str, ast.expr | None]] = {}
    for node in syntax.tree(plugins.path(kind, name)).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
        elif isinstance(node, ast.FunctionDef) and node.name == _FUNCTIONS.get(kind):
            methods = [node]
        else:
            continue
        for method in methods:
            arguments = method.args
            plain = [*arguments.posonlyargs, *arguments.args]
            defaults = [*[None] * (len(plain) - len(arguments.defaults)), *arguments.defaults, *arguments.kw_defaults]
            for item, default in zip([*plain, *arguments.kwonlyargs], defaults, strict=True):
                found[item.arg] = (_text(item.annotation), default)
    return {option: entry for option, entry in found.items() if option not in _PASSED[kind]}


def _text(annotation: ast.expr | None) -> str:
    return "" if annotation is None else ast.unparse(annotation).strip("'\"")


def as_number(value: Any) -> Any:
    """YAML reads 1e-6 as text; here it is a number. What is none, or too large for a float, stays as it is."""
    try:
        number = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
        return float(value) if number else value
    except (ValueError, OverflowError):
        return value


def _finite(value: Any) -> bool:
    """Whether no number in a value, however deep, is infinite or NaN."""
    if isinstance(value, Mapping):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _typed(value: Any, annotation: str) -> Any:
    """The value in the form its annotation asks for (1 -> 1.0 for a float); TypeError where it does not fit."""
    simple = {"int": int, "float": float, "str": str, "bool": bool}
    kinds = [part.strip() for part in annotation.split("|")]
    if value is None and "None" in kinds:
        return None
    wanted = [kind for kind in kinds if kind != "None"]
    if not wanted or any(kind not in simple for kind in wanted):
        if all(kind.isidentifier() and kind not in {*simple, *_CONTAINERS} for kind in wanted):
            raise TypeError(annotation)  # an object, a Generator say, which config cannot hold
        return value
    for kind in wanted:
        fitting = as_number(value) if kind == "float" else value
        if type(fitting) is simple[kind]:
            return fitting
    raise TypeError(annotation)


def check(kind: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """`{"name": plug-in, option: value}` with every option known, present if required, of the right type and in range.

    What REQUIRES says of two options holds, too.
    WrongValueError, whose `path` is the option's name, for anything else.
    """
    name = entry.get("name")
    if not isinstance(name, str):
        raise UserError(f"The key 'name' is missing. {plugins.valid_names('', plugins.names(kind))}")
    try:
        known = parameters(kind, name)
    except UserError as error:
        raise WrongValueError("name", str(error)) from None
    ranges: dict[str, Range] = plugins.constant(kind, name, "RANGES", {})
    checked: dict[str, Any] = {"name": name}
    for option, value in entry.items():
        if option == "name":
            continue
        if option not in known:
            raise WrongValueError(str(option), unknown(f"The option of {name}", option, known))
        annotation, valid = known[option][0], ranges.get(option)
        try:
            checked[option] = _typed(value, annotation)
            given = checked[option]
            right = given is None or (_finite(given) if valid is None else allows(valid, given))
        except TypeError:
            right = False
        if not right:
            finite = ", and finite" if "float" in annotation else ""
            what = f"{annotation}{finite}" if valid is None else words(valid, whole=annotation.startswith("int"))
            raise WrongValueError(option, f"The option {option} of {name} is {value!r}; valid is {what}.")
    missing = [option for option, (_, required) in known.items() if required and option not in checked]
    if missing:
        raise WrongValueError(missing[0], f"The option {missing[0]} of {name} is missing.")
    _check_together(kind, checked)
    return checked


def _check_together(kind: str, entry: Mapping[str, Any]) -> None:
    """WrongValueError where an option of an otherwise checked entry does not fit the value of another: REQUIRES."""
    name, requires = entry["name"], plugins.constant(kind, entry["name"], "REQUIRES", {})
    for option, cases in requires.items():
        value = value_of(kind, entry, option)
        for other, valid in cases.get(value, {}).items():
            given = value_of(kind, entry, other)
            if given is None if valid is None else allows(valid, given):
                continue
            what = "be left out" if valid is None else f"be {words(valid)}"
            raise WrongValueError(
                option if option in entry else other,
                f"The option {option} of {name} is {value!r}, with which {other} must {what}; "
                f"it is {'missing' if given is None else repr(given)}.",
            )
