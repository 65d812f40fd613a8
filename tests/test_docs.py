"""The documentation agrees with the code: generated parts, names of targets and programs, links."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_generated_parts_are_current() -> None:
    answer = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_readme_and_makefile_name_the_same_targets() -> None:
    listed = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+(?:-[a-z]+)*)", README, re.MULTILINE))
    assert named <= listed
    assert listed - named <= {"help", "env"}
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(phony.group(1).split()) == listed


def test_readme_names_programs_that_exist() -> None:
    programs = set(re.findall(r"workflow_scripts/\w+\.py", README + MAKEFILE))
    assert len(programs) >= 4
    assert [name for name in sorted(programs) if not (ROOT / name).is_file()] == []


def test_readme_names_targets_that_exist() -> None:
    rules = "\n".join(
        path.read_text(encoding="utf-8") for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    )
    section = README.split("| target | makes |")[1].split("\n\n")[0]
    targets = re.findall(r"^\| `(\w+)`", section, re.MULTILINE)
    assert len(targets) >= 6
    assert [name for name in targets if not re.search(rf"^\s*rule {name}:", rules, re.MULTILINE)] == []


def test_readme_lists_every_preset_with_its_results() -> None:
    listed = set(re.findall(r"^\| `(presets/\w+\.yaml)` \|.*\| `(.+)/` \|$", README, re.MULTILINE))
    presets = {path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "presets").glob("*.yaml")}
    assert listed == {(f"presets/{path.name}", values["pathvars"]["results"]) for path, values in presets.items()}


@pytest.mark.parametrize("path", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert broken == []
