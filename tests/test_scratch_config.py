"""A section with sweeps: what is valid, and the jobs that follow from it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from winnow import config, plan, search_space
from winnow.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
SEED = "scratch.sweeps.seed"


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The default configuration with values (by dotted path) set, this study alone."""
    raw = copy.deepcopy(DEFAULT)
    for path, value in changes:
        *parents, last = path.split(".")
        place = raw
        for key in parents:
            place = place[key]
        place[last] = value
    raw["studies"] = ["scratch"]
    return raw


def jobs(*changes: tuple[str, Any]) -> plan.Plan:
    return plan.Plan(config.validate(changed(*changes)))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("scratch.sweep", {}, r"config: scratch.sweep: The key 'sweep' is not known. Did you mean 'sweeps'\?"),
        ("scratch.sweeps", {}, "config: scratch.sweeps: .* valid is at least one entry"),
        ("scratch.dataset", "letters", "config: scratch.dataset: There is no 'letters'"),
        (f"{SEED}.trials", 0, "config: scratch.sweeps.seed.trials: 0 is not valid; valid is a whole number >= 1"),
        (f"{SEED}.trials", 11665,
         "config: scratch.sweeps.seed.trials: 11665 is not valid; the space has 11664 settings"),
        (f"{SEED}.space", [3], r"config: scratch.sweeps.seed.space: \[3\] is not valid; valid is a mapping"),
        (f"{SEED}.space.optimizer", ["adm"],
         "config: scratch.sweeps.seed.space.optimizer: There is no optimiser 'adm'. Did you mean 'adam'"),
        (f"{SEED}.space.depth", [3], "config: scratch.sweeps.seed.space.depth: The option 'depth' is not known"),
        (f"{SEED}.finalists", {"configurations": 501, "seeds": [1]},
         "config: scratch.sweeps.seed.finalists.configurations: 501 is not valid; the sweep has 500 trials"),
        (f"{SEED}.finalists.seeds", [1, 2, 1], "config: scratch.sweeps.seed.finalists.seeds: .*more than once"),
        (f"{SEED}.finalists.seeds", [0, 1], "config: scratch.sweeps.seed.finalists.seeds: .*0 is the seed of the tri"),
        (f"{SEED}.finalists", {"configurations": 5}, "config: scratch.sweeps.seed.finalists.seeds: This key is mis"),
        ("scratch.best.train_on", "most", "config: scratch.best.train_on: 'most' is not valid"),
        ("scratch.best.seeds", [], "config: scratch.best.seeds: .* valid is at least one entry"),
        ("scratch.loss_pairs.sweep", "sed", "config: scratch.loss_pairs.sweep: The sweep 'sed' is not known. Did you"),
        ("scratch.carry_over.sweep", "sed", "config: scratch.carry_over.sweep: The sweep 'sed' is not known"),
        ("scratch.carry_over.dataset", "nist", "config: scratch.carry_over.dataset: There is no 'nist'"),
        ("scratch.image", 0, "config: scratch.image: 0 is not valid"),
        ("scratch.tables", ["trails"], r"config: scratch.tables\[0\]: There is no 'trails' among the tables"),
    ],
)  # fmt: skip
def test_every_mistake_is_told(path: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        config.validate(changed((path, value)))


@pytest.mark.parametrize("table", ["summary", "lr_sweep"])
def test_tables_of_other_studies_are_refused(table: str) -> None:
    with pytest.raises(UserError, match=f"scratch.tables: '{table}' .* which this study does not make"):
        jobs(("scratch.tables", [table]))


def test_a_study_of_another_kind_has_no_trials() -> None:
    raw = copy.deepcopy(DEFAULT)
    raw["gd_vs_eg"]["tables"] = ["trials"]
    with pytest.raises(UserError, match=r"gd_vs_eg.tables: 'trials' .* joins trials.csv"):
        plan.Plan(config.validate(raw))


def test_the_seed_studys_space_is_whole() -> None:
    space = config.validate(DEFAULT).scratch["scratch"].sweeps["seed"].space
    assert search_space.size(space) == 2 * 3 * 3 * 3 * 2 * 6 * 3 * 2 * 3


def test_jobs_of_the_default() -> None:
    made = jobs()
    rules = [job.rule for job in made.jobs.values()]
    assert rules.count("sweep") == 32
    assert rules.count("trials") == 2
    assert rules.count("train_from_scratch") == 2 * 5 + 2 * 50 + 10 * 3
    assert rules.count("finalists") == 1
    best = {job.wildcards["group"]: job for job in made.jobs.values() if job.wildcards.get("run") == "seed4"}
    assert best["seed_best"].inputs["best"] == ["results/scratch/sweeps/seed/finalists.json"]
    assert best["wider_best"].inputs["best"] == ["results/scratch/sweeps/wider/best.json"]
    assert best["seed_best"].spec["train_on"] == "all"
    assert rules.count("classify") == 1
    assert "results/scratch/runs/loss_pairs/pair49_mean_squared_error/metrics.csv" in made.maker
    carried = jobs(("scratch.carry_over.enabled", True))
    assert [job.wildcards["run"] for job in carried.jobs.values() if job.wildcards.get("group") == "carry_over"] == [
        "rank1_seed0", "rank2_seed0", "rank3_seed0",
    ]  # fmt: skip
    assert "results/data/mnist/dataset.json" in carried.maker
    outputs = {"results/scratch/tables/carry_over.csv", "results/scratch/figures/carry_over.png"}
    assert outputs <= set(carried.maker)
    assert not outputs & set(made.maker)


def test_what_a_change_makes_stale() -> None:
    def keys(*changes: tuple[str, Any]) -> dict[tuple[str, ...], str]:
        return {identity: job.key for identity, job in jobs(*changes).jobs.items()}

    before = keys()

    def rules(*changes: tuple[str, Any]) -> set[str]:
        return {identity[0] for identity, key in keys(*changes).items() if before.get(identity) != key}

    everything = {"sweep", "trials", "train_from_scratch", "finalists", "classify", "table", "figure"}
    assert rules((f"{SEED}.trials", 600)) == everything
    assert rules((f"{SEED}.workers", 17)) == {"sweep"}  # the seventeenth worker
    assert rules(("scratch.image", 2)) == {"classify", "table", "figure"}
    chosen = everything - {"sweep", "trials"}  # no trial, but what is chosen of them
    assert rules((f"{SEED}.finalists.seeds", [1, 2])) == chosen
    assert rules((f"{SEED}.finalists.configurations", 11)) == chosen
    assert rules(("scratch.best.train_on", "holdout")) == {"train_from_scratch", "classify", "table", "figure"}
    assert rules(("scratch.loss_pairs.pairs", 51)) == {"train_from_scratch", "table", "figure"}
    assert rules(("scratch.best.seeds", [0, 1, 2, 3, 4, 5])) == {"train_from_scratch", "classify", "table", "figure"}
    drawn = {key for identity, key in before.items() if "loss_pairs" in identity}
    assert len(drawn) == 100
    assert drawn <= set(keys((f"{SEED}.trials", 600)).values())  # pairs are drawn from the space, not from the trials
