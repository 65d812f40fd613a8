"""The measured parts of docs/optimizers.md, from the joint tables of the study `optimizers` (see reproduction.py)."""

import csv
import json
import math
import statistics
from pathlib import Path
from typing import Any

from markdown_tables import Rows, read, table

PLAIN = "plain"


def _of(rows: Rows, **values: str) -> Rows:
    return [row for row in rows if all(row[key] == value for key, value in values.items())]


def _order(study: Path) -> list[str]:
    """The arms of `plain`, the most accurate on the test images first."""
    rows = _of(read(study, "outcomes"), scenario=PLAIN)
    return [row["arm"] for row in sorted(rows, key=lambda row: -float(row["test_accuracy"] or 0))]


def _setting(row: dict[str, Any]) -> str:
    found = [f"lr {float(row['lr']):g}"]
    for path, value in json.loads(row["settings"] or "{}").items():
        found.append(f"{path.rpartition('.')[2].replace('_', ' ')} {value:g}")
    return ", ".join(found)


def _accuracy(row: dict[str, Any]) -> str:
    """Mean, standard deviation and 95 % interval in percent; what diverged."""
    if not row["test_accuracy"]:
        return "diverged"
    low, high = row["test_accuracy_ci95_low"], row["test_accuracy_ci95_high"]
    interval = f" [{100 * float(low):.2f}, {100 * float(high):.2f}]" if low else ""
    lost = f", {row['diverged']} diverged" if int(row["diverged"]) else ""
    return f"{_spread(row)}{interval}{lost}"


def _spread(row: dict[str, Any]) -> str:
    """Mean and standard deviation of the test accuracy in percent, of a row that has one."""
    sd = f" ± {100 * float(row['test_accuracy_sd']):.2f}" if row["test_accuracy_sd"] else ""
    return f"{100 * float(row['test_accuracy']):.2f}{sd}"


def plain(study: Path) -> str:
    """Settings and outcomes of every optimiser in the plain scenario, the most accurate first."""
    outcomes = {row["arm"]: row for row in _of(read(study, "outcomes"), scenario=PLAIN)}
    settings = {row["arm"]: row for row in _of(read(study, "final_runs"), scenario=PLAIN)}
    ranks = {row["arm"]: row for row in _of(read(study, "ranking"), scenario=PLAIN)}
    lines = []
    for arm in _order(study):
        row, rank = outcomes[arm], ranks.get(arm)
        difference = f"{100 * float(row['difference']):+.2f}" if row["difference"] else ""
        if row["difference_ci95_low"]:
            ends = [100 * float(row[f"difference_ci95_{end}"]) for end in ("low", "high")]
            difference += f" [{ends[0]:+.2f}, {ends[1]:+.2f}]"
        lines.append(
            (
                f"`{arm}`", _setting(settings[arm]), f"{100 * float(rank['validation_accuracy']):.2f}" if rank else "",
                _accuracy(row), f"{float(row['test_loss']):.3f}" if row["test_loss"] else "", difference, row["n"],
            )
        )  # fmt: skip
    reference = next((row["reference"] for row in outcomes.values() if row["reference"]), "")
    header = (
        "arm", "chosen setting", "validation accuracy, %", "test accuracy, % [95 % interval]", "test loss",
        f"difference to `{reference}`, points", "seeds",
    )  # fmt: skip
    return table(header, lines)


def targets(study: Path) -> str:
    """What it cost to reach each target in the plain scenario: medians over all seeds, if most reached it."""
    rows = _of(read(study, "time_to_target"), scenario=PLAIN)
    goals = list(dict.fromkeys(row["target"] for row in rows))
    lines = []
    for arm in _order(study):
        line = [f"`{arm}`"]
        for goal in goals:
            mine = _of(rows, arm=arm, target=goal)
            reached = [row for row in mine if row["epoch"]]
            line.append(f"{len(reached)} of {len(mine)}")
            for column, unit in (("epoch", 1), ("sample_gradients", 1e3), ("multiply_adds", 1e9), ("seconds", 1)):
                values = [float(row[column]) / unit if row["epoch"] else math.inf for row in mine]
                middle = statistics.median(values) if values else math.inf
                line.append(f"{middle:,.0f}" if math.isfinite(middle) else "")
        if any(cell for cell in line[2:6]):
            lines.append(line)
    header = ["arm"]
    for goal in goals:
        name = f"{100 * float(goal):g} %"
        header += [f"reach {name}", "epochs", "thousand gradients", "10^9 multiply-adds", "processor seconds"]
    return table(header, lines)


