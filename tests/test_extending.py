"""docs/extending.md is true: its examples, written into a copy of the package, pass the contract suites unchanged."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from winnow import plugins

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text()
EXAMPLES = dict(re.findall(r"```python\n# (winnow/\S+\.py)\n(.*?)```", TEXT, re.DOTALL))
SUITES = {
    "augmentations": "test_augmentations.py",
    "batch_schedules": "test_batch_schedules.py",
    "criteria": "test_criteria.py",
    "datasets": "test_data.py",
    "figures": "test_figures.py",
    "measures": "test_measures.py",
    "models": "test_models.py",
    "optimizers": "test_optimizers.py",
    "schedules": "test_schedules.py",
    "sparsifiers": "test_sparsifiers.py",
    "tables": "test_tables.py",
}


def test_every_kind_has_an_example() -> None:
    kinds = {Path(path).parent.name for path in EXAMPLES if path != "winnow/schemas.py"}
    assert kinds == set(plugins.KINDS) == set(SUITES)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's package and tests with the examples added."""
    folder = tmp_path_factory.mktemp("copy")
    for part in ("winnow", "tests", "docs", "workflow_scripts"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "config.yaml"):
        shutil.copy(ROOT / file, folder)
    for path, source in EXAMPLES.items():
        if path == "winnow/schemas.py":
            schemas = (folder / path).read_text()
            start = "SCHEMAS: dict[str, dict[str, str]] = {\n"
            assert start in schemas
            source = schemas.replace(start, start + source)
        else:
            assert not (folder / path).exists(), f"{path} exists: the example needs another name"
        (folder / path).write_text(source)
    return folder


def test_the_contract_suites_find_and_pass_every_example(copy: Path) -> None:
    """One new file is enough: no test, no registry, no other module is edited."""
    found = {Path(path).stem for path in EXAMPLES if path != "winnow/schemas.py"}
    suites = [f"tests/{suite}" for suite in SUITES.values()] + ["tests/test_plugins.py"]
    by_name = " or ".join(f"[{name} or -{name}" for name in found)
    # An optimiser's own formula, written as slowly as possible, is what its author adds to the suite.
    selection = f"({by_name}) and not test_follows_its_formula"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *suites, "-q", "-rA", "-p", "no:cacheprovider", "-k", selection],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.findall(r"^PASSED tests/(\w+\.py)::(\S+)", done.stdout, re.MULTILINE)
    for path in EXAMPLES:
        if path != "winnow/schemas.py":
            kind, name = Path(path).parent.name, Path(path).stem
            assert any(suite == SUITES[kind] and re.search(rf"[\[-]{name}\b", test) for suite, test in passed), path


VALIDATE = """
import sys, yaml
from winnow import config

def merge(old, new):
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: merge(old.get(key), value) for key, value in new.items()}}

overlay, full = yaml.safe_load(sys.stdin), yaml.safe_load(open("config.yaml"))
print(config.validate(merge(full, overlay)).model_dump_json())
"""


@pytest.mark.parametrize("overlay", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_config_accepts_every_example(copy: Path, overlay: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", VALIDATE], cwd=copy, input=overlay, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    named = [name for name in map(str, EXAMPLES) if re.search(rf"\b{Path(name).stem}\b", overlay)]
    assert named
    assert all(Path(name).stem in done.stdout for name in named)


def test_the_examples_are_clean(copy: Path) -> None:
    files = [path for path in EXAMPLES if path != "winnow/schemas.py"]
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *files],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
