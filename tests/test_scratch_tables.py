"""The joint tables of a study of the network from scratch, from tiny run folders with values checked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest
from synthetic_tables import metrics, read_back

from winnow import io, plugins
from winnow.scratch.settings import Settings
from winnow.tables._runs import Run


def run(root: Path, group: str, number: int = 0, seed: int = 0, **files: Any) -> Run:
    """A run folder with these files, named without their ends."""
    folder = root / group / f"{number}_{seed}"
    for name, content in files.items():
        if name in ("config", "best"):
            io.write_json(folder / f"{name}.json", content)
        else:
            schema = {"confusion": "run_confusion", "epochs": "trial_epochs"}.get(name, name)
            io.write_table(folder / f"{name}.csv", schema, content)
    return Run(group, "seed", "", number, "holdout", "", [seed], str(folder))


def table(root: Path, name: str, runs: list[Run]) -> pandas.DataFrame:
    return read_back(root, name, plugins.load("tables", name).rows(runs, {}))


def trained(root: Path, group: str, number: int = 0, seed: int = 0, **settings: Any) -> Run:
    """A run of two epochs whose accuracies end at 0.8 and 0.7."""
    values = {"dataset": "mnist", **vars(Settings(**settings, seed=seed))}
    rows = metrics(seed, [0.1, 0.8], validation_accuracy=[0.2, 0.7], test_accuracy=[0.3, 0.75])
    return run(root, group, number, seed, config=values, metrics=rows)


def test_best_runs_tell_the_last_epoch_and_the_settings(tmp_path: Path) -> None:
    found = table(tmp_path, "best_runs", [trained(tmp_path, "best", seed=seed, layers=(64, 64)) for seed in (0, 4)])
    assert found["seed"].tolist() == [0, 4]
    row = found.iloc[1]
    assert (row["sweep"], row["num_layers"], row["hidden_size"], row["optimizer"]) == ("seed", 2, 64, "adam")
    assert (row["train_accuracy"], row["validation_accuracy"], row["test_accuracy"]) == (0.8, 0.7, 0.75)
    assert row["train_loss"] == pytest.approx(0.2)
    assert found["layers"].isna().all()


def test_pairs_of_losses(tmp_path: Path) -> None:
    one = trained(tmp_path / "a", "loss_pairs", 7, loss="cross_entropy", layers=(64, 32))
    other = run(
        tmp_path / "b",
        "loss_pairs",
        7,
        config={"dataset": "mnist", **vars(Settings(loss="mean_squared_error", layers=(64, 32)))},
        metrics=metrics(0, [0.1], validation_accuracy=None, test_accuracy=None, diverged_step=3),
    )
    found = table(tmp_path, "losses", [one, other])
    assert found["pair"].tolist() == [7, 7]
    assert found["loss"].tolist() == ["cross_entropy", "mean_squared_error"]
    assert found["layers"].tolist() == ["64,32", "64,32"]
    assert found["diverged_step"].tolist()[1] == 3
    assert found["validation_accuracy"].isna().tolist() == [False, True]
    assert found["train_accuracy"].isna().tolist() == [False, True]  # that of the steps until then would not compare


def test_differences_of_the_pairs_of_losses(tmp_path: Path) -> None:
    runs = []
    for pair, accuracies in enumerate([(0.9, 0.8), (0.8, 0.9), (0.7, 0.4), (0.7, None)]):
        for loss, test in zip(("cross_entropy", "mean_squared_error"), accuracies, strict=True):
            end = {"diverged_step": 3} if test is None else {}
            made = metrics(0, [0.5], validation_accuracy=test and 0.6, test_accuracy=test, **end)
            config = {"dataset": "mnist", **vars(Settings(loss=loss))}
            runs.append(run(tmp_path / loss, "loss_pairs", pair, config=config, metrics=made))
    found = table(tmp_path, "loss_differences", runs).set_index("images")
    assert found["pairs"].tolist() == [3, 3, 3]
    assert found["difference"].tolist() == pytest.approx([0, 0, 0.1])  # of 0.1, -0.1 and 0.3
    test = found.loc["test"]
    assert (test["cross_entropy"], test["mean_squared_error"]) == pytest.approx((0.8, 0.7))
    assert test["sd"] == pytest.approx(0.2)
    half = 4.302653 * 0.2 / 3**0.5  # Student's t with 2 degrees of freedom
    assert (test["low"], test["high"]) == pytest.approx((0.1 - half, 0.1 + half))
    assert test["better"] == pytest.approx(2 / 3)
    assert table(tmp_path, "loss_differences", [])["pairs"].tolist() == [0, 0, 0]


def test_carried_over_runs_stand_beside_their_trials(tmp_path: Path) -> None:
    best = {"configurations": [{"validation_accuracy": 0.9}, {"validation_accuracy": 0.85}]}
    runs = [run(tmp_path, "sweep", best=best), *(trained(tmp_path, "carry_over", rank) for rank in (1, 2))]
    found = table(tmp_path, "carry_over", runs)
    assert found["rank"].tolist() == [1, 2]
    assert found["source_validation_accuracy"].tolist() == [0.9, 0.85]
    assert found["dataset"].tolist() == ["mnist", "mnist"]
    assert found["test_accuracy"].tolist() == [0.75, 0.75]


def test_confusion_of_every_seed(tmp_path: Path) -> None:
    counts = [{"seed": 0, "true": "Bag", "predicted": name, "count": n} for name, n in (("Bag", 9), ("Coat", 1))]
    runs = [run(tmp_path, "best", seed=s, confusion=[{**row, "seed": s} for row in counts]) for s in (0, 1)]
    found = table(tmp_path, "confusion", runs)
    assert found["count"].tolist() == [9, 1, 9, 1]
    assert found["seed"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("name", "file", "group"), [
    ("trials", "trials", "sweep"), ("trial_epochs", "epochs", "sweep"),
    ("probabilities", "probabilities", "classify"), ("samples", "samples", "classify"),
])  # fmt: skip
def test_tables_that_join_files_as_they_are(tmp_path: Path, name: str, file: str, group: str) -> None:
    from winnow.schemas import SCHEMAS

    rows = [dict.fromkeys(SCHEMAS[name], value) for value in (0.5, 1.5)]
    found = table(tmp_path, name, [run(tmp_path, group, n, **{file: rows}) for n in (0, 1)])
    assert found.iloc[:, 0].tolist() == [0.5, 1.5, 0.5, 1.5]
