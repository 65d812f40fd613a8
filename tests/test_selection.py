"""Choosing a rate: mean over the last evaluations and seeds, no diverged lane, ties to the smaller rate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_tables import metrics, run

from winnow import io
from winnow.errors import UserError
from winnow.selection import read, score, select

ROOT = Path(__file__).parents[1]


def _table(tmp_path, rows):
    io.write_table(tmp_path / "metrics.csv", "metrics", rows)
    return io.read_table(tmp_path / "metrics.csv", "metrics")


def test_mean_over_last_evaluations_and_seeds(tmp_path):
    rows = metrics(0, [0.5] * 4, validation_loss=[9.0, 1.0, 2.0, 3.0])
    rows += metrics(1, [0.5] * 4, validation_loss=[9.0, 4.0, 4.0, 4.0])
    assert score([_table(tmp_path, rows)], last=3) == pytest.approx((2.0 + 4.0) / 2)


def test_seeds_weigh_equally_over_blocks(tmp_path):
    block = _table(tmp_path, metrics(0, [0.5], validation_loss=1.0) + metrics(1, [0.5], validation_loss=1.0))
    single = _table(tmp_path, metrics(2, [0.5], validation_loss=4.0))
    assert score([block, single], last=3) == pytest.approx(2.0)


def test_a_diverged_lane_disqualifies(tmp_path):
    rows = metrics(0, [0.5, 0.5], validation_loss=0.001)
    rows += metrics(1, [0.5, 0.1], validation_loss=[0.001, None], diverged_step=[None, 15])
    assert score([_table(tmp_path, rows)], last=3) is None


def test_without_validation_images(tmp_path):
    with pytest.raises(UserError, match="train_on: holdout"):
        score([_table(tmp_path, metrics(0, [0.5, 0.6]))], last=3)


@pytest.mark.parametrize("losses", [[0.1, 0.1, 0.1, None], [0.1, None, 0.1, 0.1]])
def test_a_loss_that_overflowed_in_the_last_evaluations_disqualifies(tmp_path, losses):
    rows = metrics(0, [0.5] * 4, validation_loss=losses, validation_accuracy=0.1)
    assert score([_table(tmp_path, rows)], last=3) is None
    assert score([_table(tmp_path, rows)], last=1) == (None if losses[-1] is None else 0.1)


def test_losses_that_all_overflowed_are_no_lack_of_validation_images(tmp_path):
    assert score([_table(tmp_path, metrics(0, [0.1, 0.1], validation_accuracy=0.1))], last=3) is None


def test_ties_go_to_the_smaller_rate_by_value():
    assert select({"1.0": 0.3, "0.9": 0.3, "0.10": 0.3, "0.2": 0.4})["lr"] == "0.10"
    assert select({"1e-3": 0.3, "0.02": 0.3})["lr"] == "1e-3"


def test_contents():
    assert select({"0.7": 0.3, "0.07": None}) == {
        "lr": "0.7",
        "candidates": [{"lr": "0.07", "loss": None, "diverged": True}, {"lr": "0.7", "loss": 0.3, "diverged": False}],
    }


def test_a_zero_loss_wins():
    assert select({"0.1": 0.0, "0.01": 0.2})["lr"] == "0.1"


def test_when_every_rate_diverged_nothing_is_selected_but_the_sweep_is_told():
    best = select({"0.7": None, "0.5": None})
    assert best["lr"] is None
    assert [(candidate["lr"], candidate["diverged"]) for candidate in best["candidates"]] == [
        ("0.5", True),
        ("0.7", True),
    ]


CANDIDATE = {"lr": "0.7", "folders": ["x"]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"last": 0, "candidates": [CANDIDATE]},
        {"last": "3", "candidates": [CANDIDATE]},
        {"last": 3, "candidates": []},
        {"last": 3, "candidates": 3},
        {"last": 3, "candidates": ["x"]},
        {"last": 3, "candidates": [CANDIDATE, CANDIDATE]},
        {"last": 3, "candidates": [{"lr": "0.7", "folders": []}]},
        {"last": 3, "candidates": [{"lr": "0.7", "folders": "x"}]},
    ],
)
def test_a_spec_that_says_nothing_to_choose_from(spec):
    with pytest.raises(UserError, match="--spec must say what to choose from"):
        read(spec)


def test_a_spec():
    assert read({"last": 3, "candidates": [CANDIDATE]}) == (3, {"0.7": ["x"]})
    with pytest.raises(UserError, match="number above 0, not 'fast'"):
        read({"last": 3, "candidates": [{**CANDIDATE, "lr": "fast"}]})


def test_program(tmp_path):
    folders = {}
    for lr, loss in (("0.1", 0.5), ("0.2", 0.4)):
        rows = metrics(0, [0.5, 0.6], validation_loss=loss)
        folders[lr] = str(run(tmp_path, rows, group="sweep", rate=f"lr{lr}").folder)
    spec = {"last": 3, "candidates": [{"lr": lr, "folders": [folder]} for lr, folder in folders.items()]}
    command = [sys.executable, "workflow_scripts/select_rate.py", "--spec", io.json.dumps(spec)]
    subprocess.run([*command, "--out", str(tmp_path / "best.json")], check=True, cwd=ROOT)
    assert io.read_json(tmp_path / "best.json")["lr"] == "0.2"
