"""Every joint table from tiny run folders with hand-checked values, and the contract of table plug-ins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from synthetic_tables import metrics, read_back, run

from winnow import early_stop, io, plugins
from winnow.benchmark_plan import BenchmarkPlan
from winnow.errors import UserError
from winnow.overlap import chance, nested
from winnow.schemas import SCHEMAS
from winnow.scratch_plan import ScratchPlan
from winnow.study_plan import StudyPlan

ROOT = Path(__file__).parents[1]
HIDDEN = "rnn.weight_hh_l0"
INPUT = "rnn.weight_ih_l1"


def _table(tmp_path, name, runs, **spec):
    return read_back(tmp_path, name, plugins.load("tables", name).rows(runs, spec))


def _mask(*lanes):
    return np.array(lanes, dtype=bool).reshape(len(lanes), 2, 2)


@pytest.mark.parametrize("name", plugins.names("tables"))
def test_contract(name, tmp_path):
    assert name in SCHEMAS
    assert plugins.load("tables", name).__doc__
    assert set(plugins.constant("tables", name, "GROUPS")) <= {
        *StudyPlan.GROUPS,
        *ScratchPlan.GROUPS,
        *BenchmarkPlan.GROUPS,
    }
    assert all(isinstance(file, str) for file in plugins.constant("tables", name, "FILES"))
    assert plugins.constant("tables", name, "BEST", False) in (True, False)
    assert list(_table(tmp_path, name, []).columns) == list(SCHEMAS[name])  # a study without runs has empty tables


def test_rounds_of_a_dense_run(tmp_path):
    rows = metrics(3, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], test_loss=[9, 9, 9, 9, 9, 0.7], clipped_share=0.25)
    table = _table(tmp_path, "rounds", [run(tmp_path, rows, group="dense", rate="lr0.022")])
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["recipe"], row["round"], row["density"], row["seed"], row["lr"]) == ("dense", 0, 1.0, 3, "0.022")
    assert (row["test_accuracy"], row["test_loss"], row["clipped_share"]) == (0.6, 0.7, 0.25)
    assert row["test_accuracy_mean5"] == pytest.approx(0.4)  # 0.2 ... 0.6, not 0.1
    assert np.isnan(row["diverged_step"])


def test_rows_are_read_in_order_of_training(tmp_path):
    rows = metrics(0, [0.1, 0.9])[::-1]
    assert _table(tmp_path, "rounds", [run(tmp_path, rows)])["test_accuracy"].tolist() == [0.9]


def test_best_rate_is_named_by_its_value(tmp_path):
    io.write_json(tmp_path / "gd" / "best.json", {"lr": "0.75"})
    dense = run(tmp_path, metrics(0, [0.5]), group="dense", rate="best")
    pruned = run(tmp_path, metrics(0, [0.5]), rate="best", number=2)
    assert _table(tmp_path, "rounds", [dense, pruned])["lr"].tolist() == ["0.75", "0.75"]


def test_in_run_levels(tmp_path):
    """Pruned after epochs 2 and 3: a row belongs to the density that was trained in it."""
    rows = metrics(0, [0.5, 0.6, 0.7, 0.8], density=[1.0, 1.0, 0.5, 0.25])
    one = run(tmp_path, rows, group="in_run", recipe="procedure")
    table = _table(tmp_path, "rounds", [one])
    assert table["round"].tolist() == [0, 1, 2]
    assert table["density"].tolist() == [1.0, 0.5, 0.25]
    assert table["test_accuracy"].tolist() == [0.6, 0.7, 0.8]
    assert table["test_accuracy_mean5"].tolist() == pytest.approx([0.55, 0.7, 0.8])  # never over two densities
    curves = _table(tmp_path, "curves", [one])
    assert curves["epoch"].tolist() == [1, 2, 3, 4]
    assert curves["round"].tolist() == [0, 0, 1, 2]


def test_a_run_under_a_sparsifier_counts_from_its_last_density_on(tmp_path):
    rows = metrics(0, [0.5, 0.6, 0.7, 0.8], density=[1.0, 0.4, 0.25, 0.25])
    one = run(tmp_path, rows, group="rounds", recipe="gradual")
    (row,) = _table(tmp_path, "rounds", [one]).to_dict("records")
    assert (row["round"], row["density"], row["test_accuracy"]) == (1, 0.25, 0.8)
    assert row["test_accuracy_mean5"] == pytest.approx(0.75)
    assert _table(tmp_path, "early_stop", [one])["density"].tolist() == [0.25]
    curves = _table(tmp_path, "curves", [one])
    assert curves["density"].tolist() == [1.0, 0.4, 0.25, 0.25]
    assert curves["round"].tolist() == [1] * 4


def test_in_run_divergence_counts_from_its_level_on(tmp_path):
    rows = metrics(0, [0.5, 0.1], density=[1.0, 0.5], diverged_step=[None, 15])
    table = _table(tmp_path, "rounds", [run(tmp_path, rows, group="in_run", recipe="procedure")])
    assert table["diverged_step"].isna().tolist() == [True, False]


def test_curves(tmp_path):
    rows = metrics(0, [0.5, 0.6], start=2, density=0.5) + metrics(1, [0.7, 0.8], start=2, density=0.5)
    table = _table(tmp_path, "curves", [run(tmp_path, rows, arm="eg", number=4)])
    assert table["seed"].tolist() == [0, 0, 1, 1]
    assert table["epoch"].tolist() == [2, 3, 2, 3]
    assert table["test_accuracy"].tolist() == [0.5, 0.6, 0.7, 0.8]
    assert set(table["round"]) == {4}
    assert set(table["density"]) == {0.5}


def test_early_stop(tmp_path):
    """The first minimum of the validation loss, the accuracies of that row, and beside them those of the last."""
    losses = {"validation_loss": [0.5, 0.3, 0.3, 0.4], "validation_accuracy": [0.1, 0.2, 0.3, 0.4]}
    good = metrics(0, [0.5, 0.6, 0.7, 0.8], start=3, density=0.5, **losses)
    bad = metrics(1, [0.5, 0.1], density=0.5, diverged_step=[None, 15], validation_loss=[0.5, None])
    table = _table(tmp_path, "early_stop", [run(tmp_path, good + bad, number=2)]).set_index("seed")
    row = table.loc[0]
    assert (row["round"], row["density"], row["lr"]) == (2, 0.5, "0.1")
    assert (row["early_stop_iteration"], row["early_stop_epoch"]) == (40, 4)
    assert (row["validation_loss"], row["validation_accuracy"], row["test_accuracy"]) == (0.3, 0.2, 0.6)
    assert (row["last_iteration"], row["last_validation_accuracy"], row["last_test_accuracy"]) == (60, 0.4, 0.8)
    assert table.loc[1, "diverged_step"] == 15
    assert table.loc[1, ["early_stop_iteration", "test_accuracy", "last_test_accuracy"]].isna().all()


def test_rounds_of_one_seed(tmp_path):
    """The columns of the ticket study's first program: percent, at the early stop; empty where the lane diverged."""
    losses = {"validation_loss": [0.5, 0.3], "validation_accuracy": [0.1, 0.2]}
    dense = run(tmp_path, metrics(0, [0.5, 0.6], **losses) + metrics(1, [0.5, 0.7], **losses), group="dense")
    first = run(tmp_path, metrics(1, [0.5, 0.8], density=0.7, **losses), number=1)
    dead = metrics(1, [0.5, 0.1], density=0.49, diverged_step=[None, 15], validation_loss=[0.5, None])
    second = run(tmp_path, dead, number=2)
    rows = list(early_stop.chain([Path(run.folder) for run in (dense, first, second)], seed=1))
    io.write_table(tmp_path / "seed1.csv", "ticket", rows)
    text = (tmp_path / "seed1.csv").read_text().split()
    assert text == ["round,remaining,ES,val,test", "0,100.0,20,20.0,70.0", "1,70.0,20,20.0,80.0", "2,49.0,,,"]
    with pytest.raises(UserError, match="no rows of the seed 0"):
        list(early_stop.chain([Path(first.folder)], seed=0))


