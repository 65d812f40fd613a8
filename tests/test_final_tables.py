"""The joint tables of a study of optimisers, from tiny run folders with values checked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from synthetic_finals import final, trial, tuned
from synthetic_tables import metrics, read_back

from winnow import plugins
from winnow.errors import UserError
from winnow.tables._runs import Run

ARM = ["scenario", "arm"]


def table(root: Path, name: str, *runs: Run, **spec: Any) -> pandas.DataFrame:
    """As make_table.py does: the runs of the table's groups only."""
    module = plugins.load("tables", name)
    return read_back(root, name, module.rows([run for run in runs if run.group in module.GROUPS], spec))


def lane(seed: int, accuracies: list[float], **columns: Any) -> list[dict[str, Any]]:
    """Evaluations after 10, 20, ... iterations of 4 images."""
    images = [40 * (i + 1) for i in range(len(accuracies))]
    return metrics(seed, accuracies, **({"sample_gradients": images} | columns))


def sparse(name: str, density: float, scope: str = "global", **options: Any) -> dict[str, Any]:
    """The spec of a sparse scenario, as far as tables read it."""
    return {"sparsify": {"name": name, "density": density, **options}, "scope": scope}


def dead(seed: int) -> list[dict[str, Any]]:
    return lane(seed, [0.95, 0.1], test_loss=[0.3, None], diverged_step=[None, 15])


def test_all_trials_are_joined_and_the_chosen_finalist_is_marked(tmp_path: Path) -> None:
    trials = [
        trial(0, 0.5),
        trial(1, None, lr="9"),
        trial(2, 0.4),
        trial(0, 0.3, "finalist"),
        trial(2, 0.2, "finalist"),
    ]
    runs = [tuned(tmp_path, trials, 2), tuned(tmp_path, [trial(0, 0.5), trial(1, 0.6)], 0, arm="adam", scenario="l2")]
    found = table(tmp_path, "tuning", *runs)
    assert found[ARM].to_numpy().tolist() == [["plain", "sgd"]] * 5 + [["l2", "adam"]] * 2
    assert found["chosen"].tolist() == [False, False, False, False, True, True, False]
    assert found["lr"].tolist()[:2] == ["0.1", "9"]
    assert found["settings"].tolist()[0] == "{}"
    assert found["diverged_step"].tolist()[1] == 7


def test_no_trial_is_chosen_where_all_diverged(tmp_path: Path) -> None:
    run = tuned(tmp_path, [trial(0, None), trial(1, None)], None)
    assert not table(tmp_path, "tuning", run)["chosen"].any()


def test_the_ranking_is_by_the_chosen_settings_validation_loss_in_every_scenario(tmp_path: Path) -> None:
    runs = [
        tuned(tmp_path, [trial(0, None)], None, arm="lost"),
        tuned(tmp_path, [trial(0, 0.1), trial(0, 0.5, "finalist", lr="0.20", settings='{"a":1}')], 0, arm="worse"),
        tuned(tmp_path, [trial(0, 0.4)], 0, arm="worse", scenario="l2"),
        tuned(tmp_path, [trial(0, 0.2)], 0, arm="better"),
    ]
    found = table(tmp_path, "ranking", *runs)
    assert found[ARM].to_numpy().tolist() == [
        ["plain", "better"],
        ["plain", "worse"],
        ["plain", "lost"],
        ["l2", "worse"],
    ]
    assert found["rank"].tolist() == [1, 2, 3, 1]
    assert found["lr"].tolist()[1] == "0.20"
    assert found["settings"].tolist()[1] == '{"a":1}'
    assert found["validation_loss"].tolist()[:2] == [0.2, 0.5]
    assert found["validation_accuracy"].tolist()[:2] == [0.8, 0.5]
    assert np.isnan(found["validation_loss"][2])


