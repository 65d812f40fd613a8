"""What surrounds the code agrees with itself: pyproject.toml, constraints, conda environments, hooks, tracked files."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIME = [Requirement(text) for text in PROJECT["dependencies"]]
CONDA_NAMES = {"pytorch-cpu": "torch", "pytorch-gpu": "torch", "matplotlib-base": "matplotlib"}


def tracked() -> list[Path]:
    answer = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in answer.stdout.split("\0") if name and (ROOT / name).is_file()]


def pins() -> dict[str, Version]:
    lines = (ROOT / "envs/constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    found = {canonicalize_name(name): Version(version) for name, version in pairs}
    assert len(found) == len(pairs), "a package is pinned twice"
    return found


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_conda_environments_ask_for_the_packages_and_ranges_of_pyproject(name: str) -> None:
    environment = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text(encoding="utf-8"))
    asked = {}
    for text in environment["dependencies"]:
        package, ranges = text.split(maxsplit=1)
        asked[CONDA_NAMES.get(package, package)] = Requirement(f"x{ranges}").specifier
    wanted = {r.name: r.specifier for r in RUNTIME if r.name != "snakemake"}  # Snakemake calls the environment
    wanted["python"] = Requirement(f"x{PROJECT['requires-python']}").specifier
    assert asked == wanted
    assert f"pytorch-{name}" in " ".join(environment["dependencies"])


def test_every_dependency_is_pinned_within_its_range() -> None:
    pinned = pins()
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    for requirement in [*RUNTIME, *map(Requirement, extras)]:
        version = pinned[canonicalize_name(requirement.name)]
        assert version in requirement.specifier, f"{requirement} does not allow the pinned {version}"


def test_no_pin_names_a_local_build() -> None:
    assert [f"{name}=={version}" for name, version in pins().items() if version.local] == []


def test_plugin_packages_stay_empty() -> None:
    files = sorted((ROOT / "winnow").glob("*/__init__.py"))
    assert len(files) >= 7
    assert [str(path) for path in files if path.stat().st_size] == []


def test_installation_names_no_host_and_no_index() -> None:
    for name in ("pyproject.toml", "Makefile", ".ci/run", "envs/constraints.txt", "envs/cpu.yaml", "envs/gpu.yaml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"://|index-url|find-links|trusted-host", text), name


def test_tracked_files_hold_no_path_of_one_machine() -> None:
    machine = re.compile(r"(?<![\w.~$})/-])/(?:root|work|home|opt|mnt|Users|scratch)/[\w.]")
    assert machine.search("see /ho" + "me/ann/x")  # the pattern does find one
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {hit.group()}" for hit in machine.finditer(text)]
    assert found == []


def test_nothing_generated_is_tracked() -> None:
    suffixes = {".safetensors", ".npy", ".pt", ".pth", ".gz", ".pyc"}
    names = [path.relative_to(ROOT) for path in tracked()]
    assert [str(n) for n in names if n.parts[0] in {"results", ".venv", ".snakemake"} or n.suffix in suffixes] == []


def test_hooks_are_local() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in hooks["repos"]] == ["local"]


def test_ci_runs_what_the_readme_says() -> None:
    commands = [line.split("<")[0].strip() for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()]
    assert [command for command in commands if command.startswith("make")] == ["make test", "make test-slurm"]
    assert "\nmake test " in (ROOT / "README.md").read_text(encoding="utf-8")
