"""A section with scenarios: what is valid, and the jobs that follow from it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from winnow import config, plan, plugins
from winnow.errors import UserError
from winnow.jobs import Job

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
S = "optimizers"
L1 = {"name": "l1_proximal", "density": 0.6, "end": "1ep", "strength": 0.1}
SMALL = {  # three arms, so that a test takes no longer than it must
    "arms": {name: DEFAULT[S]["arms"][name] for name in ("starter", "nesterov", "muon")},
    "scenarios": {
        "plain": {},
        "short": {"arms": ["muon"], "training": {"length": "3ep"}, "tuned_in": "plain"},
        "l2": {"arms": ["muon"], "space": {"optimizer.weight_decay": [0.001, 0.01]}},
        "thin": {
            "arms": ["muon", "starter"],
            "sparsify": {"name": "gradual_magnitude", "density": 0.1, "start": "1ep", "end": "7ep"},
            "tuned_in": "plain",
        },
    },
}


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The study with few arms and scenarios and values (by dotted path) set, alone."""
    raw: dict[str, Any] = copy.deepcopy({**DEFAULT, "studies": [S], S: {**DEFAULT[S], **SMALL}})
    for path, value in changes:
        *parents, last = path.split(".")
        place = raw[S]
        for key in parents:
            place = place[key]
        place[last] = value
    return raw