def costs(study: Path) -> str:
    """What the plain runs of optimisers cost that compute more than a gradient of each image, against the reference."""
    runs = {arm: _record(study, arm) for arm in _order(study)}
    reference = next(row["reference"] for row in read(study, "outcomes") if row["reference"])
    base, lines = runs[reference], []
    for arm, run in runs.items():
        gradients, seconds = (run[key] / base[key] for key in ("gradients", "seconds"))
        if arm == reference or run["own"] or gradients > 1.01:
            lines.append(
                (
                    f"`{arm}`", str(run["batch"]), f"{gradients:.2f}", f"{run['own'] / 1e6:.0f}", f"{seconds:.1f}",
                    f"{run['memory'] / 2**30:.2f}",
                )
            )  # fmt: skip
    header = (
        "arm", "images a batch", "gradients an image", "own multiply-adds a step, millions",
        f"processor time, `{reference}` = 1", "memory of the job, GiB",
    )  # fmt: skip
    return table(header, lines)


def _record(study: Path, arm: str) -> dict[str, Any]:
    """Of an arm's first seed block: cost of an epoch and lane, an optimiser's own multiply-adds, memory of the job."""
    folder = sorted((study / arm / PLAIN / "final").iterdir())[0]
    run = json.loads((folder / "run.json").read_bytes())
    with (folder / "metrics.csv").open() as file:
        epochs = max(float(row["epoch"]) for row in csv.DictReader(file))
    lanes = len(run["seeds"])
    return {
        "batch": run["spec"]["training"]["batch_size"], "own": run["update_multiply_adds"],
        "gradients": sum(run["sample_gradients"]) / lanes / epochs,
        "seconds": run["processor_seconds"] / lanes / epochs, "memory": run["peak_memory_bytes"],
    }  # fmt: skip


def scenarios(study: Path) -> str:
    """Test accuracy in every scenario but the plain one, and its change against the same optimiser's plain run."""
    outcomes = read(study, "outcomes")
    others = list(dict.fromkeys(row["scenario"] for row in outcomes if row["scenario"] != PLAIN))
    arms = [arm for arm in _order(study) if any(_of(outcomes, scenario=one, arm=arm) for one in others)]
    lines = []
    for scenario in others:
        line = [f"`{scenario}`"]
        for arm in arms:
            found = _of(outcomes, scenario=scenario, arm=arm)
            if not found or not found[0]["test_accuracy"]:
                line.append("diverged" if found else "")
                continue
            change = f" ({100 * float(found[0]['change']):+.2f})" if found[0]["change"] else ""
            line.append(_spread(found[0]) + change)
        lines.append(line)
    return table(("scenario", *(f"`{arm}`" for arm in arms)), lines)


def starter(study: Path) -> str:
    """The starter script's settings, epoch by epoch."""
    rows = _of(read(study, "course"), scenario=PLAIN, arm="starter")
    lines = []
    for epoch in sorted({float(row["epoch"]) for row in rows}):
        now = [row for row in rows if float(row["epoch"]) == epoch]
        accuracies = [100 * float(row["test_accuracy"]) for row in now]
        means = [statistics.mean(float(row[name]) for row in now) for name in ("train_loss", "test_loss")]
        cells = (f"{epoch:g}", *(f"{mean:.3f}" for mean in means), f"{statistics.mean(accuracies):.1f}")
        lines.append((*cells, f"{min(accuracies):.1f} to {max(accuracies):.1f}"))
    return table(("epoch", "training loss", "test loss", "test accuracy, %", "over the seeds"), lines)


def parameters(study: Path) -> str:
    """LeNet-5's tensors."""
    lines = [
        (f"`{row['tensor']}`", row["shape"], f"{int(row['parameters']):,}", f"{int(row['multiply_adds']):,}")
        for row in read(study, "parameters")
    ]
    return table(("tensor", "shape", "parameters", "multiply-adds per image"), lines)


PARTS = {
    "optimizers_plain": plain, "optimizers_targets": targets, "optimizers_costs": costs,
    "optimizers_scenarios": scenarios,
    "optimizers_starter": starter, "optimizers_parameters": parameters,
}  # fmt: skip