def test_what_final_runs_end_with_and_cost(tmp_path: Path) -> None:
    """Per gradient 3 x 12 multiply-adds, per step 5; 40 seconds are those of two lanes, by their work."""
    rows = lane(3, [0.5, 0.75]) + lane(4, [0.5, 0.8], sample_gradients=[60, 120])
    run = final(tmp_path, rows, lr="0.05", update_multiply_adds=5.0)
    settings = {"optimizer.weight_decay": 0.001, "batch_size": 32}
    found = table(tmp_path, "final_runs", tuned(tmp_path, [trial(0, 0.5)], 0, settings=settings), run)
    assert found["seed"].tolist() == [3, 4]
    row = found.iloc[0]
    assert (row["scenario"], row["arm"], row["lr"], row["epochs"], row["density"]) == ("plain", "sgd", "0.05", 2, 1)
    assert row["settings"] == '{"batch_size":32,"optimizer.weight_decay":0.001}'
    assert row[["train_loss", "test_loss", "test_accuracy"]].tolist() == pytest.approx([0.25, 0.35, 0.75])
    assert found["sample_gradients"].tolist() == [80, 120]
    work = [80 * 36 + 20 * 5, 120 * 36 + 20 * 5]
    assert found["multiply_adds"].tolist() == work
    assert found["seconds"].tolist() == pytest.approx([40 * one / sum(work) for one in work])
    assert found[["nonzero", "sparsifier", "diverged_step"]].isna().all(axis=None)


def test_an_arm_without_tuning_has_no_further_settings(tmp_path: Path) -> None:
    found = table(tmp_path, "final_runs", final(tmp_path, lane(0, [0.5])))
    assert found["settings"].tolist() == ["{}"]


def test_nonzero_weights_are_counted_in_the_prunable_tensors(tmp_path: Path) -> None:
    """The mask keeps three weights of seed 0, of which training left one at zero; biases are not prunable."""
    weight = np.array([[1.0, 0, 0, 2.0], [1.0, 1.0, 0, 0]], dtype=np.float32).reshape(2, 2, 2)
    tensors = {"mask": {"fc.weight": np.ones((2, 2, 2), dtype=bool)}, "final": {"fc.weight": weight, "fc.bias": weight}}
    rows = lane(0, [0.5], density=0.75) + lane(1, [0.5], density=0.5, diverged_step=3)
    run = final(tmp_path, rows, scenario="thin", tensors=tensors, spec=sparse("dynamic_sparse", 0.75))
    found = table(tmp_path, "final_runs", run)
    assert found["nonzero"].tolist()[0] == 2
    assert np.isnan(found["nonzero"][1])  # diverged
    assert found["density"].tolist() == [0.75, 0.5]
    assert found["sparsifier"].tolist() == ["dynamic_sparse"] * 2


@pytest.mark.parametrize(
    ("densities", "nonzero", "spec", "wrong"),
    [
        ([0.5, 0.5], 4, sparse("iterative_hard_thresholding", 0.5), False),
        ([0.5, 0.5], 5, sparse("iterative_hard_thresholding", 0.5), True),  # one weight more than the mask says
        ([0.625, 0.5], 4, sparse("iterative_hard_thresholding", 0.5), True),
        ([0.625, 0.5], 4, sparse("gradual_magnitude", 0.5, end="1ep"), False),  # on the way there
        ([1.0, 0.625], 5, sparse("gradual_magnitude", 0.5, end="10it"), True),
        ([0.625, 0.5], 4, sparse("gradual_magnitude", 0.5, end="9it"), True),
        ([0.625, 0.5], 4, sparse("dynamic_sparse", 0.5, end="1ep"), True),  # its density holds throughout
        ([0.625, 0.625], 5, sparse("dynamic_sparse", 0.55, "layerwise"), True),  # 2 + 2 of 4 + 4, not 4.4 of 8
        ([0.5, 0.5], 4, sparse("dynamic_sparse", 0.55, "layerwise"), False),
    ],
)
def test_more_weights_than_a_scenario_allows_are_an_error(
    tmp_path: Path, densities: list[float], nonzero: int, spec: dict[str, Any], wrong: bool
) -> None:
    values = np.zeros((1, 8), dtype=np.float32)
    values[:, :nonzero] = 1
    weights = {"a.weight": values[:, :4], "b.weight": values[:, 4:], "b.bias": np.ones((1, 2), dtype=np.float32)}
    tensors = {"mask": {name: weights[name] != 0 for name in ("a.weight", "b.weight")}, "final": weights}
    run = final(tmp_path, lane(0, [0.5, 0.6], density=densities), scenario="thin", tensors=tensors, spec=spec)
    gradual = spec["sparsify"]["name"] == "gradual_magnitude"
    sparse_from = {"thin": spec["sparsify"]["end"]} if gradual else {}
    if wrong:
        with pytest.raises(UserError, match=r"thin/final/seeds0: seed 0 has 5 nonzero weights of 8 .*allows 4\."):
            table(tmp_path, "final_runs", run, sparse_from=sparse_from)
    else:
        assert table(tmp_path, "final_runs", run, sparse_from=sparse_from)["nonzero"].tolist() == [nonzero]


