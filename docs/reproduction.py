"""Writes the measured numbers of docs/reproduction.md from the tables of an actual run, so that none is typed in.

    python docs/reproduction.py results                    # or the results folder of a preset
    python docs/reproduction.py results sweep              # one part only

A generated part stands between `<!-- begin NAME -->` and `<!-- end -->`; the text around it is written by hand.
"""

import csv
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).resolve().parent / "reproduction.md"
REGION = re.compile(r"<!-- begin (?P<name>\S+) -->.*?<!-- end -->", re.DOTALL)
# Test accuracy in percent, one run each: at epoch 20, and the mean of the last five epochs (of `seed_procedure`: of the
# four epochs at its last density), from the metrics that the seed study published (see the page).
PUBLISHED = {
    ("gd", "dense"): ("GD dense, rate 0.022", 89.08, 89.13),
    ("eg", "dense"): ("EG dense, rate 0.7", 88.99, 88.73),
    ("gd", "seed_procedure"): ("GD `seed_procedure`, 72.4 % removed", 88.55, 88.16),
    ("eg", "seed_procedure"): ("EG `seed_procedure`, 72.4 % removed", 87.28, 87.21),
}
Rows = list[dict[str, str]]


def read(study: Path, name: str) -> Rows:
    """A joint table, or no rows if it was not made."""
    path = study / "tables" / f"{name}.csv"
    return list(csv.DictReader(path.open())) if path.exists() else []


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    lines.insert(1, ("---",) + ("---:",) * (len(lines[0]) - 1))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(values: list[str]) -> str:
    """Mean in percent over the seeds that have a value."""
    numbers = [100 * float(value) for value in values if value]
    return f"{sum(numbers) / len(numbers):.2f}" if numbers else "diverged"


def last_level(rounds: Rows, arm: str, recipe: str) -> Rows:
    """The rows (one per seed) of the sparsest density that the recipe trained."""
    mine = [row for row in rounds if (row["arm"], row["recipe"]) == (arm, recipe)]
    return [row for row in mine if row["round"] == max((r["round"] for r in mine), key=int)]


def published(study: Path) -> str:
    """Published against measured."""
    lines = []
    for (arm, recipe), (label, accuracy, mean) in PUBLISHED.items():
        found = last_level(read(study, "rounds"), arm, recipe)
        measured = percent([row["test_accuracy"] for row in found]) if found else "not run"
        mean5 = percent([row["test_accuracy_mean5"] for row in found]) if found else "not run"
        differences = [
            f"{float(ours) - theirs:+.2f}" if ours[0].isdigit() else ""
            for ours, theirs in ((measured, accuracy), (mean5, mean))
        ]
        lines.append(
            (label, f"{accuracy:.2f}", measured, differences[0], f"{mean:.2f}", mean5, differences[1], str(len(found)))
        )
    last, mean = "last epoch", "mean of last epochs"
    return table(
        (
            "run",
            f"{last}, published",
            "measured",
            "difference",
            f"{mean}, published",
            "measured",
            "difference",
            "seeds",
        ),
        lines,
    )


def rounds(study: Path) -> str:
    """Our own protocol, round by round, and its controls."""
    found = read(study, "rounds")
    dense = {arm: percent([r["test_accuracy"] for r in found if (r["arm"], r["recipe"]) == (arm, "dense")]) for arm in
             dict.fromkeys(row["arm"] for row in found)}  # fmt: skip
    lines = []
    for arm, recipe, number in dict.fromkeys((row["arm"], row["recipe"], row["round"]) for row in found):
        if recipe == "seed_procedure":
            continue
        mine = [r for r in found if (r["arm"], r["recipe"], r["round"]) == (arm, recipe, number)]
        last, mean5 = percent([r["test_accuracy"] for r in mine]), percent([r["test_accuracy_mean5"] for r in mine])
        against = f"{float(last) - float(dense[arm]):+.2f}" if "diverged" not in (last, dense[arm]) else ""
        lines.append(
            (f"{arm} {recipe}", number, f"{float(mine[0]['density']):.3f}", last, mean5, against, str(len(mine)))
        )
    header = ("arm and recipe", "round", "density", "last epoch", "last five", "against our dense run", "seeds")
    return table(header, lines)


def sweep(study: Path) -> str:
    """The learning-rate sweep on the 55,000/5,000 split."""
    lines = [
        (
            row["arm"], row["lr"], f"{float(row['selection_loss']):.4f}" if row["selection_loss"] else "diverged",
            percent([row["test_accuracy"]]), "chosen" if row["selected"] == "true" else "",
        )
        for row in read(study, "lr_sweep")
    ]  # fmt: skip
    header = ("arm", "learning rate", "validation loss, last 3 epochs", "test accuracy, last epoch", "selection")
    return table(header, lines)


def provenance(study: Path) -> str:
    """What ran it: versions, commit and time, from the runs' own records."""
    lines = []
    for path in sorted(study.glob("*/**/run.json")):
        run = json.loads(path.read_bytes())
        training = run["spec"].get("training", run["spec"])
        lines.append((
            str(path.parent.relative_to(study)), (run['commit'] or '')[:12], run["torch"], run["cpu"],
            training["precision"], run["matmul"], f"{run['train_seconds'] / 60:.1f}",
            f"{run['peak_memory_bytes'] / 1e9:.2f}",
        ))  # fmt: skip
    header = ("run", "commit", "torch", "processor", "precision", "matmul path", "minutes", "peak memory, GB")
    return table(header, lines)


PARTS = {"published": published, "rounds": rounds, "sweep": sweep, "provenance": provenance}


def main() -> None:
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(PARTS):
        sys.exit(f"{__doc__}\nParts: {', '.join(PARTS)}")
    study, wanted = Path(sys.argv[1]) / "gd_vs_eg", sys.argv[2:] or list(PARTS)

    def part(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- begin {name} -->\n\n{PARTS[name](study)}\n\n<!-- end -->" if name in wanted else match[0]

    PAGE.write_text(REGION.sub(part, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