def test_early_stop_without_validation(tmp_path):
    table = _table(tmp_path, "early_stop", [run(tmp_path, metrics(0, [0.5, 0.6]), group="dense")])
    assert table["early_stop_iteration"].isna().all()
    assert table["last_test_accuracy"].tolist() == [0.6]


def test_summary(tmp_path):
    gd = metrics(0, [0.80]) + metrics(1, [0.90])
    more = metrics(2, [0.85])  # a second seed block
    eg = metrics(0, [0.82]) + metrics(1, [0.94]) + metrics(2, [0.10], diverged_step=7)
    runs = [run(tmp_path, rows, group="dense", arm=arm) for arm, rows in (("gd", gd), ("gd", more), ("eg", eg))]
    table = _table(tmp_path, "summary", runs, reference="gd").set_index("arm")
    assert table.loc["gd", ["n", "diverged"]].tolist() == [3, 0]
    assert table.loc["gd", "mean"] == pytest.approx(0.85)
    assert table.loc["gd", "sd"] == pytest.approx(0.05)
    assert table.loc["gd", "ci95_low"] == pytest.approx(0.85 - 4.302653 * 0.05 / 3**0.5)
    assert table.loc["gd", ["reference", "difference", "pairs"]].isna().all()
    assert table.loc["eg", ["n", "diverged", "pairs", "reference"]].tolist() == [2, 1, 2, "gd"]
    assert table.loc["eg", "mean"] == pytest.approx(0.88)
    assert table.loc["eg", "difference"] == pytest.approx(0.03)  # (0.02 + 0.04) / 2
    assert table.loc["eg", "difference_ci95_high"] == pytest.approx(0.03 + 12.7062 * 0.01, abs=1e-5)
    assert np.isnan(table.loc["eg", "correlation"])


