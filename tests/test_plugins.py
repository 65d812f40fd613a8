"""Plug-ins are found by file name; errors list the names; constants are read without an import."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

from winnow import plugins
from winnow.errors import UserError


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_packages_of_plugins_have_an_empty_init(kind: str) -> None:
    assert (plugins.ROOT / kind / "__init__.py").read_bytes() == b""


EVERY = [(kind, name) for kind in plugins.KINDS for name in plugins.names(kind)]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_plugin_imports_and_says_what_it_is(kind: str, name: str) -> None:
    module = plugins.load(kind, name)
    assert module.__name__ == f"winnow.{kind}.{name}"
    assert module.__doc__, "the module docstring gives the idea and its source"
    assert name.isidentifier()
    assert name.islower()


@pytest.mark.parametrize(
    ("kind", "name"), [pair for pair in EVERY if pair[0] in ("models", "optimizers", "sparsifiers")]
)
def test_classes_are_found(kind: str, name: str) -> None:
    found = plugins.load_class(kind, name)
    assert found.__module__ == f"winnow.{kind}.{name}"


def test_names_are_sorted_and_private_files_left_out() -> None:
    for kind in plugins.KINDS:
        names = plugins.names(kind)
        assert names == sorted(names)
        assert not [name for name in names if name.startswith("_")]
    assert "magnitude" in plugins.names("criteria")


def test_unknown_names_are_errors_with_the_valid_ones() -> None:
    with pytest.raises(
        UserError, match=r"'magnitud' among the criteria.*'magnitude'\?.*Valid names:.*movement, random"
    ):
        plugins.load("criteria", "magnitud")
    with pytest.raises(UserError, match=r"'zzz' among the criteria\. Valid names"):
        plugins.load("criteria", "zzz")
    for name in ("__init__", "../seeds", "", None, 3):
        with pytest.raises(UserError, match="Valid names"):
            plugins.path("criteria", name)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kind of plug-in 'criterion'"):
        plugins.names("criterion")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package winnow_test/criteria in place of winnow's."""
    (tmp_path / "winnow_test" / "criteria").mkdir(parents=True)
    monkeypatch.setattr(plugins, "ROOT", tmp_path / "winnow_test")
    return tmp_path / "winnow_test" / "criteria"


def test_a_new_file_is_a_new_name(folder: Path) -> None:
    assert plugins.names("criteria") == []
    (folder / "mine.py").touch()
    (folder / "_shared.py").touch()
    (folder / "__init__.py").touch()
    (folder / "notes.txt").touch()
    assert plugins.names("criteria") == ["mine"]


SOURCE = """
raise ImportError("imported")
TABLES = ("rounds", "summary")
NEEDS: tuple[str, ...] = ("weights",)
BEST: bool
A = B = 3
if True:
    INNER = 1
"""


def test_constants_are_read_without_an_import(folder: Path) -> None:
    (folder / "mine.py").write_text(SOURCE)
    assert plugins.constant("criteria", "mine", "TABLES") == ("rounds", "summary")
    assert plugins.constant("criteria", "mine", "NEEDS") == ("weights",)
    assert plugins.constant("criteria", "mine", "B") == 3
    assert plugins.constant("criteria", "mine", "BEST", False) is False
    assert plugins.constant("criteria", "mine", "INNER") is None
    (folder / "mine.py").write_text("TABLES = tuple(['rounds'])")
    with pytest.raises(ValueError, match="malformed"):
        plugins.constant("criteria", "mine", "TABLES")


@pytest.mark.parametrize("source", ["", "class A: ...\nclass B: ...", "from pathlib import Path\nclass _A: ..."])
def test_one_public_class_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    (tmp_path / "stand_in_module.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("stand_in_module")
    monkeypatch.setattr(plugins, "load", lambda kind, name: module)
    try:
        with pytest.raises(TypeError, match="exactly one public class"):
            plugins.load_class("models", "stand_in")
    finally:
        del sys.modules["stand_in_module"]


def test_no_plugin_file_registers_itself() -> None:
    """One new file is enough: plugins.py names no plug-in."""
    strings = {
        node.value for node in ast.walk(ast.parse(Path(plugins.__file__).read_text())) if isinstance(node, ast.Constant)
    }
    assert not strings & {name for _, name in EVERY}
