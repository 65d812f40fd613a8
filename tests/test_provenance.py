"""Digests, import closures, keys and ledger records."""

from __future__ import annotations

import argparse
import errno
import json
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from winnow import cli, plugins, provenance
from winnow.errors import UserError

ROOT = provenance.ROOT


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    provenance.forget()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write(
        tmp_path,
        {
            "winnow/__init__.py": "",
            "winnow/a.py": "from winnow import b\n",
            "winnow/b.py": "def f():\n    import winnow.sub.c\n",
            "winnow/sub/__init__.py": "",
            "winnow/sub/c.py": "from . import d\nfrom ..e import E\n",
            "winnow/sub/d.py": "import os\nimport winnowing\n",
            "winnow/e.py": (
                "from typing import TYPE_CHECKING\n"
                "if TYPE_CHECKING:\n    from winnow import types_only\n"
                "else:\n    from winnow import other\n"
                "E = 1\n"
            ),
            "winnow/other.py": "",
            "winnow/types_only.py": "",
            "winnow/alone.py": "",
            "winnow/criteria/__init__.py": "",
            "winnow/criteria/magnitude.py": "",
            "workflow_scripts/x.py": "from winnow.a import b\n",
        },
    )
    return tmp_path


class TestDigest:
    original = '"""Doc."""\n\n\ndef f(x: int) -> int:\n    """What."""\n    return x + 1\n'

    @pytest.mark.parametrize(
        "same",
        [
            '"""Another."""\n# a comment\ndef f(x: int) -> int:  # here, too\n    return (x\n            + 1)\n',
            "def f(x: int) -> int:\n    '''x'''\n    return x + 1\n",
        ],
    )
    def test_comments_docstrings_and_layout_are_free(self, tmp_path: Path, same: str) -> None:
        write(tmp_path, {"a.py": self.original, "b.py": same})
        assert provenance.digest(tmp_path / "a.py") == provenance.digest(tmp_path / "b.py")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("+ 1", "+ 2"),
            ("+ 1", "+ 1.0"),
            ("+ 1", "- 1"),
            ("f(x", "g(x"),
            ("x + 1", "x + 1, 'text'"),
            ("int)", "int=0)"),
        ],
    )
    def test_code_is_not(self, tmp_path: Path, old: str, new: str) -> None:
        assert old in self.original
        write(tmp_path, {"a.py": self.original, "b.py": self.original.replace(old, new)})
        assert provenance.digest(tmp_path / "a.py") != provenance.digest(tmp_path / "b.py")

    def test_broken_python_is_named(self, tmp_path: Path) -> None:
        write(tmp_path, {"a.py": "def f(:\n"})
        with pytest.raises(UserError, match=r"a\.py is not valid Python: .* in line 1"):
            provenance.digest(tmp_path / "a.py")


class TestSources:
    def test_closure_of_a_program_and_its_plugins(self, tree: Path) -> None:
        found = provenance.sources("workflow_scripts/x.py", [("criteria", "magnitude")], tree)
        assert sorted(found) == [
            "winnow/__init__.py",
            "winnow/a.py",
            "winnow/b.py",
            "winnow/criteria/__init__.py",
            "winnow/criteria/magnitude.py",
            "winnow/e.py",
            "winnow/other.py",
            "winnow/sub/__init__.py",
            "winnow/sub/c.py",
            "winnow/sub/d.py",
            "workflow_scripts/x.py",
        ]

    def test_missing_source_is_named(self, tree: Path) -> None:
        with pytest.raises(UserError, match=r"winnow/criteria/none\.py does not exist"):
            provenance.sources("workflow_scripts/x.py", [("criteria", "none")], tree)

    def test_config_is_in_no_closure(self) -> None:
        files = [
            *ROOT.glob("workflow_scripts/*.py"),
            *(f for k in plugins.KINDS for f in ROOT.glob(f"winnow/{k}/*.py")),
        ]
        files = [file for file in files if file.name != "why.py"]
        assert files
        for file in files:
            names = {found.relative_to(ROOT).as_posix() for found in provenance.closure(file)}
            assert not (names - provenance.NOT_A_SOURCE) & {
                f"winnow/{n}.py"
                for n in ("config", "fields", "options", "jobs", "plan", "study_checks", "study_plan", "why")
            }, file