def test_settings_that_were_tuned_in_another_scenario_are_told(tmp_path: Path) -> None:
    runs = [tuned(tmp_path, [trial(0, 0.5)], 0, settings={"optimizer.damping": 0.1})]
    runs += [final(tmp_path, lane(0, [0.5]), scenario=name) for name in ("plain", "thin")]
    found = table(tmp_path, "final_runs", *runs, tuned_in={"thin": "plain"})
    assert found["settings"].tolist() == ['{"optimizer.damping":0.1}'] * 2


def test_a_diverged_lane_has_no_losses_and_keeps_its_step(tmp_path: Path) -> None:
    found = table(tmp_path, "final_runs", final(tmp_path, dead(0)))
    assert found[["train_loss", "test_loss", "test_accuracy"]].isna().all(axis=None)
    assert found["diverged_step"].tolist() == [15]


def test_outcomes_by_hand(tmp_path: Path) -> None:
    """sgd 0.6 and 0.8 against adam 0.5, 0.6 and one lost: mean 0.7, sd 0.1414, t(1) 12.7062; differences 0.1, 0.2."""
    sgd = final(tmp_path, lane(0, [0.6]) + lane(1, [0.8]) + lane(2, [0.7]), processor_seconds=30.0)
    adam = final(tmp_path, lane(0, [0.5]) + lane(1, [0.6]) + dead(2), arm="adam")
    alone = final(tmp_path, lane(0, [0.9]) + lane(1, [0.6]) + dead(2), scenario="l2")
    lost = final(tmp_path, dead(0), arm="lion")
    new = final(tmp_path, lane(0, [0.9]), arm="lion", scenario="l2")
    found = table(tmp_path, "outcomes", sgd, adam, alone, lost, new, reference="adam", baseline="plain").set_index(ARM)
    first = found.loc[("plain", "sgd")]
    assert (first["n"], first["diverged"], first["pairs"]) == (3, 0, 2)
    assert first[["test_accuracy", "test_accuracy_sd"]].tolist() == pytest.approx([0.7, 0.1])
    half = 4.302653 * 0.1 / 3**0.5
    ends = first[["test_accuracy_ci95_low", "test_accuracy_ci95_high"]].tolist()
    assert ends == pytest.approx([0.7 - half, 0.7 + half])
    assert first[["test_loss", "sample_gradients", "multiply_adds", "seconds"]].tolist() == pytest.approx(
        [0.4, 40, 1440, 10]
    )
    assert (first["reference"], first["difference"]) == ("adam", pytest.approx(0.15))
    half = 12.706205 * 0.05 * 2**0.5 / 2**0.5
    assert first["difference_ci95_high"] == pytest.approx(0.15 + half)
    second = found.loc[("plain", "adam")]
    assert (second["n"], second["diverged"]) == (2, 1)
    assert second["test_accuracy"] == pytest.approx(0.55)
    assert pandas.isna(second["reference"])
    assert first[["baseline", "change", "change_pairs"]].isna().all()
    changed = found.loc[("l2", "sgd")]  # by 0.3 and -0.2; the third seed is lost
    assert (changed["baseline"], changed["change_pairs"], changed["pairs"]) == ("plain", 2, 0)
    assert changed["change"] == pytest.approx(0.05)
    ends = changed[["change_ci95_low", "change_ci95_high"]].tolist()
    assert ends == pytest.approx([0.05 - 12.706205 * 0.25, 0.05 + 12.706205 * 0.25])
    single = found.loc[("l2", "lion")]
    assert (single["n"], single["change_pairs"]) == (1, 0)
    assert single[["test_accuracy_sd", "test_accuracy_ci95_low", "difference", "change"]].isna().all()
    gone = found.loc[("plain", "lion")]
    assert (gone["n"], gone["diverged"]) == (0, 1)
    assert gone[["test_accuracy", "test_loss", "seconds", "difference"]].isna().all()