def test_summary_sets_tickets_against_the_dense_run_of_their_arm(tmp_path):
    """Seed 2 diverged dense, so that two pairs are left: changes of -0.01 and 0.03."""
    dense = metrics(0, [0.80]) + metrics(1, [0.90]) + metrics(2, [0.10], diverged_step=7)
    ticket = metrics(0, [0.79]) + metrics(1, [0.93]) + metrics(2, [0.85])
    runs = [run(tmp_path, dense, group="dense"), run(tmp_path, ticket, number=3), run(tmp_path, ticket, arm="eg")]
    rows = _table(tmp_path, "summary", runs, reference="gd").set_index(["arm", "round"])
    change = ["change", "change_ci95_low", "change_ci95_high", "change_pairs"]
    assert rows.loc[("gd", 0), change].isna().all()
    half = 12.7062 * 0.02  # Student's quantile for one degree of freedom; the standard error is 0.04 / 2
    assert rows.loc[("gd", 3), change].tolist() == pytest.approx([0.01, 0.01 - half, 0.01 + half, 2], abs=1e-5)
    assert rows.loc[("eg", 1), "change_pairs"] == 0  # it has no dense run
    assert rows.loc[("eg", 1), change[:3]].isna().all()


def test_summary_of_one_seed_and_of_none(tmp_path):
    runs = [
        run(tmp_path, metrics(0, [0.9]), group="dense"),
        run(tmp_path, metrics(0, [0.1], diverged_step=3), group="dense", arm="eg"),
    ]
    table = _table(tmp_path, "summary", runs, reference="gd").set_index("arm")
    assert table.loc["gd", ["mean", "n"]].tolist() == [0.9, 1]
    assert table.loc["gd", ["sd", "ci95_low", "ci95_high"]].isna().all()
    assert table.loc["eg", ["n", "diverged", "pairs"]].tolist() == [0, 1, 0]
    assert table.loc["eg", ["mean", "mean5", "difference"]].isna().all()