@pytest.mark.parametrize("file", sorted(f.name for f in ROOT.glob("workflow_scripts/*.py")) or ["none"])
def test_static_closure_covers_real_imports(file: str) -> None:
    """Importing a program loads no file of winnow/ that its static closure misses."""
    if file == "none":
        pytest.skip("no programs")
    code = (
        "import runpy, sys, json\n"
        f"runpy.run_path('workflow_scripts/{file}', run_name='imported')\n"
        "loaded = [m for name, m in sys.modules.items() if name.partition('.')[0] == 'winnow']\n"
        "from winnow import provenance\n"
        "sys.modules = {m.__name__: m for m in loaded}\n"
        "print(json.dumps(sorted(provenance.loaded_files())))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    static = {found.relative_to(ROOT).as_posix() for found in provenance.closure(ROOT / "workflow_scripts" / file)}
    assert set(json.loads(out)) - static <= {"winnow/__init__.py", "winnow/errors.py", *provenance.NOT_A_SOURCE}


def test_key_depends_on_everything_and_on_no_order() -> None:
    base = provenance.job_key({"a": 1, "b": 2}, {"f": "1"}, ["x", "y"])
    assert base == provenance.job_key({"b": 2, "a": 1}, {"f": "1"}, ["y", "x"])
    others = [
        provenance.job_key({"a": 1, "b": 3}, {"f": "1"}, ["x", "y"]),
        provenance.job_key({"a": 1, "b": 2}, {"f": "2"}, ["x", "y"]),
        provenance.job_key({"a": 1, "b": 2}, {"f": "1"}, ["x", "z"]),
    ]
    assert len({base, *others}) == 4


class TestLedger:
    def parse(self, tmp_path: Path, *further: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        provenance.arguments(parser)
        workflow = ["--key", "k", "--ledger", str(tmp_path / "ledger/dense/x.json")]
        return parser.parse_args(["--spec", '{"lr": "0.7"}', *workflow, *further])

    def test_record_is_current_only_between_finish_and_the_next_start(self, tmp_path: Path) -> None:
        args = self.parse(tmp_path)
        assert not provenance.is_current(args.ledger, "k")
        assert provenance.start(args) == {"lr": "0.7"}
        assert not provenance.is_current(args.ledger, "k")
        provenance.finish(args, [tmp_path / "out.csv"])
        assert provenance.is_current(args.ledger, "k")
        assert not provenance.is_current(args.ledger, "other")
        record = provenance.read_record(args.ledger)
        assert record is not None
        assert record["spec"] == {"lr": "0.7"}
        assert record["outputs"] == [str(tmp_path / "out.csv")]
        provenance.start(args)
        assert not provenance.is_current(args.ledger, "k")
        assert [file.name for file in args.ledger.parent.iterdir()] == ["x.json"]

    def test_an_older_job_that_ends_later_leaves_no_current_record(self, tmp_path: Path) -> None:
        older = self.parse(tmp_path)
        newer = self.parse(tmp_path, "--key", "newer")
        provenance.start(older)
        provenance.start(newer)
        provenance.finish(newer, [])
        with pytest.raises(UserError, match=r"begun again .* \(newer\)"):
            provenance.finish(older, [])
        assert not provenance.is_current(older.ledger, "k")
        assert not provenance.is_current(older.ledger, "newer")

    def test_edited_source_is_refused_before_anything_is_marked(self, tmp_path: Path) -> None:
        good = provenance.digest(ROOT / "winnow/seeds.py")
        provenance.start(self.parse(tmp_path, "--sources", json.dumps({"winnow/seeds.py": good})))
        args = self.parse(tmp_path / "2", "--sources", json.dumps({"winnow/seeds.py": "old"}))
        with pytest.raises(UserError, match=r"winnow/seeds\.py was edited after"):
            provenance.start(args)
        assert not args.ledger.exists()

    def test_by_hand_nothing_is_recorded(self, tmp_path: Path) -> None:
        parser = argparse.ArgumentParser()
        provenance.arguments(parser)
        (tmp_path / "spec.json").write_text('{"a": 1}')
        args = parser.parse_args(["--spec", f"@{tmp_path / 'spec.json'}"])
        assert provenance.start(args) == {"a": 1}
        provenance.finish(args, [])
        assert [file.name for file in tmp_path.iterdir()] == ["spec.json"]

    def test_unreadable_record_counts_as_none(self, tmp_path: Path) -> None:
        (tmp_path / "r.json").write_text('{"key": "k", "fini')
        assert provenance.read_record(tmp_path / "r.json") is None
        assert not provenance.is_current(tmp_path / "r.json", "k")

    def test_undeclared_import_of_a_program_is_an_error(self, tmp_path: Path) -> None:
        """A program that loads a plug-in its key does not cover must fail, not make results that never go stale."""
        script = tmp_path / "workflow_scripts/x.py"
        write(
            tmp_path,
            {
                "workflow_scripts/x.py": (
                    "import argparse, sys\nfrom winnow import provenance\n"
                    "parser = argparse.ArgumentParser()\nprovenance.arguments(parser)\nargs = parser.parse_args()\n"
                    "provenance.start(args)\nimport winnow.seeds\nprovenance.finish(args, [])\n"
                )
            },
        )
        call = [sys.executable, str(script), "--key", "k", "--ledger", str(tmp_path / "l.json"), "--sources"]
        covered = {
            f"winnow/{n}.py": provenance.digest(ROOT / f"winnow/{n}.py")
            for n in ("__init__", "atomic", "errors", "seeds")
        }
        run = subprocess.run([*call, json.dumps(covered)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False)
        assert run.returncode == 0
        del covered["winnow/seeds.py"]
        run = subprocess.run(
            [*call, json.dumps(covered)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False, capture_output=True
        )
        assert b"not covered by the job's key: winnow/seeds.py" in run.stderr


def test_a_stale_pyc_is_never_run(tmp_path: Path) -> None:
    """A source edited within a second and at the same size: Python would take the .pyc of before for current."""
    shutil.copytree(ROOT / "winnow", tmp_path / "winnow", ignore=shutil.ignore_patterns("__pycache__"))
    program, module = tmp_path / "workflow_scripts/x.py", tmp_path / "winnow/measures/_edited.py"
    files = {
        program: (
            "import argparse\nfrom winnow import provenance\nfrom winnow.measures import _edited\n"
            "parser = argparse.ArgumentParser()\nprovenance.arguments(parser)\nargs = parser.parse_args()\n"
            "provenance.start(args)\nprovenance.finish(args, [])\nprint(_edited.VALUE)\n"
        ),
        module: "VALUE = 1\n",
    }
    write(tmp_path, {str(path): text for path, text in files.items()})
    os.utime(module, (1e9, 1e9))
    py_compile.compile(str(module), doraise=True)
    write(tmp_path, {str(module): "VALUE = 2\n"})
    os.utime(module, (1e9, 1e9))
    sources = json.dumps(provenance.sources("workflow_scripts/x.py", root=tmp_path))
    command = [sys.executable, str(program), "--key", "k", "--ledger", str(tmp_path / "l.json"), "--sources", sources]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == "2\n"


class TestCli:
    def test_user_error_is_one_paragraph(self, capsys: pytest.CaptureFixture[str]) -> None:
        def main() -> None:
            raise UserError("rate is 0. " + "It must be above 0. " * 10)

        with pytest.raises(SystemExit) as stopped:
            cli.run(main)
        assert stopped.value.code == 1
        text = capsys.readouterr().err
        assert text.startswith("Error: rate is 0.")
        assert "Traceback" not in text
        assert max(map(len, text.splitlines())) <= 100

    def test_a_disk_that_refuses_a_file_is_one_paragraph(self, capsys: pytest.CaptureFixture[str]) -> None:
        def main() -> None:
            raise OSError(errno.ENOSPC, "No space left on device", "results/a.csv")

        with pytest.raises(SystemExit) as stopped:
            cli.run(main)
        assert stopped.value.code == 1
        text = " ".join(capsys.readouterr().err.split())
        assert text.startswith("Error: results/a.csv could not be opened or written: No space left on device.")
        assert "`make clean-store`" in text

    @pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), FileNotFoundError(errno.ENOENT, "x")])
    def test_other_errors_of_the_system_pass(self, fault: OSError) -> None:
        def main() -> None:
            raise fault

        with pytest.raises(OSError, match=str(fault.strerror)):
            cli.run(main)

    def test_other_errors_pass(self) -> None:
        def main() -> None:
            raise RuntimeError("a fault of the program")

        with pytest.raises(RuntimeError, match="fault"):
            cli.run(main)
