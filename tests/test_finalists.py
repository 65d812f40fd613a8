"""The second stage of a sweep: means over seeds choose, and what was chosen is trained."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from synthetic_tables import metrics, read_back

from winnow import finalists, io, plugins, provenance, scratch_run
from winnow.scratch.settings import Settings
from winnow.tables._runs import Run

ROOT = Path(__file__).resolve().parent.parent
FOUND = [
    {
        "rank": n,
        "trial": 10 * n,
        "name": f"run{n}",
        "validation_accuracy": [0.94, 0.93, 0.92][n - 1],
        "settings": vars(settings),
    }
    for n, settings in enumerate((Settings((8,)), Settings((16,)), Settings((32,))), start=1)
]


def test_the_best_mean_wins_and_the_trial_that_led_to_it_does_not_count() -> None:
    reached = {1: [0.6, 0.7], 2: [0.9, 0.7], 3: [0.75, 0.85]}
    made = finalists.ranked(FOUND, reached)
    assert [(entry["rank"], entry["trial"], entry["trial_rank"]) for entry in made] == [
        (1, 20, 2),
        (2, 30, 3),
        (3, 10, 1),
    ]
    assert [entry["validation_accuracy"] for entry in made] == pytest.approx([0.8, 0.8, 0.65])
    assert made[0]["trial_accuracy"] == 0.93
    assert made[0]["accuracies"] == [0.9, 0.7]
    assert made[0]["settings"]["layers"] == (16,)


@pytest.fixture
def ranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the program makes of two finalists with two seeds; one training diverged."""
    runs: list[dict[str, Any]] = []
    for rank, accuracies in {1: [0.9, None], 2: [0.5, 0.7]}.items():
        for seed, last in enumerate(accuracies):
            folder = tmp_path / f"{rank}_{seed}"
            end = {"diverged_step": 7} if last is None else {}
            rows = metrics(seed, [0.3, 0.4], validation_accuracy=[0.95, last], **end)
            io.write_table(folder / "metrics.csv", "metrics", rows)
            runs.append({"rank": rank, "folder": str(folder)})
    io.write_json(tmp_path / "best.json", {"dataset": "digits", "configurations": FOUND})
    out = tmp_path / "finalists.json"
    spec = provenance.canonical({"runs": runs})
    program = f"finalists.py --spec {spec} --best {tmp_path / 'best.json'} --out {out}"
    monkeypatch.setattr(sys, "argv", program.split(" "))
    runpy.run_path(str(ROOT / "workflow_scripts/finalists.py"), run_name="__main__")
    return out


def test_the_program_reads_last_epochs_and_a_diverged_run_counts_as_0(ranked: Path) -> None:
    found = io.read_json(ranked)
    assert found["dataset"] == "digits"
    assert [(entry["trial"], entry["accuracies"]) for entry in found["configurations"]] == [
        (20, [0.5, 0.7]),
        (10, [0.9, 0]),
    ]
    settings = scratch_run.settings_of({"rank": 1, "seed": 5, "train_on": "all"}, ranked)
    assert (settings.layers, settings.seed, settings.train_on) == ((16,), 5, "all")


def test_the_table(ranked: Path) -> None:
    run = Run("finals", "seed", "", 0, "holdout", "", [], str(ranked.parent))
    found = read_back(ranked.parent, "finalists", plugins.load("tables", "finalists").rows([run], {}))
    assert found["trial"].tolist() == [20, 10]
    first = found.iloc[0]
    assert (first["sweep"], first["rank"], first["trial_rank"], first["seeds"]) == ("seed", 1, 2, 2)
    assert (first["mean"], first["lowest"], first["highest"]) == pytest.approx((0.6, 0.5, 0.7))
    assert first["sd"] == pytest.approx(0.02**0.5)
    assert (first["trial_accuracy"], first["hidden_size"]) == (0.93, 16)