def test_lr_sweep(tmp_path):
    losses = [9.0, 0.3, 0.4, 0.5]
    fine = metrics(0, [0.1, 0.2, 0.3, 0.4], validation_loss=losses, validation_accuracy=[0, 0, 0, 0.8])
    dead = metrics(0, [0.1, 0.1], validation_loss=[2.3, None], diverged_step=[None, 12])
    runs = [run(tmp_path, rows, group="sweep", rate=lr) for lr, rows in (("lr0.10", dead), ("lr0.02", fine))]
    io.write_json(tmp_path / "gd" / "best.json", {"lr": "0.02"})
    table = _table(tmp_path, "lr_sweep", runs, last=3)
    assert table["lr"].tolist() == ["0.02", "0.10"]
    assert table["selected"].tolist() == [True, False]
    assert table.loc[0, "selection_loss"] == pytest.approx(0.4)
    assert table.loc[0, ["validation_accuracy", "test_accuracy"]].tolist() == [0.8, 0.4]
    assert table.loc[0, "test_accuracy_mean5"] == pytest.approx(0.25)
    assert np.isnan(table.loc[1, "selection_loss"])
    assert table.loc[1, "diverged_step"] == 12


def test_layers(tmp_path):
    masks = {INPUT: _mask([1, 1, 1, 1], [0, 0, 0, 1]), HIDDEN: _mask([1, 0, 0, 0], [1, 1, 1, 0])}
    rows = metrics(4, [0.5], density=0.5) + metrics(9, [0.5], density=0.5)
    table = _table(tmp_path, "layers", [run(tmp_path, rows, masks=masks, number=3)])
    assert table["tensor"].tolist() == [HIDDEN, INPUT] * 2
    assert table["seed"].tolist() == [4, 4, 9, 9]
    assert table["kept"].tolist() == [1, 4, 3, 1]
    assert table["layer_density"].tolist() == [0.25, 1.0, 0.75, 0.25]
    assert set(table["round"]) == {3}
    assert set(table["total"]) == {4}


def _record(speed, **others):
    """A run.json: 4 + 4 prunable weights used 3 times and once, 2 others used 5 times, and 6 biases."""
    return {
        "parameters": {HIDDEN: 4, INPUT: 4, "output.weight": 2, "output.bias": 6},
        "multiply_adds": {HIDDEN: 3, INPUT: 1, "output.weight": 5},
        "images_per_second": speed, "device": "cpu", "accelerator": None, "cpu": "one", "matmul": "mkldnn", **others,
    }  # fmt: skip


def test_compression(tmp_path):
    """By hand: 16 parameters and 26 multiply-adds, of which each lane keeps what its own mask says."""
    masks = {HIDDEN: _mask([1, 0, 0, 0], [1, 1, 1, 0]), INPUT: _mask([1, 1, 1, 0], [0, 0, 0, 1])}
    rows = metrics(4, [0.5], density=0.5) + metrics(9, [0.5], density=0.5)
    dense = run(tmp_path, metrics(4, [0.5]) + metrics(9, [0.5]), group="dense", record=_record(200.0))
    other = run(tmp_path, metrics(7, [0.5]), group="dense", record=_record(800.0))
    pruned = run(tmp_path, rows, masks=masks, number=3, record=_record(210.0))
    table = _table(tmp_path, "compression", [pruned, dense, other]).set_index(["round", "seed"])
    assert table["parameters"].to_dict() == {(3, 4): 12, (3, 9): 12, (0, 4): 16, (0, 9): 16, (0, 7): 16}
    assert table["multiply_adds"].to_dict() == {(3, 4): 16, (3, 9): 20, (0, 4): 26, (0, 9): 26, (0, 7): 26}
    assert table.loc[3, "compression"].tolist() == pytest.approx([16 / 12] * 2)
    assert table.loc[3, "theoretical_speedup"].tolist() == pytest.approx([26 / 16, 26 / 20])
    assert (table.loc[0, ["compression", "theoretical_speedup", "measured_speedup"]] == 1).all(axis=None)
    assert table.loc[3, "images_per_second"].tolist() == [210.0] * 2
    assert table.loc[3, "measured_speedup"].tolist() == pytest.approx([1.05] * 2)


@pytest.mark.parametrize("change", [{"cpu": "another"}, {"matmul": "another"}, {"accelerator": "one"}])
def test_speeds_of_different_machines_are_not_compared(change, tmp_path):
    masks = {HIDDEN: _mask([1, 0, 0, 0])}
    runs = [
        run(tmp_path, metrics(0, [0.5]), group="dense", record=_record(200.0)),
        run(tmp_path, metrics(0, [0.5], density=0.25), masks=masks, record=_record(900.0, **change)),
    ]
    table = _table(tmp_path, "compression", runs)
    assert table["images_per_second"].tolist() == [200.0, 900.0]
    assert table["measured_speedup"].isna().tolist() == [False, True]


