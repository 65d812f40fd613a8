"""What a result was made from: digests of source files, keys of jobs, and the ledger.

A job's *key* is a hash of its spec, of the digests of the source files it uses and of the keys of the jobs it reads.
A digest covers the syntax tree without docstrings, so comments and docstrings are free. The *ledger* holds, per job,
the key under which its outputs were made; a record that is missing, unfinished or has another key means: stale.
Why it is built this way stands in docs/decisions/0002-keys-and-ledger.md.
"""

from __future__ import annotations

import argparse
import ast
import functools
import hashlib
import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from winnow import atomic, pulse, syntax
from winnow.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
# They carry arguments in, errors and signs of life out, and cannot change a result.
NOT_A_SOURCE = frozenset(f"winnow/{name}.py" for name in ("cli", "options", "provenance", "pulse", "syntax"))
# They keep or show a training's result, and cannot change it either.
NOT_IN_RESULT = frozenset(
    f"winnow/{name}.py" for name in ("atomic", "clock", "progress", "progress_file", "schemas", "store")
)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(node: Any) -> Any:
    """The syntax tree as nested lists, without positions, docstrings and empty fields (they differ between Pythons)."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            fields["body"] = node.body[1:]
    return [type(node).__name__, *[(k, _plain(v)) for k, v in fields.items() if v is not None and v != []]]


def digest(file: Path) -> str:
    """Hash of a source file's syntax tree without docstrings; UserError if it cannot be parsed."""
    return _digest(file)


@functools.cache
def _digest(file: Path) -> str:
    return _hash(repr(_plain(syntax.tree(file))))


def forget() -> None:
    """Read the source files anew at the next question (they are read once per process otherwise)."""
    syntax.forget()
    for cached in (_digest, _modules, closure):
        cached.cache_clear()


def _is_type_checking(test: ast.expr) -> bool:
    return getattr(test, "id", None) == "TYPE_CHECKING" or getattr(test, "attr", None) == "TYPE_CHECKING"


