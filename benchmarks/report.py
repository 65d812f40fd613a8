"""The report of all default studies: its size, and the time to make it.

Its results have the shape of those of config.yaml, with next to no training (benchmarks/default_shape.yaml). Where they
are not there yet, they are made first: some 900 jobs, an hour or so of two cores, once.
"""

import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHAPE = "benchmarks/default_shape.yaml"
RESULTS = ROOT / "results/default_shape"
STUDIES = {"gd_vs_eg": "summary", "tickets": "summary", "optimizers": "outcomes", "scratch": "trials"}
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "all"]
REPEATS = 3


def made() -> bool:
    return all((RESULTS / study / f"tables/{table}.csv").exists() for study, table in STUDIES.items())


def generate(out: Path) -> tuple[float, float]:
    """(seconds, processor seconds) of the report's program."""
    command = [sys.executable, "workflow_scripts/report.py", "--results", RESULTS.relative_to(ROOT), "--out", out]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def parts(page: str) -> dict[str, int]:
    """Bytes of what is large in the page."""
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])
    size = {"charts": 0, "masks": 0}
    for study in data.values():
        for part in size:
            size[part] += len(json.dumps(study[part], separators=(",", ":")))
    figures = sum(map(len, re.findall(r'src="data:image/[^"]*"', page)))
    tables = sum(map(len, re.findall(r"<tbody>.*?</tbody>", page, re.DOTALL)))
    return {"figures": figures, "rows of tables": tables, "data of charts": size["charts"], "masks": size["masks"]}


def main() -> None:
    if not made():
        print(f"making {RESULTS.relative_to(ROOT)} first", file=sys.stderr)
        subprocess.run([*SNAKEMAKE, "--configfile", SHAPE], cwd=ROOT, check=True, stdout=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "index.html")
        times = [generate(out) for _ in range(REPEATS)]
        page = out.read_text(encoding="utf-8")
    wall, processor = (statistics.median(column) for column in zip(*times, strict=True))
    print("| the page about all studies of config.yaml | measured | at most |\n| --- | ---: | ---: |")
    print(f"| size | {len(page.encode()) / 1e6:.1f} MB | 10 MB |")
    for name, size in parts(page).items():
        print(f"| of which {name} | {size / 1e6:.1f} MB | |")
    print(f"| time to make it (median of {REPEATS}) | {wall:.1f} s | 20 s |")
    print(f"| processor time of that | {processor:.1f} s | |")
    rows, charts = page.count("<tr>"), page.count('<figure class="chart')
    print(f"\n{rows:,} rows of tables, {charts} charts, {page.count('<img')} figures.")


if __name__ == "__main__":
    main()