def test_compression_of_an_in_run_ticket_and_without_diverged_lanes(tmp_path):
    """The ticket that the run left; its speed is that of several densities, so that none is shown."""
    dead = metrics(1, [0.5, 0.1], density=[1.0, 0.5], diverged_step=[None, 15])
    masks = {HIDDEN: _mask([1, 1, 0, 0], [1, 1, 0, 0])}
    rows = metrics(0, [0.5, 0.6], density=[1.0, 0.5]) + dead
    whole = metrics(0, [0.5]) + metrics(1, [0.5])
    runs = [
        run(tmp_path, whole, group="dense", record=_record(200.0)),
        run(tmp_path, rows, group="in_run", recipe="procedure", masks=masks, record=_record(190.0)),
    ]
    table = _table(tmp_path, "compression", runs)
    table = table[table["recipe"] == "procedure"]
    assert table[["seed", "round", "parameters", "multiply_adds"]].to_numpy().tolist() == [[0, 1, 14, 20]]
    assert table[["images_per_second", "measured_speedup"]].isna().all(axis=None)


@pytest.mark.parametrize("name", ["graph", "nodes", "weights", "histograms"])
def test_joined_tables(name, tmp_path):
    """The run's own rows, led by what the ticket is; an in-run ticket belongs to its last density."""
    own = {column: 0 for column in SCHEMAS[f"run_{name}"]} | {"part": "recurrent0", "seed": 1}
    own |= {column: text for column, text in (("state", "final"), ("measure", "density")) if column in own}
    rows = metrics(1, [0.5, 0.6], density=[1.0, 0.5])
    for kept, number, density in (([1, 1, 0, 0], 1, 0.5), ([0, 1, 0, 0], 2, 0.25)):  # the second: pruned at the end
        masks = {HIDDEN: _mask(kept)}
        one = run(tmp_path, rows, group="in_run", recipe="procedure", masks=masks, tables={f"run_{name}": [own]})
        table = _table(tmp_path, name, [one])
        assert len(table) == 1
        row = table.iloc[0]
        assert row[["arm", "recipe", "round", "density", "seed"]].tolist() == ["gd", "procedure", number, density, 1]
        assert row["part"] == "recurrent0"


@pytest.mark.parametrize("name", ["graph", "nodes", "weights", "histograms"])
def test_joined_tables_leave_diverged_lanes_out(name, tmp_path):
    own = {column: 0 for column in SCHEMAS[f"run_{name}"]} | {"part": "recurrent0"}
    own |= {column: text for column, text in (("state", "final"), ("measure", "density")) if column in own}
    rows = metrics(0, [0.5]) + metrics(1, [0.5, 0.1], diverged_step=[None, 15])
    masks = {HIDDEN: _mask([1, 1, 0, 0], [1, 1, 0, 0])}
    tables = {f"run_{name}": [{**own, "seed": seed} for seed in (0, 1)]}
    for group in ("rounds", "in_run"):
        table = _table(tmp_path, name, [run(tmp_path, rows, group=group, masks=masks, tables=tables)])
        assert table["seed"].tolist() == [0]


def test_diverged_lanes_have_no_ticket(tmp_path):
    """A lane that had diverged in the round before has one row; its mask is made of its last finite weights."""
    rows = metrics(0, [0.1], diverged_step=800, density=0.5) + metrics(1, [0.5], density=0.5)
    edges = [{"seed": seed, "tensor": HIDDEN, "source": 0, "target": 1, "weight": 1.0} for seed in (0, 1)]
    lanes = {HIDDEN: _mask([1, 1, 0, 0], [1, 1, 0, 0])}
    one = run(tmp_path, rows, masks=lanes, tables={"edges": edges})
    for name in ("layers", "components"):
        assert _table(tmp_path, name, [one])["seed"].tolist() == [1]
    assert _table(tmp_path, "overlap", [one]).empty  # no other to compare with
    assert _table(tmp_path, "rounds", [one])["diverged_step"].isna().tolist() == [False, True]


