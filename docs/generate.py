"""Writes the generated parts of the documentation, each from the one place that knows it (`make docs`).

A generated part stands between `<!-- begin NAME -->` and `<!-- end -->` in README.md or docs/files.md; the text around
it is written by hand. With --check nothing is written, and the exit status says whether anything would change.
"""

import argparse
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import annotated_types
import networkx
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from winnow import benchmark_config, config, fields, scratch_config, study_config  # noqa: E402
from winnow.plan import Plan  # noqa: E402
from winnow.schemas import SCHEMAS  # noqa: E402

FILES = ("README.md", "docs/files.md")
REGION = re.compile(r"<!-- begin (?P<name>\S+) -->.*?<!-- end -->", re.DOTALL)
# Types that config.py checks with a function: how a reader should understand them.
KNOWN = (
    (fields.Length, "duration"),
    (fields.Moment, "duration, may be 0"),
    (fields.Rate, "number > 0"),
    (fields.PruningRate, "number > 0, or `best`"),
    (fields.Density, "number > 0, < 1"),
    (fields.Number, "number"),
    (fields.Seeds, "lists of whole numbers"),
    (scratch_config.Space, "per option choices or `{low, high, log}`"),
)
PLAIN = {str: "text", int: "whole number", bool: "true or false", float: "number", dict: "mapping"}


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; pipes inside cells are escaped."""
    lines = [header, ("---",) * len(header), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def schema(name: str) -> str:
    """Columns of one kind of table file."""
    return table(("column", "meaning"), ((f"`{column}`", text) for column, text in SCHEMAS[name].items()))


def valid(hint: Any) -> str:
    """What a config value may be, in words."""
    for known, text in KNOWN:
        if hint == known:
            return text
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        base, *checks = arguments
        named = "`name` and options" if base == dict[str, Any] else "name" if base is str else valid(base)
        return ", ".join([named, *(limit for check in checks for limit in bounds(check))])
    if origin in (Union, types.UnionType):
        return valid(next(argument for argument in arguments if argument is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return "list of: " + valid(arguments[0])
    if origin is dict and arguments[1] is not Any:
        return "patterns, each with: " + valid(arguments[1])
    return PLAIN[origin or hint]


def bounds(check: Any) -> Iterator[str]:
    """The limits that one piece of a type's metadata sets."""
    for limit in getattr(check, "metadata", [check]):
        match limit:
            case annotated_types.Ge(ge=value):
                yield f">= {value}"
            case annotated_types.Gt(gt=value):
                yield f"> {value}"
            case annotated_types.Le(le=value):
                yield f"<= {value}"
            case annotated_types.Lt(lt=value):
                yield f"< {value}"


def shown(default: Any) -> str:
    """A default as one would write it in YAML; nothing for an empty one."""
    if isinstance(default, list):
        return ", ".join(map(shown, default))
    if default is None or default == {}:
        return ""
    if isinstance(default, dict):
        return ", ".join(f"{key}: {shown(value)}" for key, value in default.items())
    return f"{default:g}" if isinstance(default, float) else str(default).lower()


def keys(model: type[BaseModel], path: str) -> Iterator[tuple[str, str, str]]:
    """(key path, what is valid, what holds if it is left out) of every key below a config model."""
    hints = typing.get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        hint, here = hints[name], f"{path}.{name}"
        parts = [hint, *typing.get_args(hint), *(a for part in typing.get_args(hint) for a in typing.get_args(part))]
        inner = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        if inner:
            below = f"{here}.<{name.removesuffix('s')}>" if dict in map(typing.get_origin, parts) else here
            yield from keys(inner[0], below)
            continue
        yield here, valid(hint), "required" if field.default is PydanticUndefined else shown(field.default)


def config_keys() -> str:
    """Every key of the configuration."""
    meanings: dict[str, str] = yaml.safe_load((ROOT / "docs/keys.yaml").read_text(encoding="utf-8"))
    found = [
        ("studies", "list of: name", "required"),
        *keys(config.Execution, "execution"),
        *keys(config.DataSource, "data.<dataset>"),
        ("pathvars.results", "folder", "results"),
        *keys(study_config.Study, "<study>"),
        *keys(scratch_config.ScratchStudy, "<scratch>"),
        ("<benchmark>.training", "as `<study>.training`", "required"),
        *(row for row in keys(benchmark_config.BenchmarkStudy, "<benchmark>") if ">.training." not in row[0]),
    ]
    if differing := {key for key, _, _ in found} ^ meanings.keys():
        sys.exit(f"docs/keys.yaml and the models of config differ in: {', '.join(sorted(differing))}")
    rows = ((f"`{key}`", what, default, meanings[key]) for key, what, default in found)
    return table(("key", "valid", "if left out", "meaning"), rows)


def rules() -> str:
    """Which rule's files go into which rule, in Mermaid, from the plan that the rules themselves follow."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    jobs = Plan(config.validate(values))
    arrows: dict[tuple[str, str], bool] = {}  # whether it leads back to a rule whose files the first one has read
    for job in jobs.jobs.values():
        for path in job.all_inputs:
            arrow = (jobs.maker[path].rule, job.rule)
            arrows.setdefault(arrow, arrow[::-1] in arrows or arrow[0] == arrow[1])
    # An arrow that a longer way implies is left out: a joint table reads nearly everything.
    graph = networkx.transitive_reduction(networkx.DiGraph(arrow for arrow, back in arrows.items() if not back))
    edges = [*sorted(graph.edges), *sorted(arrow for arrow, back in arrows.items() if back)]
    return "\n".join(["```mermaid", "flowchart LR", *(f"    {a} --> {b}" for a, b in edges), "```"])


PARTS: dict[str, Callable[[], str]] = {f"schema:{name}": partial(schema, name) for name in SCHEMAS}
PARTS |= {"config": config_keys, "rules": rules}


def regenerate(text: str) -> str:
    """The document with every generated part made anew."""
    return REGION.sub(lambda m: f"<!-- begin {m['name']} -->\n\n{PARTS[m['name']]()}\n\n<!-- end -->", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    check = parser.parse_args().check
    old = {name: (ROOT / name).read_text(encoding="utf-8") for name in FILES}
    if missing := PARTS.keys() - {match["name"] for text in old.values() for match in REGION.finditer(text)}:
        places = " ".join(f"<!-- begin {name} --><!-- end -->" for name in sorted(missing))
        sys.exit(f"put this where it belongs, in {' or '.join(FILES)}: {places}")
    new = {name: regenerate(text) for name, text in old.items()}
    stale = [name for name in FILES if new[name] != old[name]]
    if not check:
        for name in stale:
            (ROOT / name).write_text(new[name], encoding="utf-8")
    if stale:
        print(("out of date, run `make docs`: " if check else "rewrote ") + ", ".join(stale))
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
