"""Writes the measured numbers of docs/reproduction.md and docs/optimizers.md from the tables of an actual run.

    python docs/reproduction.py results                    # or the results folder of a preset
    python docs/reproduction.py results sweep              # one part only

Parts of a study that has no results there keep what they say.

A generated part stands between `<!-- begin NAME -->` and `<!-- end -->`; the text around it is written by hand.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import optimizer_parts
from markdown_tables import Rows, read, table

PAGES = [Path(__file__).resolve().parent / name for name in ("reproduction.md", "optimizers.md")]
REGION = re.compile(r"<!-- begin (?P<name>\S+) -->.*?<!-- end -->", re.DOTALL)
# Test accuracy in percent, one run each: at epoch 20, and the mean of the last five epochs (of `seed_procedure`: of the
# four epochs at its last density), from the metrics that the seed study published (see the page).
PUBLISHED = {
    ("gd", "dense"): ("GD dense, rate 0.022", 89.08, 89.13),
    ("eg", "dense"): ("EG dense, rate 0.7", 88.99, 88.73),
    ("gd", "seed_procedure"): ("GD `seed_procedure`, 72.4 % removed", 88.55, 88.16),
    ("eg", "seed_procedure"): ("EG `seed_procedure`, 72.4 % removed", 87.28, 87.21),
}


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


def records(study: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    """Every run's folder and run.json."""
    for path in sorted(study.glob("*/**/run.json")):
        yield str(path.parent.relative_to(study)), json.loads(path.read_bytes())


def precision(run: dict[str, Any]) -> str:
    """The number format that it was trained in."""
    return str(run["spec"].get("training", run["spec"])["precision"])


def provenance(study: Path) -> str:
    """What ran it: versions, commit and time, from the runs' own records."""
    lines = [
        (
            folder, (run["commit"] or "")[:12], run["torch"], run["cpu"], precision(run), run["matmul"],
            f"{run['train_seconds'] / 60:.1f}", f"{run['peak_memory_bytes'] / 1e9:.2f}",
        )
        for folder, run in records(study)
    ]  # fmt: skip
    header = ("run", "commit", "torch", "processor", "precision", "matmul path", "minutes", "peak memory, GB")
    return table(header, lines)