def test_no_ticket_at_all(tmp_path):
    one = run(tmp_path, metrics(0, [0.1], diverged_step=800), masks={HIDDEN: _mask([1, 1, 0, 0])}, tables={"edges": []})
    for name in ("layers", "overlap", "components"):
        assert _table(tmp_path, name, [one]).empty


def test_accuracies_of_a_diverged_lane_are_empty(tmp_path):
    """What it reached before would stand for its end."""
    io.write_json(tmp_path / "gd" / "best.json", {"lr": "0.2"})
    reached = [0.8, 0.7, None]
    rows = metrics(0, [0.8, 0.7, 0.1], diverged_step=[None, None, 15], validation_loss=0.5, test_accuracy=reached)
    for name, group in (("rounds", "dense"), ("lr_sweep", "sweep")):
        table = _table(tmp_path, name, [run(tmp_path, rows, group=group)])
        assert table[["test_accuracy", "test_accuracy_mean5"]].isna().all(axis=None)
        assert table["diverged_step"].tolist() == [15]


def _tickets(tmp_path):
    def ticket(arm, recipe, number, *lanes):
        rows = [row for seed in range(len(lanes)) for row in metrics(seed, [0.5], density=0.5)]
        return run(tmp_path, rows, arm=arm, recipe=recipe, number=number, masks={HIDDEN: _mask(*lanes)})

    return [
        ticket("gd", "main", 1, [1, 1, 1, 0], [1, 0, 1, 1]),
        ticket("gd", "main", 2, [1, 1, 0, 0], [0, 0, 1, 1]),
        ticket("eg", "main", 2, [1, 0, 1, 0], [0, 0, 1, 1]),
        ticket("gd", "control", 1, [0, 1, 1, 0], [0, 0, 1, 1]),
    ]


def test_overlap(tmp_path):
    recipes = {"main": {"criterion": "magnitude"}, "control": {"criterion": "magnitude_init"}}
    table = _table(tmp_path, "overlap", _tickets(tmp_path), recipes=recipes)
    table = table[table["part"] == "all"]
    keys = ["comparison", "arm_a", "recipe_a", "round_a", "seed_a", "arm_b", "recipe_b", "round_b", "seed_b"]
    found = {tuple(row[key] for key in keys): row["jaccard"] for row in table.to_dict("records")}
    third = pytest.approx(1 / 3)
    assert found == {
        ("arms", "gd", "main", 2, 0, "eg", "main", 2, 0): third,
        ("arms", "gd", "main", 2, 1, "eg", "main", 2, 1): 1.0,
        ("seeds", "gd", "main", 1, 0, "gd", "main", 1, 1): 0.5,
        ("seeds", "gd", "main", 2, 0, "gd", "main", 2, 1): 0.0,
        ("seeds", "eg", "main", 2, 0, "eg", "main", 2, 1): third,
        ("seeds", "gd", "control", 1, 0, "gd", "control", 1, 1): third,
        ("rounds", "gd", "main", 1, 0, "gd", "main", 2, 0): pytest.approx(2 / 3),
        ("rounds", "gd", "main", 1, 1, "gd", "main", 2, 1): pytest.approx(2 / 3),
        # only masks with as many kept weights as the control, i.e. round 2
        ("initial", "gd", "main", 2, 0, "gd", "control", 1, 0): third,
        ("initial", "gd", "main", 2, 1, "gd", "control", 1, 1): 1.0,
    }


def test_the_control_is_the_second_of_a_pair_wherever_config_names_it(tmp_path):
    runs, recipes = _tickets(tmp_path), {"control": {"criterion": "magnitude_init"}}
    for order in (runs, runs[::-1]):
        table = _table(tmp_path, "overlap", order, recipes=recipes)
        table = table[table["comparison"] == "initial"]
        assert set(table["recipe_a"]) == {"main"}
        assert set(table["recipe_b"]) == {"control"}


