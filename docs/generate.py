"""Writes the generated parts of the documentation, each from the one place that knows it (`make docs`).

A generated part stands between `<!-- begin NAME -->` and `<!-- end -->` in README.md or docs/files.md; the text around
it is written by hand. With --check nothing is written, and the exit status says whether anything would change.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from winnow.schemas import SCHEMAS  # noqa: E402

FILES = ("README.md", "docs/files.md")
REGION = re.compile(r"<!-- begin (?P<name>\S+) -->.*?<!-- end -->", re.DOTALL)


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; pipes inside cells are escaped."""
    lines = [header, ("---",) * len(header), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def schema(name: str) -> str:
    return table(("column", "meaning"), ((f"`{column}`", text) for column, text in SCHEMAS[name].items()))


PARTS = {f"schema:{name}": lambda name=name: schema(name) for name in SCHEMAS}


def regenerate(text: str) -> str:
    """The document with every generated part made anew."""

    def part(match: re.Match[str]) -> str:
        make = PARTS.get(match["name"])
        return f"<!-- begin {match['name']} -->\n\n{make()}\n\n<!-- end -->" if make else match.group()

    return REGION.sub(part, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    check = parser.parse_args().check
    seen: set[str] = set()
    stale = []
    for name in FILES:
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        seen.update(m["name"] for m in REGION.finditer(old))
        new = regenerate(old)
        if new != old:
            stale.append(name)
            if not check:
                path.write_text(new, encoding="utf-8")
    if missing := sorted(PARTS.keys() - seen):
        sys.exit(f"no document has a place for: {', '.join(missing)}")
    if stale:
        print(("out of date, run `make docs`: " if check else "rewrote ") + ", ".join(stale))
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