def ticket_provenance(study: Path) -> str:
    """The same of many short runs: those alike in one row."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for folder, run in records(study):
        key = (
            folder.split("/")[0],
            (run["commit"] or "")[:12],
            run["torch"],
            run["cpu"],
            precision(run),
            run["matmul"],
        )
        alike.setdefault(key, []).append(run)
    lines = [
        (*key, str(len(runs)), f"{sum(run['train_seconds'] for run in runs) / 60:.1f}")
        for key, runs in alike.items()
    ]  # fmt: skip
    return table(("arm", "commit", "torch", "processor", "precision", "matmul path", "jobs", "minutes in all"), lines)


def bars(rows: Rows, column: str, scale: float = 1, digits: int = 2) -> str:
    """Mean (least to largest) over the seeds that have a value."""
    numbers = [scale * float(row[column]) for row in rows if row[column]]
    if not numbers:
        return "diverged"
    mean = sum(numbers) / len(numbers)
    return f"{mean:,.{digits}f} ({min(numbers):,.{digits}f} to {max(numbers):,.{digits}f})"


def stages(study: Path) -> dict[tuple[str, str, int], Rows]:
    """The rows of table early_stop, one per seed, by arm, recipe and round."""
    found: dict[tuple[str, str, int], Rows] = {}
    for row in read(study, "early_stop"):
        found.setdefault((row["arm"], row["recipe"], int(row["round"])), []).append(row)
    return found


def tickets(study: Path) -> str:
    """Early stop and accuracy of every ticket and its controls."""
    lines = [
        (
            f"{arm} {recipe}", str(number), percent([row["density"] for row in rows]),
            bars(rows, "early_stop_iteration", digits=0), bars(rows, "test_accuracy", 100),
            bars(rows, "last_test_accuracy", 100), str(len(rows)),
        )
        for (arm, recipe, number), rows in stages(study).items()
    ]  # fmt: skip
    header = (
        "arm and recipe",
        "round",
        "kept, %",
        "early stop, iteration",
        "test accuracy there",
        "at the end",
        "seeds",
    )
    return table(header, lines)


def claims(study: Path) -> str:
    """The tickets against the dense run and against the same masks reinitialised, seed by seed."""
    found, lines = stages(study), []

    def by_seed(arm: str, recipe: str, number: int, column: str) -> dict[str, float]:
        rows = found.get((arm, recipe, number), [])
        return {row["seed"]: float(row[column]) for row in rows if row[column]}

    for arm, recipe, number in found:
        if recipe != "winning_ticket":
            continue
        kept = percent([row["density"] for row in found[arm, recipe, number]])
        cells = []
        for other, at in (("dense", 0), ("reinitialised", number), ("random_mask", number)):
            stop, accuracy = (
                (by_seed(arm, recipe, number, column), by_seed(arm, other, at, column))
                for column in ("early_stop_iteration", "test_accuracy")
            )
            seeds = sorted(set(stop[0]) & set(stop[1]))
            ratios = [{"value": str(stop[1][seed] / stop[0][seed])} for seed in seeds]
            gains = [{"value": str(100 * (accuracy[0][seed] - accuracy[1][seed]))} for seed in seeds]
            cells += [bars(ratios, "value") if seeds else "", bars(gains, "value") if seeds else ""]
        lines.append((arm, str(number), kept, *cells))
    header = (
        "arm", "round", "kept, %", "stops earlier than dense, times", "accuracy above dense, points",
        "than reinitialised, times", "above reinitialised, points", "than random, times", "above random, points",
    )  # fmt: skip
    return table(header, lines)


def instability(study: Path) -> str:
    """Linear mode connectivity of every round."""
    found: dict[tuple[str, str, int], Rows] = {}
    for row in read(study, "instability"):
        found.setdefault((row["arm"], row["recipe"], int(row["round"])), []).append(row)
    lines = [
        (
            f"{arm} {recipe}", str(number), percent([row["density"] for row in rows]),
            *(bars(rows, column, 100) for column in ("test_instability", "test_error", "train_instability")),
            str(len(rows)),
        )
        for (arm, recipe, number), rows in found.items()
    ]  # fmt: skip
    header = (
        "arm and recipe",
        "round",
        "kept, %",
        "test error between copies rises by, points",
        "their own test error, %",
        "training error between them rises by",
        "seeds",
    )
    return table(header, lines)


SETTINGS = (
    "num_layers", "hidden_size", "activation", "weight_init", "optimizer", "learning_rate", "batch_size", "epochs",
    "weight_decay",
)  # fmt: skip


def short(value: str) -> str:
    """A number with three digits; a name as it is."""
    try:
        return f"{float(value):.3g}"
    except ValueError:
        return value


def sweeps(study: Path) -> str:
    """Every sweep: its size, its cost, and its best configuration trained again."""
    trials, lines = read(study, "trials"), []
    for sweep in dict.fromkeys(row["sweep"] for row in trials):
        mine = [row for row in trials if row["sweep"] == sweep]
        again, finals = (
            [row for row in read(study, name) if row["sweep"] == sweep] for name in ("best_runs", "finalists")
        )
        chosen = [f"{100 * float(row[name]):.2f}" for row in finals[:1] for name in ("mean", "lowest", "highest")]
        checked = "{} ({} to {})".format(*chosen) if chosen else ""
        if not chosen and again[0]["train_on"] == "holdout":
            checked = bars(again, "validation_accuracy", 100)
        states = [row["state"] for row in mine]
        ended = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        best = max(float(row["validation_accuracy"]) for row in mine if row["state"] == "complete")
        lines.append(
            (
                sweep, ended, f"{sum(float(row['seconds']) for row in mine) / 60:.0f}",
                f"{max(float(row['finished']) for row in mine) / 60:.0f}", f"{100 * best:.2f}",
                ", ".join(f"{name} {short(again[0][name])}" for name in SETTINGS),
                checked, bars(again, "test_accuracy", 100), str(len(again)), again[0]["train_on"],
            )
        )  # fmt: skip
    header = (
        "sweep", "trials", "minutes of training", "minutes from first to last", "best validation accuracy, %",
        "setting that was chosen", "with fresh seeds: validation accuracy", "with five more: test accuracy", "seeds",
        "trained on",
    )  # fmt: skip
    return table(header, lines)


def finalists(study: Path) -> str:
    """The second stage: the best trials again with fresh seeds."""
    lines = [
        (
            row["sweep"], row["rank"], f"{100 * float(row['mean']):.2f}",
            f"{100 * float(row['lowest']):.2f} to {100 * float(row['highest']):.2f}", row["seeds"],
            f"{100 * float(row['trial_accuracy']):.2f} ({row['trial_rank']})",
            ", ".join(f"{name} {short(row[name])}" for name in SETTINGS),
        )
        for row in read(study, "finalists")
    ]  # fmt: skip
    header = (
        "sweep", "rank", "mean validation accuracy, %", "least to largest", "seeds", "its trial, % (rank)", "setting",
    )  # fmt: skip
    return table(header, lines)


def conclusions(study: Path) -> str:
    """What the first study concluded, in our trials."""

    def points(row: dict[str, str], *columns: str) -> str:
        cells = [f"{100 * float(row[column]):.2f}" if row[column] else "" for column in columns]
        return cells[0] + (f" [{cells[1]}, {cells[2]}]" if len(cells) > 1 and cells[1] else "")

    lines = [
        (
            row["sweep"], row["conclusion"], row["comparison"],
            f"{points(row, 'mean_a')} ({row['trials_a']})", f"{points(row, 'mean_b')} ({row['trials_b']})",
            points(row, "difference", "low", "high"), points(row, "adjusted", "adjusted_low", "adjusted_high"),
            row["holds"],
        )
        for row in read(study, "conclusions")
    ]  # fmt: skip
    header = (
        "sweep", "conclusion", "compared", "first, % (trials)", "second, % (trials)", "difference, points",
        "at equal other settings", "holds",
    )  # fmt: skip
    return table(header, lines)


def losses(study: Path) -> str:
    """Cross-entropy against squared error over matched pairs."""
    lines = [
        (
            row["images"], row["pairs"],
            *(f"{100 * float(row[column]):.2f}" for column in ("cross_entropy", "mean_squared_error")),
            f"{100 * float(row['difference']):+.2f} [{100 * float(row['low']):.2f}, {100 * float(row['high']):.2f}]",
            f"{100 * float(row['sd']):.2f}", f"{100 * float(row['better']):.0f}",
        )
        for row in read(study, "loss_differences")
    ]  # fmt: skip
    header = (
        "accuracy on", "pairs", "cross-entropy, %", "squared error, %", "difference, points", "its standard deviation",
        "pairs in which cross-entropy is better, %",
    )  # fmt: skip
    return table(header, lines)


PARTS = {
    "published": ("gd_vs_eg", published),
    "rounds": ("gd_vs_eg", rounds),
    "sweep": ("gd_vs_eg", sweep),
    "provenance": ("gd_vs_eg", provenance),
    "tickets": ("tickets", tickets),
    "claims": ("tickets", claims),
    "instability": ("tickets", instability),
    "sweeps": ("scratch", sweeps),
    "finalists": ("scratch", finalists),
    "conclusions": ("scratch", conclusions),
    "losses": ("scratch", losses),
    "ticket_provenance": ("tickets", ticket_provenance),
    **{name: ("optimizers", write) for name, write in optimizer_parts.PARTS.items()},
}


def main() -> None:
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(PARTS):
        sys.exit(f"{__doc__}\nParts: {', '.join(PARTS)}")
    results, wanted = Path(sys.argv[1]), sys.argv[2:] or list(PARTS)

    def part(match: re.Match[str]) -> str:
        study, write = PARTS[match["name"]]
        if match["name"] not in wanted or not (results / study).is_dir():
            return match[0]
        return f"<!-- begin {match['name']} -->\n\n{write(results / study)}\n\n<!-- end -->"

    for page in PAGES:
        page.write_text(REGION.sub(part, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