def test_consecutive_rounds_share_what_nesting_makes_of_them(tmp_path):
    """So their overlap is no more than chance, for any criterion."""
    table = _table(tmp_path, "overlap", _tickets(tmp_path))
    table = table[table["comparison"] == "rounds"]
    assert table["jaccard"].tolist() == table["chance"].tolist() == [2 / 3] * 4
    assert nested(0, 2) == nested(2, 0) == 0
    assert np.isnan(nested(0, 0))


def test_overlap_parts_and_chance(tmp_path):
    masks = {HIDDEN: _mask([1, 1, 1, 0], [1, 0, 0, 0]), INPUT: _mask([1, 1, 1, 1], [1, 1, 1, 1])}
    rows = metrics(0, [0.5]) + metrics(1, [0.5])
    table = _table(tmp_path, "overlap", [run(tmp_path, rows, masks=masks)]).set_index("part")
    assert table["jaccard"].to_dict() == pytest.approx({HIDDEN: 1 / 3, INPUT: 1.0, "all": 5 / 7})
    assert table.loc[HIDDEN, "chance"] == pytest.approx(chance(3, 1, 4))
    assert table.loc["all", "chance"] == pytest.approx(chance(7, 5, 8))


def test_components(tmp_path):
    """Units 0-1-2 hang together, 3-4 do not; the second seed, earlier round and other recipe stay out."""

    def edges(*pairs, seed=0, tensor=HIDDEN):
        return [
            {"seed": seed, "tensor": tensor, "source": a, "target": b, "weight": 0.5 + i}
            for i, (a, b) in enumerate(pairs)
        ]

    rows = metrics(0, [0.5], density=0.5) + metrics(1, [0.5], density=0.5)
    wanted = edges((3, 4), (0, 1), (2, 1), (1, 1)) + edges((5, 6), tensor=INPUT) + edges((7, 8), seed=1)
    runs = [
        run(tmp_path, rows, number=1, tables={"edges": edges((8, 9))}),
        run(tmp_path, rows, number=2, tables={"edges": wanted}),
        run(tmp_path, rows, recipe="control", tables={"edges": edges((8, 9))}),
    ]
    table = _table(tmp_path, "components", runs)
    assert table[["source", "target", "weight"]].to_numpy().tolist() == [[0, 1, 1.5], [2, 1, 2.5], [1, 1, 3.5]]
    assert set(table["part"]) == {"recurrent0"}
    assert set(table["round"]) == {2}


def test_program(tmp_path):
    one = run(tmp_path, metrics(0, [0.5]), group="dense")
    other = run(tmp_path, metrics(0, [0.5], validation_loss=1.0), group="sweep")  # not a group of this table
    entries = [vars(one), vars(other)]
    command = [
        sys.executable,
        "workflow_scripts/make_table.py",
        "--table",
        "rounds",
        "--out",
        str(tmp_path / "out.csv"),
    ]
    subprocess.run([*command, "--spec", io.json.dumps({"runs": entries})], check=True, cwd=ROOT)
    table = io.read_table(tmp_path / "out.csv", "rounds")
    assert table[["arm", "recipe", "seed"]].to_numpy().tolist() == [["gd", "dense", 0]]
    assert pandas.isna(table.loc[0, "diverged_step"])


def test_a_program_names_the_table_that_lacks_its_last_rows(tmp_path):
    """metrics.csv cut between two rows still is a CSV; it must not pass for a shorter run."""
    one = run(tmp_path, metrics(0, [0.5, 0.6]) + metrics(1, [0.5, 0.6]), group="dense")
    path = Path(one.folder, "metrics.csv")
    path.write_text("\n".join(path.read_text().splitlines()[:3]) + "\n")
    command = [sys.executable, "workflow_scripts/make_table.py", "--table", "rounds", "--out", str(tmp_path / "o.csv")]
    command += ["--spec", io.json.dumps({"runs": [vars(one)]})]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert f"Error: {path} cannot be read as a table" in " ".join(done.stderr.split())
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("program", "options"), [("make_table", ["--table", "rounds"]), ("select_rate", [])], ids=lambda value: str(value)
)
def test_programs_without_a_spec_say_what_it_must_hold(program: str, options: list[str], tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / f"workflow_scripts/{program}.py"), *options, "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --spec must")