def _import_statements(body: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import, also inside functions, except those for type checkers only. Expressions cannot hold one."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            yield from _import_statements(node.orelse)
        elif isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            for part in ("body", "orelse", "handlers", "finalbody", "cases"):
                yield from _import_statements(getattr(node, part, ()))


@functools.cache
def _modules(file: Path, root: Path) -> tuple[str, ...]:
    """Dotted names that a file imports and that may be modules of the package (`from a import b`: a and a.b)."""
    package = file.relative_to(root).with_suffix("").parts[:-1]
    found: list[str] = []
    for statement in _import_statements(syntax.tree(file).body):
        if isinstance(statement, ast.Import):
            found.extend(alias.name for alias in statement.names)
            continue
        above = package[: len(package) - statement.level + 1] if statement.level else ()
        base = ".".join([*above, *([statement.module] if statement.module else [])])
        found.append(base)
        found.extend(f"{base}.{alias.name}" for alias in statement.names)
    return tuple(name for name in dict.fromkeys(found) if name.partition(".")[0] == "winnow")


def _files(module: str, root: Path) -> Iterator[Path]:
    """The files that importing `winnow.a.b` runs: the package initialisers on the way and the module."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:depth])
        if (path / "__init__.py").is_file():
            yield path / "__init__.py"
        elif path.with_suffix(".py").is_file():
            yield path.with_suffix(".py")
            return
        else:
            return


@functools.cache
def closure(file: Path, root: Path = ROOT) -> frozenset[Path]:
    """`file` and every file inside winnow/ that it imports, directly or not, read from the source alone."""
    seen: set[Path] = set()
    waiting = [file]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            for module in _modules(current, root):
                waiting.extend(_files(module, root))
    return frozenset(seen)


def sources(program: str, plugins: Iterable[tuple[str, str]] = (), root: Path = ROOT) -> dict[str, str]:
    """{relative path: digest} of a program, of the plug-ins (kind, name) it loads, and of all that they import."""
    files: set[Path] = set()
    for start in (program, *(f"winnow/{kind}/{name}.py" for kind, name in plugins)):
        if not (root / start).is_file():
            raise UserError(f"The source file {start} does not exist.")
        files |= closure(root / start, root)
        if start.startswith("winnow/"):  # importing it runs the initialisers of its packages
            files.update(_files(start.removesuffix(".py").replace("/", "."), root))
    found = {file.relative_to(root).as_posix(): file for file in files}
    return {name: _digest(found[name]) for name in sorted(found) if name not in NOT_A_SOURCE}


def job_key(spec: Mapping[str, Any], sources: Mapping[str, str], parents: Iterable[str] = ()) -> str:
    """16 hex digits that change with the spec, a source digest, or the key of a job that is read."""
    return _hash(canonical([spec, sources, sorted(parents)]))


def result_key(
    spec: Mapping[str, Any],
    program: str,
    plugins: Iterable[tuple[str, str]],
    dataset: Mapping[str, Any],
    inputs: Iterable[str] = (),
) -> str:
    """The key under which a training's result is kept: 16 hex digits that change with all that decides it.

    That is the spec, the sources of `program` and its plug-ins less those that only keep or show a result, the
    checksums of the packed data set (`dataset`: its dataset.json), and digests of other `inputs`.
    """
    deciding = {name: digest for name, digest in sources(program, plugins).items() if name not in NOT_IN_RESULT}
    checksums = hashlib.sha256(canonical(dataset["files"]).encode()).hexdigest()
    return job_key(spec, deciding, [*inputs, checksums])


def read_record(ledger: str | Path) -> dict[str, Any] | None:
    """A job's record {"key", "spec", "sources", "outputs", "finished"}; None if there is none that can be read."""
    try:
        record = json.loads(Path(ledger).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    types = {"key": str, "spec": dict, "sources": dict, "outputs": list, "finished": bool}
    whole = isinstance(record, dict) and all(isinstance(record.get(name), kind) for name, kind in types.items())
    return record if whole else None


def is_current(ledger: str | Path, key: str) -> bool:
    """Whether the job's outputs were made, completely, under this key."""
    record = read_record(ledger)
    return record is not None and record.get("finished") is True and record.get("key") == key


def _write_record(ledger: Path, record: Mapping[str, Any]) -> None:
    atomic.write(ledger, (canonical(record) + "\n").encode())


def _json(text: str) -> Any:
    try:
        value = json.loads(Path(text[1:]).read_bytes() if text.startswith("@") else text)
    except (OSError, ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("not a JSON object, such as '{\"key\": 1}'")
    return value


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add --spec, and what only the workflow passes: --key, --sources, --ledger."""
    parser.add_argument(
        "--spec", type=_json, default={}, metavar="JSON", help="the experimental values of this job, or @FILE"
    )
    workflow = parser.add_argument_group("passed by the workflow, not needed by hand")
    workflow.add_argument("--key", metavar="HASH", help="key of this job")
    workflow.add_argument("--sources", type=_json, default={}, metavar="JSON", help="digests of the source files")
    workflow.add_argument("--ledger", type=Path, metavar="FILE", help="record to write on success")


def start(args: argparse.Namespace) -> dict[str, Any]:
    """Import every source, check that the files are those the key was made from, mark the job begun; the spec.

    Importing first makes later imports inside functions harmless: an edit during the run reaches no running job.
    UserError names the edited file. Without --key only the spec is returned.
    """
    if args.key:
        if args.ledger and (path := pulse.of_job(args.ledger)):
            pulse.begin(path)
        for name in args.sources:
            if name.startswith("winnow/"):
                importlib.import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        forget()
        for name, expected in args.sources.items():
            file = ROOT / name
            if not file.is_file() or _digest(file) != expected:
                raise UserError(
                    f"{name} was edited after the workflow had been started, so this job would not be what its key "
                    "says. Run the same command again."
                )
        if args.ledger:
            _write_record(args.ledger, _record(args, [], finished=False))
    return dict(args.spec)


def finish(args: argparse.Namespace, outputs: Sequence[str | Path]) -> None:
    """Record that the outputs are complete under the job's key. Call it last. Without --key it does nothing.

    RuntimeError if the program imported a file of winnow/ that its key does not cover. UserError if the same job was
    begun under another key meanwhile (the workflow was killed, a source or value edited, the workflow started again):
    these outputs may have replaced the newer ones, so the newer record is marked unfinished.
    """
    if not args.key or not args.ledger:
        return
    if Path(getattr(sys.modules["__main__"], "__file__", None) or "").parent.name == "workflow_scripts":
        unknown = loaded_files() - set(args.sources) - NOT_A_SOURCE
        if unknown:
            raise RuntimeError(f"imported, but not covered by the job's key: {', '.join(sorted(unknown))}")
    newer = read_record(args.ledger)
    if newer is not None and newer.get("key") != args.key:
        _write_record(args.ledger, {**newer, "finished": False})
        raise UserError(
            f"This job ({args.key}) was begun again with other values or sources ({newer.get('key')}) while it ran, "
            "and may have overwritten newer files. Run the same command again: it makes them anew."
        )
    _write_record(args.ledger, _record(args, outputs, finished=True))


def _record(args: argparse.Namespace, outputs: Sequence[str | Path], finished: bool) -> dict[str, Any]:
    return {
        "key": args.key,
        "spec": args.spec,
        "sources": args.sources,
        "outputs": [str(path) for path in outputs],
        "finished": finished,
    }


def loaded_files() -> set[str]:
    """Relative paths of the winnow modules that this process has imported."""
    files = (
        getattr(module, "__file__", None)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == "winnow"
    )
    return {Path(file).resolve().relative_to(ROOT).as_posix() for file in files if file}
