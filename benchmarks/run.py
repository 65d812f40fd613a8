"""Runs the benchmarks and keeps their tables in docs/benchmarks.md, with the machine named (`make bench`).

Each other program in this folder is one benchmark: it prints a Markdown table on standard output, and whatever it has
to say meanwhile on standard error. The first line of its docstring opens its section. Benchmarks that are not named on
the command line keep the section they have.
"""

import argparse
import ast
import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/benchmarks.md"
UNASKED = ("gpu", "report")  # what needs a GPU, and what needs an hour of jobs before it
INTRODUCTION = """# Benchmarks

Written by `make bench`; one section alone: `make bench BENCH=name`. Both sides of a ratio are measured in the same run
on the same machine, so the ratio says more than the times beside it. These are measurements, not tests.
"""


def machine() -> str:
    """Processor, cores, memory, system and versions, in one line."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists() and (model := re.search(r"model name\s*:\s*(.+)", info.read_text())):
        cpu = model.group(1)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "numpy", "snakemake"))
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()}, Python {platform.python_version()}, "
        f"{versions}; {datetime.date.today().isoformat()}"
    )


def section(program: Path) -> str:
    """Runs one benchmark and returns its section of the page."""
    docstring = ast.get_docstring(ast.parse(program.read_text(encoding="utf-8"))) or program.stem
    print(f"{program.stem} ...", file=sys.stderr, flush=True)
    answer = subprocess.run([sys.executable, program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        sys.exit(f"{program.name} failed; {PAGE.relative_to(ROOT)} keeps its old section")
    print(answer.stdout, flush=True)
    heading = docstring.splitlines()[0].rstrip(".")
    return f"## {program.stem}\n\n{heading}.\n\n{answer.stdout.strip()}\n\nMachine: {machine()}.\n"


def main() -> None:
    programs = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.py")) if path.stem != "run"}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = f"{', '.join(programs)} (default: all but {' and '.join(UNASKED)})"
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which benchmarks: {known}")
    names = parser.parse_args().names or [name for name in programs if name not in UNASKED]
    if unknown := set(names) - programs.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(programs)}")
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    sections = {text.split("\n", 1)[0]: f"## {text.strip()}\n" for text in old.split("\n## ")[1:]}
    for name in names:
        sections[name] = section(programs[name])
        page = "\n".join([INTRODUCTION, *(sections[key] for key in programs if key in sections)])
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
