"""The joint tables of a study of sweeps, from tiny hand-checked files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest
from synthetic_tables import read_back
from synthetic_trials import FIXED, SPACE

from winnow import io, plugins
from winnow.schemas import SCHEMAS
from winnow.statistics import Difference
from winnow.tables._runs import Run
from winnow.tables.conclusions import holds

PLAIN = {name: choices[0] for name, choices in SPACE.items()} | FIXED


def _sweep(root: Path, *trials: dict[str, Any], name: str = "seed") -> Run:
    rows = []
    for number, trial in enumerate(trials):
        row = {column: 0 for column in SCHEMAS["trials"]} | PLAIN
        rows.append(row | {"sweep": name, "trial": number, "name": f"run{number}", "state": "complete"} | trial)
    io.write_table(root / name / "trials.csv", "trials", rows)
    return Run("sweep", name, "", 0, "holdout", "", [], str(root / name))


def _table(root: Path, name: str, *runs: Run) -> pandas.DataFrame:
    return read_back(root, name, plugins.load("tables", name).rows(list(runs), {}))


def _trial(accuracy: float | None, **settings: Any) -> dict[str, Any]:
    return {"validation_accuracy": accuracy, **settings}


def test_conclusions_by_hand(tmp_path: Path) -> None:
    """ReLU 0.8, 0.9 against 0.5, 0.6: 0.3 with variances 0.005 on both sides, so an error of sqrt(0.005), t(2) 4.3027;
    of the two others only the trial with an accuracy counts."""
    run = _sweep(
        tmp_path,
        _trial(0.8, activation="relu", weight_init="xavier"),
        _trial(0.9, activation="relu", weight_init="random"),
        _trial(0.5, activation="tanh", weight_init="xavier"),
        _trial(0.6, activation="sigmoid", weight_init="random"),
        _trial(None, activation="sigmoid", state="diverged"),
    )
    table = _table(tmp_path, "conclusions", run)
    assert set(table["sweep"]) == {"seed"}
    relu, xavier, both, batches, adam, family = table.to_dict("records")
    assert [relu[key] for key in ("trials_a", "mean_a", "trials_b", "mean_b")] == pytest.approx([2, 0.85, 2, 0.55])
    half = 4.302653 * 0.005**0.5
    assert [relu["difference"], relu["low"], relu["high"]] == pytest.approx([0.3, 0.3 - half, 0.3 + half], abs=1e-6)
    assert relu["holds"] == "unclear"  # 0.3 +- 0.304
    assert xavier["difference"] == pytest.approx(0.65 - 0.75)
    assert (both["trials_a"], both["trials_b"]) == (1, 3)
    assert pandas.isna(both["low"])
    assert (batches["trials_a"], batches["trials_b"], adam["trials_a"]) == (0, 0, 0)
    assert pandas.isna(batches["mean_a"])
    assert (family["trials_a"], family["trials_b"]) == (0, 4)  # sgd at 1e-3
    assert set(table["holds"]) == {"unclear"}


def test_conclusions_at_equal_other_settings(tmp_path: Path) -> None:
    """ReLU is worth 0.1, and most of its trials trained for longer, which is worth 0.4."""
    trials = [("relu", 10), ("relu", 10), ("relu", 5), ("tanh", 10), ("tanh", 5), ("sigmoid", 5)]
    run = _sweep(
        tmp_path,
        *(
            _trial(0.2 + 0.1 * (activation == "relu") + 0.4 * (epochs == 10), activation=activation, epochs=epochs)
            for activation, epochs in trials
        ),
    )
    relu, xavier, *_ = _table(tmp_path, "conclusions", run).to_dict("records")
    assert relu["difference"] == pytest.approx(0.1 + 0.4 / 3)
    assert [relu[key] for key in ("adjusted", "adjusted_low", "adjusted_high")] == pytest.approx([0.1] * 3)
    assert pandas.isna(xavier["adjusted"])  # there is no trial with it


def test_conclusions_on_batches_and_rates(tmp_path: Path) -> None:
    run = _sweep(
        tmp_path,
        _trial(0.1, optimizer="adam", batch_size=16, learning_rate=2e-4),
        _trial(0.2, optimizer="adam", batch_size=32, learning_rate=9e-4),
        _trial(0.3, optimizer="rmsprop", batch_size=64, learning_rate=1e-3),
        _trial(0.4, optimizer="nadam", batch_size=64, learning_rate=1e-3),
        _trial(0.5, optimizer="nag", batch_size=64, learning_rate=1e-4),
        _trial(0.6, optimizer="momentum", batch_size=64, learning_rate=1e-3),
        _trial(0.7, optimizer="sgd", batch_size=64, learning_rate=1e-2),
    )
    *_, batches, adam, family = _table(tmp_path, "conclusions", run).to_dict("records")
    sides = ("trials_a", "mean_a", "trials_b", "mean_b")
    assert [batches[key] for key in sides] == pytest.approx([2, 0.25, 1, 0.1])
    assert [adam[key] for key in sides] == pytest.approx([1, 0.2, 1, 0.1])
    assert [family[key] for key in sides] == pytest.approx([1, 0.5, 1, 0.6])


def test_a_conclusion_holds_where_its_interval_leaves_zero_out() -> None:
    ends = [(0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1), (0.0, 0.1), (None, None)]
    assert [holds(Difference(0.1, *pair)) for pair in ends] == ["yes", "no", "unclear", "unclear", "unclear"]


def test_importance_and_values_are_per_sweep(tmp_path: Path) -> None:
    seed = _sweep(tmp_path, *(_trial(0.1 * i, batch_size=16 * (1 + i % 2), epochs=7) for i in range(6)))
    wider = _sweep(tmp_path, *(_trial(0.1 * i, learning_rate=10.0**-i) for i in range(1, 6)), name="wider")
    table = _table(tmp_path, "importance", seed, wider)
    assert table[["sweep", "parameter"]].to_numpy().tolist() == [["seed", "batch_size"], ["wider", "learning_rate"]]
    assert table["importance"].tolist() == [1, 1]
    assert table["correlation"].iloc[1] == pytest.approx(-1)
    table = _table(tmp_path, "values", seed, wider).astype({"value": str})
    assert table["value"].tolist() == ["16", "32", "1e-05 to 0.0001", "0.0001 to 0.001", "0.001 to 0.01", "0.01 to 0.1"]
    assert table["mean"].tolist()[:2] == pytest.approx([0.2, 0.3])


@pytest.mark.parametrize("name", ["importance", "values"])
def test_sweeps_without_a_finished_trial(name: str, tmp_path: Path) -> None:
    dead = [_trial(None, batch_size=size, state="diverged") for size in (16, 32)]
    assert _table(tmp_path, name, _sweep(tmp_path, *dead), _sweep(tmp_path, name="empty")).empty


def test_per_class(tmp_path: Path) -> None:
    """Two seeds; class names that are numbers, as MNIST's; classes without images are not forgotten."""
    counts = {(0, 0): 3, (0, 1): 1, (1, 0): 1, (1, 1): 1}
    rows = [
        {"seed": seed, "true": true, "predicted": predicted, "count": count * (1 + seed)}
        for seed in (0, 1, 2)
        for (true, predicted), count in counts.items()
    ]
    io.write_table(tmp_path / "run" / "confusion.csv", "run_confusion", rows)
    run = Run("best", "seed", "", 0, "all", "", [0, 1], str(tmp_path / "run"))
    table = _table(tmp_path, "per_class", run)
    assert table[["class", "seed", "images"]].to_numpy().tolist() == [[0, 0, 4], [1, 0, 2], [0, 1, 8], [1, 1, 4]]
    assert table["precision"].tolist() == [0.75, 0.5, 0.75, 0.5]
    assert set(table["sweep"]) == {"seed"}