def jobs(*changes: tuple[str, Any]) -> plan.Plan:
    return plan.Plan(config.validate(changed(*changes)))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("scenario", {}, r"optimizers.scenario: The key 'scenario' is not known. Did you mean 'scenarios'\?"),
        ("scenarios", {}, "optimizers.scenarios: .* valid is at least one entry"),
        ("reference", "adam", "optimizers.reference: The arm 'adam' is not known"),
        ("baseline", "plane", "optimizers.baseline: The scenario 'plane' is not known. Did you mean 'plain'"),
        ("targets", [1.5], r"optimizers.targets\[0\]: 1.5 is not valid; valid is a number > 0 and < 1"),
        ("tuning.finalists", 11, "optimizers.tuning.finalists: 11 is not valid; there are 10 trials"),
        ("arms.muon.lr", 0, "optimizers.arms.muon.lr: A learning rate must be a number above 0"),
        ("arms.muon.space", {"lr": {"low": 1, "high": 0.1}}, "optimizers.arms.muon.space.lr: .* with low < high"),
        ("arms.muon.space", {"optimizer.beta": [1]},
         "optimizers.arms.muon.space.optimizer.beta: The option 'optimizer.beta' is not known"),
        ("arms.muon.space", {"batch_size": [64, 60000]},
         "optimizers.arms.muon.space.batch_size: 60000 is not valid; arm muon trains on 55000 images"),
        ("arms.muon.training", {"batch_size": 70000}, "optimizers.arms.muon.training.batch_size: 70000 is not valid"),
        ("arms.muon.training", {"lenght": "3ep"}, "optimizers.arms.muon.training.lenght: The key 'lenght'"),
        ("arms.muon.optimizer", {"name": "saga", "every": 1}, "optimizers.arms.muon.optimizer.every: The option"),
        ("scenarios.l2.arms", ["moun"], r"optimizers.scenarios.l2.arms\[0\]: The arm 'moun' is not known. Did you"),
        ("scenarios.l2.optimizer", {"decay": 1}, "optimizers.scenarios.l2.optimizer.decay: The option of muon 'decay'"),
        ("scenarios.l2.space", {"sparsify.density": [0.1]},
         "optimizers.scenarios.l2.space.sparsify.density: The option 'sparsify.density' is not known"),
        ("scenarios.l2.training", {"evaluate_every": "1h"}, "optimizers.scenarios.l2.training.evaluate_every:"),
        ("scenarios.thin.tuned_in", "plane", "optimizers.scenarios.thin.tuned_in: The scenario .*'plane' is not known"),
        ("scenarios.thin.tuned_in", "short", "optimizers.scenarios.thin.tuned_in: The scenario .*'short' is not known"),
        ("scenarios.thin.tuned_in", "l2",
         "optimizers.scenarios.thin.tuned_in: 'l2' is not valid; starter does not run there"),
        ("scenarios.plain.enabled", False, "scenarios.short.tuned_in: 'plain' is switched off"),
        ("scenarios.short.space", {"lr": [1]}, "optimizers.scenarios.short.space: a scenario with tuned_in"),
        ("tuning.length", "11ep", "tuning.length: 11ep is not valid; .* arm nesterov trains for 10ep in plain"),
        ("scenarios.thin.sparsify.end", "10ep",
         "optimizers.scenarios.thin.sparsify.end: 10ep is not valid; the option end .*before the end of training"),
        ("scenarios.thin.tuned_in", None, "scenarios.thin.sparsify.end: 7ep is not valid; .* thin, trials of 3ep"),
        ("prunable", ["fc9*"], r"optimizers.prunable\[0\]: 'fc9\*' matches no tensor of the model lenet5"),
    ],
)  # fmt: skip
def test_every_mistake_is_told(path: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        config.validate(changed((path, value)))


def test_a_sparsifier_may_refuse_an_optimiser() -> None:
    feedback = ("scenarios.thin.sparsify", {"name": "pruning_with_feedback", "density": 0.1, "end": "2ep"})
    config.validate(changed(feedback))
    with pytest.raises(UserError, match=r"scenarios.thin.sparsify.name: .* does not take the optimiser hessian_free"):
        config.validate(changed(feedback, ("arms.starter.optimizer", {"name": "hessian_free"})))


@pytest.mark.parametrize(
    ("space", "thin", "message"),
    [
        ({"sparsify.strength": [0.1]}, {"sparsify": {"name": "iterative_hard_thresholding", "density": 0.1}},
         "sparsify.strength, which does not fit here"),
        ({"sparsify.strength": [0.1]}, {}, "sparsify.strength, which does not fit here"),
        ({"optimizer.weight_decay": [0.1]}, {"optimizer": {"weight_decay": 0.5}},
         "optimizer.weight_decay is tuned there"),
        ({"batch_size": [32, 64]}, {"training": {"batch_size": 128}}, "batch_size is tuned there, and set here"),
        ({"schedule.pct_start": [0.2, 0.3]}, {"training": {"schedule": {"name": "one_cycle", "pct_start": 0.5}}},
         "schedule.pct_start is tuned there, and set here"),
        ({"optimizer.weight_decay": [0.1]}, {"optimizer": {"momentum": 0.5}}, None),
        ({"sparsify.strength": [0.1]}, {"sparsify": {**L1, "density": 0.1}}, None),
    ],
)  # fmt: skip
def test_a_setting_tuned_elsewhere_fits_the_scenario_that_takes_it(
    space: dict[str, Any], thin: dict[str, Any], message: str | None
) -> None:
    scenarios = {
        "first": {"arms": ["muon"], "space": space, "sparsify": L1},
        "second": {"arms": ["muon"], "tuned_in": "first", **thin},
    }
    raw = changed(("scenarios", scenarios), ("baseline", "first"))
    if message is None:
        config.validate(raw)
    else:
        with pytest.raises(UserError, match=f"optimizers.scenarios.second.tuned_in: 'first' is not valid; .*{message}"):
            config.validate(raw)


def test_jobs_and_what_they_are_told() -> None:
    made = jobs()

    def of(rule: str) -> dict[tuple[str, str], Job]:
        found = [job for job in made.jobs.values() if job.rule == rule]
        return {(job.wildcards["arm"], job.wildcards["scenario"]): job for job in found}

    final = of("train_scenario")
    assert set(of("tune")) == {("nesterov", "plain"), ("muon", "plain"), ("muon", "l2")}
    both = {(arm, scenario) for arm in ("starter", "muon") for scenario in ("plain", "thin")}
    assert set(final) == {*both, ("nesterov", "plain"), ("muon", "short"), ("muon", "l2")}
    starter, short = final["starter", "plain"], final["muon", "short"]
    assert starter.inputs["best"] == []  # nothing is tuned
    assert starter.spec["training"]["lr"] == "0.001"
    assert starter.spec["training"]["inputs"] == "unit"
    assert short.inputs["best"] == ["results/optimizers/muon/plain/tuning/best.json"]
    assert (short.spec["training"]["lr"], short.spec["training"]["length"]) == ("best", "3ep")
    assert final["muon", "l2"].inputs["best"] == ["results/optimizers/muon/l2/tuning/best.json"]
    tuned = made.job("tune", {"study": S, "arm": "muon", "scenario": "l2"}).spec
    assert list(tuned["space"]) == ["lr", "optimizer.weight_decay"]
    assert tuned["start"] == {"lr": 0.05}
    assert (tuned["scenario"]["training"]["train_on"], tuned["length"]) == ("holdout", "3ep")
    table = made.job("table", {"study": S, "table": "final_runs"})
    assert table.spec["tuned_in"] == {"short": "plain", "thin": "plain"}
    assert "results/optimizers/muon/plain/tuning/best.json" in table.inputs["runs"]


def test_what_a_change_makes_stale() -> None:
    def keys(*changes: tuple[str, Any]) -> dict[tuple[str, ...], str]:
        return {identity: job.key for identity, job in jobs(*changes).jobs.items()}

    before = keys()

    def stale(*changes: tuple[str, Any]) -> set[tuple[str, ...]]:
        found = {identity for identity, key in keys(*changes).items() if before.get(identity) != key}
        return {identity[:1] + identity[2:4] for identity in found if identity[0] in ("tune", "train_scenario")}

    muon = {("tune", "muon", "plain"), *(("train_scenario", "muon", one) for one in ("plain", "short", "thin"))}
    assert stale(("arms.muon.lr", 0.06)) == muon | {("tune", "muon", "l2"), ("train_scenario", "muon", "l2")}
    assert stale(("scenarios.l2.space", {"optimizer.weight_decay": [0.1]})) == {
        ("tune", "muon", "l2"), ("train_scenario", "muon", "l2"),
    }  # fmt: skip
    assert stale(("scenarios.thin.sparsify.density", 0.2)) == {
        ("train_scenario", "muon", "thin"), ("train_scenario", "starter", "thin"),
    }  # fmt: skip
    assert not stale(("targets", [0.5]))
    assert not stale(("reference", "muon"), ("baseline", None))


def test_tables_learn_from_the_sparsifier_since_when_a_density_holds() -> None:
    def told(sparsifier: dict[str, Any]) -> Any:
        made = jobs(("scenarios.thin.sparsify", sparsifier))
        return made.job("table", {"study": S, "table": "final_runs"}).spec["sparse_from"]

    assert told({"name": "gradual_magnitude", "density": 0.1, "start": "1ep", "end": "7ep"}) == {"thin": "7ep"}
    assert told({"name": "l1_proximal", "density": 0.1, "end": "2ep", "strength": 0.1}) == {"thin": "2ep"}
    assert told({"name": "dynamic_sparse", "density": 0.1, "end": "7ep"}) == {}  # from the start
    assert told({"name": "iterative_hard_thresholding", "density": 0.1}) == {}


def test_the_default_study_is_that_of_the_issue() -> None:
    """Every family of optimisers has an arm; every arm but the starter is tuned with the same budget."""
    study = config.validate({**DEFAULT, "studies": [S]}).benchmarks[S]
    tuned = {arm for arm, scenario in study.running() if study.tuned_in(arm, scenario)}
    assert set(study.arms) - tuned == {"starter"}
    assert set(study.arms) == set(study.arms_of("plain"))
    used = {arm.optimizer["name"] for arm in study.arms.values()}
    same_or_ablation = {"gd", "gd_signed", "eg_unsigned"}
    assert used == set(plugins.names("optimizers")) - same_or_ablation
    densities = [scenario.sparsify["density"] for scenario in study.scenarios.values() if scenario.sparsify]
    assert densities == [0.6] * 5 + [0.3, 0.1, 0.05, 0.02]