def test_a_loss_that_overflowed_is_left_out(tmp_path: Path) -> None:
    found = table(tmp_path, "outcomes", final(tmp_path, lane(0, [0.5], test_loss=None) + lane(1, [0.7])))
    assert found["test_loss"].tolist() == pytest.approx([0.4])
    assert found["test_accuracy"].tolist() == pytest.approx([0.6])


def test_the_course_has_every_evaluation_with_its_cost(tmp_path: Path) -> None:
    rows = lane(0, [0.5, 0.7, 0.8], density=[1.0, 0.8, 0.5], lr=[0.1, 0.05, 0.0])
    found = table(tmp_path, "course", final(tmp_path, rows, update_multiply_adds=0.25))
    assert found["iteration"].tolist() == [10, 20, 30]
    assert found["density"].tolist() == [1.0, 0.8, 0.5]
    assert found["lr"].tolist() == ["0.1", "0.05", "0.0"]
    assert found["sample_gradients"].tolist() == [40, 80, 120]
    assert found["multiply_adds"].tolist() == [1442, 2885, 4328]  # 1442.5, 2885 and 4327.5, rounded to even
    assert found["seconds"].tolist() == pytest.approx([40 / 3, 80 / 3, 40])


def test_seconds_follow_the_work_where_the_batch_grows(tmp_path: Path) -> None:
    """An epoch of 40 images each, in 20 steps, then in 10, then in 2: a third of the time each."""
    rows = metrics(0, [0.5, 0.7, 0.8], iteration=[20, 30, 32], sample_gradients=[40, 80, 120])
    found = table(tmp_path, "course", final(tmp_path, rows, processor_seconds=30.0))
    assert found["seconds"].tolist() == pytest.approx([10, 20, 30])


def test_the_first_evaluation_at_the_last_density_reaches_a_target(tmp_path: Path) -> None:
    """Dense it was above 0.8 before; between, thinner than at the end, it counts."""
    rows = lane(0, [0.9, 0.7, 0.75, 0.95, 0.6], density=[1.0, 0.4, 0.3, 0.4, 0.5])
    runs = [final(tmp_path, rows, processor_seconds=50.0), final(tmp_path, dead(0), arm="lost")]
    found = table(tmp_path, "time_to_target", *runs, targets=[0.75, 0.8, 0.96])
    assert found["target"].tolist() == [0.75, 0.8, 0.96] * 2
    assert found["epoch"].tolist()[:2] == [3, 4]
    assert found["iteration"].tolist()[:2] == [30, 40]
    assert found["sample_gradients"].tolist()[:2] == [120, 160]
    assert found["multiply_adds"].tolist()[:2] == [120 * 36, 160 * 36]
    assert found["seconds"].tolist()[:2] == pytest.approx([30, 40])
    assert found.loc[2:, ["epoch", "iteration", "sample_gradients", "multiply_adds", "seconds"]].isna().all(axis=None)
    assert table(tmp_path, "time_to_target", *runs).empty  # without targets


