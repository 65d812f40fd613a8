"""What the head of the report answers, and how it explains what was compared: from tables, specs and docstrings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from report_results import KINDS, make

from winnow import io
from winnow.report import compared, page, ran, words
from winnow.report.compared import Compared
from winnow.report.sections import _benchmark_choice, _benchmark_findings, _pruning_arms, _sweep_findings
from winnow.schemas import SCHEMAS

ADAM: dict[str, Any] = {
    "model": {"name": "lenet_300_100"}, "dataset": "fashion_mnist", "optimizer": {"name": "adam"}, "lr": "0.001",
    "length": "20ep", "rewind": "1ep", "batch_size": 60, "schedule": {"name": "constant"}, "seeds": [0],
}  # fmt: skip
EG = {**ADAM, "optimizer": {"name": "eg", "momentum": 0.9}, "lr": "0.1"}
WIDE = {**ADAM, "model": {"name": "lenet5"}}


def summary(rows: list[tuple[str, str, float, tuple[float, ...], tuple[float, ...]]]) -> pandas.DataFrame:
    """(arm, recipe, density, difference to adam with its ends, change against dense with its ends) each."""
    made = []
    for arm, recipe, density, difference, change in rows:
        row: dict[str, Any] = dict.fromkeys(SCHEMAS["summary"])
        row |= {"arm": arm, "recipe": recipe, "density": density, "reference": "adam" if difference else None}
        for name, values in (("difference", difference), ("change", change)):
            ends = (name, f"{name}_ci95_low", f"{name}_ci95_high")
            row |= dict(zip(ends, values, strict=False))
        made.append(row | {"pairs": 3, "change_pairs": 3})
    return pandas.DataFrame(made).astype({"difference": float, "change": float})


CLEAR, OPEN = (-0.01, -0.02, -0.005), (0.0, -0.01, 0.01)


@pytest.fixture
def tickets() -> pandas.DataFrame:
    densities = (0.8, 0.64, 0.5, 0.4, 0.3, 0.2, 0.1)
    rows = [("adam", "ticket", density, (), CLEAR if density == 0.1 else OPEN) for density in densities]
    rows += [("eg", "control", 0.1, OPEN, OPEN)]
    rows += [("eg", "ticket", density, CLEAR if density <= 0.3 else OPEN, OPEN) for density in densities]
    return summary([*rows, ("wide", "ticket", 0.1, CLEAR, OPEN)])


def test_which_optimiser_prunes_better_is_said_with_densities_sizes_and_certainty(tickets: pandas.DataFrame) -> None:
    known = Compared({"adam": ADAM, "eg": EG, "wide": WIDE}, recipes=[("ticket", "small weights go")])
    ((question, said),) = _pruning_arms.answers(tickets, known)
    assert question == "Which optimiser prunes lenet_300_100 better, at which density and by how much?"
    assert said[0] == (
        "Recipe ticket at 10 % density: eg keeps 1.00 [0.50, 2.00] points less than adam (3 paired seeds). Of its 7 "
        "densities: clearly less accurate at 3 (10 to 30 %), by 1.00 points, clearly more accurate at none, undecided "
        "at 4."
    )
    assert said[1].startswith("adam at 10 % density (recipe ticket) reaches 1.00 [0.50, 2.00] points less than its ")
    assert said[2].startswith("eg at 10 % density (recipe ticket) and its dense network cannot be told apart")
    assert "clearly less accurate at none" in said[2]
    assert said[3] == "Recipe ticket: small weights go"
    assert said[4].startswith("Optimiser adam: Adam: steps of the gradient's running mean")
    assert said[5].startswith("Optimiser eg: Exponentiated gradient")
    assert not any("wide" in sentence for sentence in said)  # another network: no matter of optimisers


def test_arms_with_different_networks_are_no_comparison_of_optimisers(tickets: pandas.DataFrame) -> None:
    known = Compared({"adam": ADAM, "eg": EG, "wide": WIDE})
    said = _pruning_arms.differences(tickets, known)
    assert "wide and adam differ in their network, so that what follows" in " ".join(said)
    assert "eg and adam differ" not in " ".join(said)
    assert "wide (adam) keeps 1.00" in said[-1]


def test_one_seed_gives_differences_but_no_certainty() -> None:
    rows = summary([("eg", "ticket", d, (-0.01,), (0.002,)) for d in (0.5, 0.2)])
    ((_, said),) = _pruning_arms.answers(rows.assign(pairs=1, change_pairs=1), Compared())
    assert "One by one: −1.00 at 50 % and −1.00 at 20 %." in said[0]
    assert "clearly" not in " ".join(said)
    assert "These rest on one seed: how certain they are cannot be said." in said


def test_the_optimiser_to_take_is_the_one_that_validation_chose() -> None:
    """On the test images another one happens to be higher: that is said, too."""
    columns = dict.fromkeys(SCHEMAS["outcomes"])
    columns |= {"scenario": "plain", "density": 1.0, "n": 5, "seconds": 50.0, "reference": "sgd", "pairs": 5}
    rows = [
        columns | {"arm": arm, "test_accuracy": a, "test_accuracy_ci95_low": a - 0.002,
                   "test_accuracy_ci95_high": a + 0.002, "difference": a - 0.9,
                   "difference_ci95_low": a - 0.902, "difference_ci95_high": a - 0.898}
        for arm, a in (("muon", 0.91), ("lion", 0.911), ("sgd", 0.9))
    ]  # fmt: skip
    outcomes = pandas.DataFrame(rows)
    outcomes.loc[2, ["reference", "difference"]] = None
    ranking = pandas.DataFrame({"scenario": "plain", "arm": ["lion", "muon"], "rank": [2, 1], "lr": ["0.1", "0.02"],
                                "validation_loss": [0.3, 0.25]})  # fmt: skip
    known = Compared({"muon": WIDE}, told=[("muon", "momentum, orthogonalised"), ("lion", "signs")])
    ((question, said),) = _benchmark_choice.answers({"outcomes": outcomes, "ranking": ranking}, known)
    assert _benchmark_choice.elsewhere(ranking, outcomes) == ""
    thin = outcomes[outcomes["arm"] == "lion"].assign(scenario="density10")
    assert _benchmark_choice.elsewhere(ranking, pandas.concat([outcomes, thin])) == (
        "Of 2 in plain, those that run in other scenarios have the ranks: lion 2."
    )
    assert question == "Which optimiser to take for lenet5?"
    assert said == [
        "plain: of 2 tuned arms, muon had the smallest validation loss (0.2500 nats, one seed; rate 0.02). Trained "
        "anew with this setting it reaches 91.00 % [90.80, 91.20] (5 seeds) test accuracy in 50 s of training per "
        "seed. Against the reference: muon reaches 1.00 [0.80, 1.20] points more than sgd (5 paired seeds).",
        "Most accurate on the test images in plain: lion, 91.10 % [90.90, 91.30] (5 seeds); the intervals of 1 of the "
        "2 others overlap with it (muon).",
        "muon: momentum, orthogonalised",
    ]


def test_a_single_arm_in_a_scenario_is_not_called_better_than_others() -> None:
    row = {"scenario": "thin", "arm": "muon", "test_accuracy": 0.9, "density": 0.1, "n": 5}
    ends = {"test_accuracy_ci95_low": 0.89, "test_accuracy_ci95_high": 0.91}
    assert _benchmark_findings.best(pandas.DataFrame([row | ends])) == [
        "thin (10 % density): muon, 90.00 % [89.00, 91.00] (5 seeds), the only arm there."
    ]


@pytest.mark.parametrize(
    ("adjusted", "verdict"), [((0.05, 0.02, 0.07), "supported"), ((0.05, -0.02, 0.09), "not decided"),
                              ((-0.05, -0.07, -0.02), "contradicted")],
)  # fmt: skip
def test_a_belief_is_judged_at_equal_other_settings(adjusted: tuple[float, ...], verdict: str) -> None:
    names = ("adjusted", "adjusted_low", "adjusted_high")
    row = {"sweep": "wide", "conclusion": _sweep_findings.ABOUT_ACTIVATIONS, "trials_a": 20, "trials_b": 10,
           "difference": 0.01, "low": 0.001, "high": 0.02, **dict(zip(names, adjusted, strict=True))}  # fmt: skip
    (said,) = _sweep_findings.conclusions(pandas.DataFrame([row]))
    assert said.startswith(f"Sweep wide, “ReLU beats the other activations”: {verdict} at equal other settings, ")
    assert "between the trials as they are 1.0 [0.1, 2.0] points (20 trials against 10)" in said


def test_the_head_of_the_page_answers_and_says_how_to_repeat(tmp_path: Path) -> None:
    results = make(tmp_path)
    text = page.render(results, list(KINDS), {}, ["presets/quick.yaml"])
    head = text.partition('<section class="study"')[0]
    for question in ("prunes rnn better", "Which optimiser to take for", "say about activations?"):
        assert question in head
    assert "ReLU beats the other activations" in head
    for study in ("search", "methods"):
        assert f"--configfile presets/quick.yaml --config &#39;studies=[{study}]&#39;" in head.replace("'", "&#39;")
    assert "make env" in head


# ---------------------------------------------------------------- what is compared


def run(folder: Path, place: str, spec: dict[str, Any], mask: np.ndarray | None = None) -> None:
    io.write_json(folder / place / "run.json", {"spec": spec, "seeds": [0], "lr": "0.1"})
    if mask is not None:
        io.write_tensors(folder / place / "mask.safetensors", {"w": mask[None]}, {"seeds": json.dumps([0])})


def recipe(**values: Any) -> dict[str, Any]:
    return {"training": ADAM, "recipe": {"criterion": None, "scope": None, "one_shot": False, **values}}


def collected(folder: Path, **tables: pandas.DataFrame) -> Compared:
    return compared.collect(folder, ran.read(folder), tables)


def test_recipes_are_told_in_words(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    one, two = (random.random((4, 4)) < 0.5 for _ in range(2))
    place = "adam/{}/seeds0/round1"
    kept = recipe(criterion="magnitude", scope="layerwise", restart="rewind")
    run(tmp_path, place.format("ticket"), kept, one)
    run(tmp_path, place.format("a_control"), recipe(criterion="random", scope="global", restart="rewind"), two)
    run(tmp_path, place.format("again"), recipe(restart="random"), one)
    names = ["dense", "ticket", "again", "a_control"]
    found = collected(tmp_path, summary=pandas.DataFrame({"arm": "adam", "recipe": names}))
    assert [name for name, _ in found.recipes] == names[1:]  # in the order of the table
    told = dict(found.recipes)
    assert told["ticket"] == (
        "Magnitude of the trained weights, |w|: small weights go first, in each layer by itself. Then all that is left "
        "goes back to its values after 1 epoch."
    )
    assert told["again"] == "The masks of ticket. Then all that is left starts from a fresh initialisation."
    assert "among all prunable weights together" in told["a_control"]


def test_scenarios_are_told_by_what_they_add(tmp_path: Path) -> None:
    thin = {"name": "gradual_magnitude", "density": 0.1}
    short = {**ADAM, "length": "3ep", "augmentation": {"name": "shift_flip"}}
    for name, spec in {
        "plain": {"training": ADAM, "sparsify": None}, "thin": {"training": ADAM, "sparsify": thin},
        "short": {"training": short, "sparsify": None},
    }.items():  # fmt: skip
        run(tmp_path, f"adam/{name}/final/seeds0", spec)
    outcomes = pandas.DataFrame({"scenario": ["plain", "thin", "short"], "arm": "adam"})
    tuning = pandas.DataFrame({"scenario": ["plain", "short"]})
    told = dict(collected(tmp_path, outcomes=outcomes, tuning=tuning).scenarios)
    assert list(told) == ["plain", "thin", "short"]
    assert told["plain"] == "Every arm by itself, with nothing added. Tuned for it."
    assert told["thin"].startswith("At most 10 % of the prunable weights are not zero. Gradual magnitude pruning: ")
    assert told["thin"].endswith("With settings tuned in another scenario.")
    assert told["short"].startswith("Length 3 epochs, augmentation shift_flip. Images moved by a few pixels")


def test_arms_share_what_they_share(tmp_path: Path) -> None:
    for arm, spec in (("adam", ADAM), ("eg", EG)):
        run(tmp_path, f"{arm}/dense/all/lr0.1/seeds0", spec)
    found = collected(tmp_path, summary=pandas.DataFrame({"arm": ["eg", "adam"], "recipe": "dense"}))
    assert found.shared.startswith("All arms: network lenet_300_100, data set fashion_mnist, length 20 epochs")
    assert [name for name, _ in found.told] == ["eg", "adam"]
    assert found.told[0][1].startswith("optimiser eg (momentum 0.9), rate 0.1. Exponentiated gradient")


def test_sweeps_are_told_by_what_they_varied() -> None:
    trials = pandas.DataFrame(
        {"sweep": "s", **{name: 1 for name in SCHEMAS["trials"] if name != "sweep"}}, index=range(9)
    )
    trials = trials.assign(activation=["relu", "tanh", "relu"] * 3, learning_rate=[0.001 * k for k in range(1, 10)])
    assert compared.spaces(trials) == [("s", "9 trials over learning rate 0.001 to 0.009; activation relu and tanh.")]


def test_densities_are_a_range_where_they_are_neighbours() -> None:
    every = [0.8, 0.4, 0.2, 0.1]
    assert words.densities([0.4, 0.2, 0.1], every) == "10 to 40 %"
    assert words.densities([0.8, 0.1], every) == "10 and 80 %"
    assert words.densities([0.8, 0.4, 0.1], every) == "10, 40 and 80 %"
    assert [words.length(text) for text in ("1ep", "4000it", "odd")] == ["1 epoch", "4,000 iterations", "odd"]