def test_a_target_is_reached_by_being_equal_to_it(tmp_path: Path) -> None:
    found = table(tmp_path, "time_to_target", final(tmp_path, lane(0, [0.5, 0.91])), targets=[0.91])
    assert found["epoch"].tolist() == [2]


def test_performance_profile_by_hand(tmp_path: Path) -> None:
    """Problems: seeds 0 and 1 (nobody solves seed 2). fast needs 40 and 80 gradients, slow 120 and 40, never none."""
    fast = final(tmp_path, lane(0, [0.9, 0.9]) + lane(1, [0.1, 0.9]) + lane(2, [0.1, 0.1]), arm="fast")
    slow = final(tmp_path, lane(0, [0.1, 0.1, 0.9]) + lane(1, [0.9, 0.9, 0.9]) + lane(2, [0.1, 0.1, 0.1]), arm="slow")
    never = final(tmp_path, lane(0, [0.1]) + lane(1, [0.1]), arm="never")
    found = table(tmp_path, "performance_profile", fast, slow, never, targets=[0.8])
    mine = found[found["measure"] == "sample_gradients"]
    assert mine[["arm", "tau", "share"]].to_numpy().tolist() == [
        ["fast", 1.0, 0.5], ["fast", 2.0, 1.0], ["slow", 1.0, 0.5], ["slow", 3.0, 1.0], ["never", 1.0, 0.0],
    ]  # fmt: skip
    assert found["measure"].unique().tolist() == ["sample_gradients", "multiply_adds", "seconds"]
    assert table(tmp_path, "performance_profile", never, targets=[0.8]).empty  # no problem that anybody solved


def test_targets_are_problems_of_their_own(tmp_path: Path) -> None:
    one = final(tmp_path, lane(0, [0.6, 0.9]), arm="one")
    other = final(tmp_path, lane(0, [0.7, 0.7]), arm="other")
    found = table(tmp_path, "performance_profile", one, other, targets=[0.5, 0.8])
    mine = found[found["measure"] == "seconds"].set_index("arm")["share"]
    assert mine.to_dict() == {"one": 1.0, "other": 0.5}


def test_parameters_and_their_total(tmp_path: Path) -> None:
    weights = {"fc.weight": np.zeros((1, 2, 3), dtype=np.float32), "fc.bias": np.zeros((1, 2), dtype=np.float32)}
    dense = final(tmp_path, lane(0, [0.5]), tensors={"final": weights})
    mask = {"fc.weight": np.ones((1, 2, 3), dtype=bool)}
    sparse = final(tmp_path, lane(0, [0.5]), scenario="thin", tensors={"final": weights, "mask": mask})
    found = table(tmp_path, "parameters", dense, sparse)
    assert found[ARM].to_numpy().tolist() == [["plain", "sgd"]] * 3
    assert found["tensor"].tolist() == ["fc.weight", "fc.bias", "total"]
    assert found["shape"].tolist()[0] == "2x3"
    assert found["parameters"].tolist() == [6, 2, 8]
    assert found["multiply_adds"].tolist() == [12, 0, 12]
    assert found["prunable"].tolist() == [6, 0, 6]
    assert table(tmp_path, "parameters", dense)["prunable"].isna().all()


def test_step_losses_are_joined_of_the_runs_that_log_them(tmp_path: Path) -> None:
    steps = [{"seed": seed, "step": step, "loss": 2.3 / step} for seed in (0, 1) for step in (1, 2)]
    runs = [final(tmp_path, lane(0, [0.5]) + lane(1, [0.5]), steps=steps), final(tmp_path, lane(0, [0.5]), arm="adam")]
    found = table(tmp_path, "step_losses", *runs)
    assert found[ARM].to_numpy().tolist() == [["plain", "sgd"]] * 4
    assert found["loss"].tolist() == [2.3, 1.15] * 2


def test_a_missing_run_is_named(tmp_path: Path) -> None:
    run = final(tmp_path, lane(0, [0.5]))
    Path(run.folder, "run.json").unlink()
    with pytest.raises(UserError, match=r"run\.json"):
        table(tmp_path, "course", run)
