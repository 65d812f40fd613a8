"""The configuration: what is accepted, what each mistake is answered with, and the jobs that follow from it."""

from __future__ import annotations

import copy
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from winnow import config, fields, jobs, options, plan, plugins, rates
from winnow.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(path: str, value: Any) -> dict[str, Any]:
    """The default configuration with one value (by dotted path) set."""
    raw = copy.deepcopy(DEFAULT)
    *parents, last = path.split(".")
    place = raw
    for key in parents:
        place = place[key]
    place[last] = value
    return raw


S, T = "gd_vs_eg", "tickets"
GRADUAL = {"name": "gradual_magnitude", "density": 0.1, "end": "10ep"}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        # unknown keys and names, with the nearest valid one
        ("executon", {"device": "cpu"},
         r"config: executon: The key 'executon' is not known. Did you mean 'execution'\?"),
        ("store", 3,
         "store: The key 'store' is not known. .*Valid names: data, execution, gd_vs_eg, optimizers"),
        ("studies", ["gd_vs_egg"], r"studies\[0\]: The study 'gd_vs_egg' is not known. Did you mean 'gd_vs_eg'\?"),
        ("studies", [], r"studies: \[\] is not valid; it must list at least one of gd_vs_eg"),
        ("studies", [S, S], "more than once"),
        ("pathvars", {"result": "x"}, "the only key is results"),
        (f"{S}.lenght", 3, "config: gd_vs_eg.lenght: The key 'lenght' is not known"),
        (f"{S}.training.lenght", "3ep",
         r"gd_vs_eg.training.lenght: The key 'lenght' is not known. Did you mean 'length'\?"),
        (f"{S}.arms.gd.rate", [1], r"gd_vs_eg.arms.gd.rate: The key 'rate' is not known. Did you mean 'rates'\?"),
        (f"{S}.dataset", "fashion_mnst", r"dataset: There is no 'fashion_mnst' .* Did you mean 'fashion_mnist'\?"),
        (f"{S}.model.name", "rn", "gd_vs_eg.model.name: There is no 'rn' among the models"),
        (f"{S}.model.hiden", 3,
         r"gd_vs_eg.model.hiden: The option of rnn 'hiden' is not known. Did you mean 'hidden'\?"),
        (f"{S}.model", {"hidden": 3}, "gd_vs_eg.model: The key 'name' is missing. Valid names: .*rnn"),
        (f"{S}.arms.gd.optimizer.name", "sdg", "arms.gd.optimizer.name: There is no 'sdg' among the optimizers. .*gd"),
        (f"{S}.arms.gd.optimizer.lr", 1.0, "The option of gd 'lr' is not known"),
        (f"{S}.training.schedule.name", "steps", r"There is no 'steps' among the schedules. Did you mean 'step'\?"),
        (f"{S}.recipes.random_mask.criterion", "chance", "recipes.random_mask.criterion: There is no 'chance'"),
        (f"{S}.recipes.random_mask.scope", "locally",
         "scope: 'locally' is not valid; valid is 'global' or 'layerwise'"),
        (f"{S}.measures.graph", ["degre"], r"graph\[0\]: The measure 'degre' is not known. Did you mean 'degree'\?"),
        (f"{S}.measures.weights", ["degree"], r"measures.weights\[0\]: The measure 'degree' is not known"),
        (f"{S}.figures.formats", ["jpg"], r"figures.formats\[0\]: 'jpg' is not valid; valid is 'png', 'pdf' or 'svg'"),
        (f"{S}.figures.names", ["pie"], "There is no 'pie' among the figures"),
        (f"{S}.tables", ["pie"], "There is no 'pie' among the tables"),
        (f"{S}.reference", "sgd", "reference: The arm 'sgd' is not known. .*Valid names: eg, gd"),
        ("data", {"nmist": {}}, "config: data.nmist: There is no 'nmist' among the datasets"),
        # types
        (f"{S}.training.batch_size", "256", "training.batch_size: '256' is not valid; valid is a whole number >= 1"),
        (f"{S}.training.batch_size", 0, "batch_size: 0 is not valid; valid is a whole number >= 1"),
        (f"{S}.training.clip", -1,
         "training.clip: -1 is not valid; valid is a finite number > 0, or null to clip nothing"),
        (f"{S}.model.hidden", 2.5, "model.hidden: The option hidden of rnn is 2.5; valid is a whole number >= 1"),
        (f"{S}.arms.gd.optimizer.momentum", "fast",
         "The option momentum of gd is 'fast'; valid is a number >= 0 and < 1"),
        (f"{S}.arms.gd.optimizer", "gd", "optimizer: 'gd' must be a mapping with the key 'name'"),
        ("execution.threads", True, "execution.threads: True is not valid; valid is a whole number >= 1"),
        (f"{S}.training.precision", "tf32", f"{S}.training.precision: 'tf32' is not valid on a CPU; valid is fp32 or"),
        ("execution.deterministic", "yes", "execution.deterministic: 'yes' is not valid; valid is true or false"),
        (f"{S}.sweep.fuse", ["seeds"], r"sweep.fuse\[0\]: 'seeds' is not valid; valid is 'lr'"),
        ("execution.device", "gpu", "execution.device: 'gpu' is not valid; valid is one of cpu, cuda, mps, xpu, auto"),
        # ranges
        (f"{S}.arms.gd.rates", [0.1, 0],
         r"gd_vs_eg.arms.gd.rates\[1\]: A learning rate must be a number above 0, not 0"),
        (f"{S}.arms.gd.rates", [-0.1], "number above 0, not -0.1"),
        (f"{S}.arms.gd.rates", ["fast"], "number above 0, not 'fast'"),
        (f"{S}.arms.gd.rates", [True], "number above 0, not True"),
        (f"{S}.arms.gd.rates", [".inf"], "number above 0"),
        (f"{S}.arms.gd.rates", [1e30], r"rates\[0\]: A learning rate must lie between 1e-12 and 1e12, unlike 1e\+30"),
        (f"{S}.arms.gd.rates", ["1e-3", 0.0010], "0.001 stands there more than once"),
        (f"{S}.arms.gd.pruning_rate", 0, "gd_vs_eg.arms.gd.pruning_rate: A learning rate must be"),
        (f"{S}.training.rewind", "20ep",
         r"training.rewind: 20ep is not valid; .* before the end of training \(20ep = 4700it"),
        (f"{S}.training.rewind", "21ep", "training.rewind: 21ep is not valid"),
        (f"{S}.training.length", "0ep", "training.length: '0ep' is not valid here"),
        (f"{S}.training.length", 20, "training.length: 20 is not a duration"),
        (f"{S}.arms.gd.training", {"length": "1ep"}, "config: gd_vs_eg.arms.gd.training.rewind: 1ep is not valid"),
        (f"{S}.arms.gd.training", {"lenght": "1ep"},
         "config: gd_vs_eg.arms.gd.training.lenght: The key 'lenght' is not known"),
        (f"{S}.validation", 0,
         "gd_vs_eg.validation: 0 is not valid; valid is 1 to one less than .*59999 for fashion_mnist"),
        (f"{S}.dense.seeds", [[0, 1], [1]], "dense.seeds: 1 stands there more than once"),
        (f"{S}.dense.seeds", [[-1]], r"dense.seeds\[0\]\[0\]: -1 is not valid; valid is a whole number >= 0"),
        (f"{S}.dense.seeds", [[]], "A seed block is empty"),
        (f"{S}.dense.seeds", [], r"dense.seeds: \[\] is not valid; valid is at least one entry"),
        (f"{S}.recipes.random_mask.density", 1.0,
         "random_mask.density: 1.0 is not valid; valid is a number > 0 and < 1"),
        (f"{S}.recipes.random_mask.density", 0, "density: 0 is not valid; valid is a number > 0 and < 1"),
        (f"{S}.recipes.random_mask.rate", 0.5, "give two of rounds, rate"),
        (f"{S}.recipes.random_mask.restart", None, "restart is missing"),
        (f"{S}.recipes.deep.rate", 1e-6, "more than 1000 rounds"),
        (f"{S}.recipes.seed_procedure.rounds", 3, "rounds cannot stand beside in_run"),
        (f"{S}.recipes.seed_procedure.in_run.at", ["5ep", "4ep"],
         r"in_run.at\[1\]: 4ep is not valid; it must lie after the moment before it, 5ep"),
        (f"{S}.recipes.seed_procedure.in_run.at", ["25ep"], r"at\[0\]: 25ep is not valid; .* end of training \(20ep"),
        (f"{S}.training.length", 10**9, "is not a duration"),
        (f"{S}.training.rewind", "4700it", r"training.rewind: 4700it .* \(20ep = 4700it; an epoch has 235it\)"),
        (f"{S}.training.rewind", "999999it", "training.rewind: 999999it is not valid; .* must lie before the end"),
        (f"{S}.arms.eg.training", {"rewind": "999999it"}, "config: gd_vs_eg.arms.eg.training.rewind: 999999it is not"),
        (f"{S}.arms.eg.training", {"batch_size": 0}, "config: gd_vs_eg.arms.eg.training.batch_size: 0 is not valid"),
        (f"{S}.arms.eg.training", {"schedule": {"name": "step", "every": "1ep", "gamma": 0}},
         "config: gd_vs_eg.arms.eg.training.schedule.gamma: The option gamma of step is 0; valid is .* > 0"),
        (f"{S}.arms.eg.validation", 60000, "config: gd_vs_eg.arms.eg.validation: 60000 is not valid"),
        (f"{S}.training.clip", 0, "training.clip: 0 is not valid; valid is a finite number > 0, or null"),
        (f"{S}.training.clip", float("inf"), "training.clip: inf is not valid; valid is a finite number > 0"),
        (f"{S}.training", 3, r"gd_vs_eg.training: 3 is not valid; valid is a mapping \(key: value\)"),
        (f"{S}.recipes", [3], r"gd_vs_eg.recipes: \[3\] is not valid; valid is a mapping"),
        (f"{S}.arms", {}, "gd_vs_eg.arms: {} is not valid; valid is at least one entry"),
        (f"{S}.arms.gd.rates", 0.1, r"arms.gd.rates: 0.1 is not valid; valid is a list \[...\]"),
        (f"{S}.prunable", [3], r"prunable\[0\]: 3 is not valid; valid is text"),
        (f"{S}.recipes.deep.enabled", "no", "deep.enabled: 'no' is not valid; valid is true or false"),
        ("pathvars", {"results": 3}, "config: pathvars.results: 3 is not valid; valid is text"),
        ("studies", [3], r"config: studies\[0\]: The study 3 is not known"),
        ("studies", [[S]], r"config: studies\[0\]: The study \['gd_vs_eg'\] is not known."),
        ("studies", [S, {}], r"config: studies\[1\]: The study {} is not known"),
        (S, 3, r"config: gd_vs_eg: 3 is not valid; valid is a mapping \(key: value\)"),
        # numbers that are not finite, or too large
        ("execution.store_gb", float("nan"), "execution.store_gb: nan is not valid; valid is a finite number > 0"),
        ("execution.store_gb", "inf", "execution.store_gb: 'inf' is not valid; valid is a finite number > 0"),
        ("execution.store_gb", 10**400, "execution.store_gb: 1000.* is not valid; valid is a finite number > 0"),
        ("execution.threads", float("inf"), "execution.threads: inf is not valid; valid is a whole number >= 1"),
        (f"{S}.training.clip", float("nan"), "training.clip: nan is not valid; valid is a finite number > 0"),
        (f"{S}.training.clip", -(10**400), "training.clip: -1000.* is not valid; valid is a finite number > 0"),
        (f"{S}.arms.gd.rates", [float("nan")], r"gd.rates\[0\]: A learning rate must be a number above 0, not nan"),
        (f"{S}.arms.gd.pruning_rate", float("inf"), "gd.pruning_rate: A learning rate must be .* not inf"),
        (f"{S}.arms.gd.optimizer.momentum", 10**400, "gd.optimizer.momentum: .* valid is a number >= 0 and < 1"),
        (f"{S}.recipes.deep.rate", float("-inf"), "deep.rate: -inf is not valid; valid is a number > 0 and < 1"),
        (f"{S}.measures.nulls", float("nan"), "measures.nulls: nan is not valid; valid is a whole number >= 0"),
        # results
        ("pathvars", {"results": ""}, "config: pathvars.results: '' is not valid; valid is a folder"),
        ("pathvars", {"results": "results/"}, "pathvars.results: 'results/' .* in its shortest spelling"),
        ("pathvars", {"results": "~/mine"}, "pathvars.results: '~/mine' is not valid; .* without ~"),
        ("pathvars", {"results": "{study}"}, "pathvars.results: '{study}' is not valid; .* braces"),
        ("pathvars", {"results": "results/data"},
         "pathvars.results: 'results/data' is not valid; .* holds data sets. Valid is another one"),
        ("pathvars", {"results": "results/data/mine"}, "'results/data/mine' is not valid; .* holds data sets"),
        ("pathvars", {"results": "results/quick/data"}, "'results/quick/data' is not valid; .* holds data sets"),
        ("pathvars", {"results": "/disk/results/data/x"}, "'/disk/results/data/x' is not valid; .* data sets"),
        (f"{S}.recipes.random_mask.density", 1.5, "density: 1.5 is not valid; valid is a number > 0 and < 1"),
        (f"{S}.recipes.random_mask.rounds", 1001,
         "rounds: 1001 is not valid; valid is a whole number >= 1 and <= 1000"),
        (f"{S}.recipes.seed_procedure.in_run.at", ["100it"], r"at\[0\]: 100it is not valid; .* the rewind point \(1ep"),
        (f"{S}.recipes.seed_procedure.in_run.at", ["0ep"], "'0ep' is not valid here"),
        (f"{S}.recipes.seed_procedure.in_run.at", ["5ep", "4701it"], r"at\[1\]: 4701it is not valid; .*20ep = 4700it"),
        (f"{S}.recipes.seed_procedure.in_run.at", ["5ep", "5ep"], r"at\[1\]: 5ep is not valid; it must lie after"),
        (f"{S}.recipes.seed_procedure.in_run.at", ["2ep", "470it"],
         r"at\[1\]: 470it .* after the moment before it, 2ep"),
        # sparsifiers
        (f"{S}.recipes.s", {"sparsify": GRADUAL}, "recipes.s: scope is missing .*with sparsify needs it"),
        (f"{S}.recipes.s", {"sparsify": GRADUAL, "scope": "global", "criterion": "magnitude"},
         "recipes.s: criterion cannot stand beside sparsify"),
        (f"{S}.recipes.s", {"sparsify": GRADUAL, "scope": "global", "density": 0.1},
         "recipes.s: density cannot stand beside sparsify"),
        (f"{S}.recipes.seed_procedure.sparsify", GRADUAL, "sparsify cannot stand beside in_run"),
        (f"{S}.recipes.s", {"sparsify": {"name": "gradual_magnitud"}, "scope": "global"},
         "recipes.s.sparsify.name: There is no 'gradual_magnitud' among the sparsifiers.*'gradual_magnitude'"),
        (f"{S}.recipes.s", {"sparsify": {**GRADUAL, "density": 1}, "scope": "global"},
         "recipes.s.sparsify.density: .* is 1; valid is a number > 0 and < 1"),
        (f"{S}.recipes.s", {"sparsify": {**GRADUAL, "every": "0it"}, "scope": "global"}, "every: .* at least 1"),
        (f"{S}.recipes.s", {"sparsify": {**GRADUAL, "start": "soon"}, "scope": "global"}, "sparsify.start: .*a moment"),
        (f"{S}.recipes.s", {"sparsify": {**GRADUAL, "end": "20ep"}, "scope": "global"},
         r"recipes.s.sparsify.end: 20ep is not valid; .* before the end of training \(20ep = 4700it"),
        (f"{S}.recipes.s", {"sparsify": {**GRADUAL, "start": "3ep", "end": "705it"}, "scope": "global"},
         r"recipes.s.sparsify.end: 705it is not valid; it must lie after the moment before it, 3ep"),
        (f"{S}.recipes.s", {"sparsify": {**GRADUAL, "end": "0it"}, "scope": "global"},
         r"recipes.s.sparsify.end: 0it is not valid; it must lie after the moment before it, 0ep"),
        # options of plug-ins
        (f"{S}.arms.gd.optimizer.momentum", -3, "gd.optimizer.momentum: .* is -3; valid is a number >= 0 and < 1"),
        (f"{S}.arms.gd.optimizer.momentum", float("nan"), "The option momentum of gd is nan"),
        (f"{S}.arms.gd.optimizer.dampening", 1.5, "dampening of gd is 1.5; valid is a number >= 0 and <= 1"),
        (f"{S}.arms.gd.optimizer.weight_decay", -1, "weight_decay of gd is -1; valid is a finite number >= 0"),
        (f"{S}.arms.eg.optimizer.zero_policy", "splitt",
         "zero_policy of eg is 'splitt'; valid is one of as_is, split, gd"),
        (f"{S}.arms.eg.optimizer.bias_lr", 0, "eg.optimizer.bias_lr: .* valid is a finite number > 0"),
        (f"{S}.training.schedule.gamma", -1,
         "training.schedule.gamma: The option gamma of step is -1; valid is .* > 0"),
        (f"{S}.training.schedule.every", "0ep", "every of step is '0ep'; valid is a duration of at least 1"),
        (f"{S}.training.schedule", {"name": "one_cycle", "pct_start": 1.1},
         "pct_start of one_cycle is 1.1; .*>= 0 and <= 1"),
        (f"{S}.training.schedule", {"name": "one_cycle", "anneal": "sin"}, "is 'sin'; valid is one of cos, linear"),
        (f"{S}.training.schedule", {"name": "step", "gamma": 0.9},
         "schedule.every: The option every of step is missing"),
        (f"{S}.model.hidden", 0, "model.hidden: The option hidden of rnn is 0; valid is a whole number >= 1"),
        (f"{S}.model.input_init", "orthogonal", "is 'orthogonal'; valid is one of sign_lognormal, xavier_uniform"),
        # options that do not fit together
        (f"{S}.arms.gd.optimizer", {"name": "gd", "nesterov": True},
         "gd.optimizer.nesterov: .* is True, with which momentum must be a number > 0 and < 1; it is 0.0"),
        (f"{S}.arms.gd.optimizer", {"name": "gd", "nesterov": True, "momentum": 0.9, "dampening": 0.1},
         "gd.optimizer.nesterov: .* with which dampening must be 0; it is 0.1"),
        (f"{S}.arms.eg.optimizer.zero_policy", "gd",
         "eg.optimizer.zero_policy: .* is 'gd', with which bias_lr must be a finite number > 0; it is missing"),
        (f"{S}.arms.eg.optimizer", {"name": "eg", "bias_lr": 0.1},
         "eg.optimizer.bias_lr: The option zero_policy of eg is 'as_is', with which bias_lr must be left out"),
        (f"{S}.arms.eg.optimizer.generator", 3, "The option generator of eg is 3; valid is Generator | None"),
        # the ticket study's keys
        (f"{T}.arms.lenet_300_100.enabled", False,
         "tickets.reference: the arm 'lenet_300_100' is switched off .*those that are on: lenet_300_100_eg, lenet5"),
        (f"{T}.recipes.winning_ticket.enabled", False,
         "reinitialised.mask_of: 'winning_ticket' is switched off .*reinitialised, which needs its masks, is on"),
        (f"{T}.recipes.winning_ticket.instability.copies", 1, "copies: 1 is not valid; valid is a whole number >= 2"),
        (f"{T}.recipes.winning_ticket.instability.points", 2, "points: 2 is not valid; valid is a whole number >= 3"),
        (f"{T}.training.test_every", "250it",
         "tickets.training.test_every: 250it is not valid; it must be a multiple of evaluate_every .100it"),
        (f"{T}.training.test_every", "1ep", "training.test_every: 1ep is not valid; .*an epoch has 917it"),
        (f"{T}.arms.lenet5.training.evaluate_every", "300it",
         "arms.lenet5.training.test_every: 1000it is not valid; it must be a multiple of evaluate_every .300it"),
        # patterns
        (f"{S}.prunable", ["rnn.weight_hh_l*", "rnn.weight_hh_l3"],
         r"gd_vs_eg.prunable\[1\]: 'rnn.weight_hh_l3' matches no tensor .*Its tensors: rnn.weight_ih_l0"),
        (f"{S}.arms.eg.prunable", ["weight"], r"gd_vs_eg.arms.eg.prunable\[0\]: 'weight' matches no tensor"),
        (f"{S}.model.layers", 1, r"prunable\[1\]: 'rnn.weight_ih_l\[1-9\]\*' matches no tensor"),
        ("tickets.prunable", ["nothing*"], r"tickets.prunable\[0\]: 'nothing\*' matches no tensor"),
        # names
        ("one_seed", copy.deepcopy(DEFAULT[S]), "config: one_seed: 'one_seed' cannot be a name here"),
        (f"{S}.recipes.dense", {"criterion": "random"}, "recipes.dense: 'dense' cannot be a name here"),
        (f"{S}.arms.tables", {}, "'tables' cannot be a name"),
        (f"{S}.arms.Gd", {}, "'Gd' cannot be a name"),
    ],
)  # fmt: skip
def test_mistakes_are_named(path: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        config.validate(changed(path, value))
    assert "\n" not in str(error.value)
    for raw in ("pydantic", "nput should", "instance", "dictionary", "gd_vs_eg: gd_vs_eg"):
        assert raw not in str(error.value)


def test_moments_may_lie_on_their_bounds() -> None:
    config.validate(changed(f"{S}.training.rewind", "234it"))
    config.validate(changed(f"{S}.recipes.seed_procedure.in_run.at", ["235it", "2ep", "4700it"]))
    config.validate(changed(f"{S}.recipes.s", {"sparsify": {**GRADUAL, "end": "4699it"}, "scope": "global"}))


def test_the_epoch_of_a_holdout_run_is_shorter() -> None:
    """55,000 images in batches of 256 are 215 iterations, 60,000 are 235: the sweep ends before the dense runs."""
    raw = changed(f"{S}.training.rewind", "4300it")
    del raw[S]["recipes"]["seed_procedure"]
    with pytest.raises(UserError, match=r"training.rewind: 4300it .*20ep = 4300it; an epoch has 215it"):
        config.validate(raw)
    for arm in raw[S]["arms"].values():
        arm["rates"] = []
    config.validate(raw)
    raw[S]["dense"]["train_on"] = "holdout"
    with pytest.raises(UserError, match="an epoch has 215it"):
        config.validate(raw)


def test_folders_of_data_must_exist(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    checked = config.validate(changed("data.fashion_mnist.folder", str(missing)))
    with pytest.raises(UserError, match=f"config: data.fashion_mnist.folder: '{missing}' is not valid; .*or null"):
        config.check_folders(checked)
    missing.mkdir()
    config.check_folders(checked)


def test_presets_results_are_no_names_of_studies() -> None:
    presets = [yaml.safe_load(path.read_text()) for path in (ROOT / "presets").glob("*.yaml")]
    folders = [preset["pathvars"]["results"] for preset in presets if "pathvars" in preset]
    assert folders
    assert {Path(folder).name for folder in folders} <= fields.RESERVED


GROWING = {"name": "growing", "every": "2ep"}


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"batch_schedule": {"name": "grow"}}, r"training\.batch_schedule\.name: There is no 'grow' among"),
        (
            {"batch_schedule": {"name": "growing", "every": "100it"}},
            "valid is a whole number of epochs, at least '1ep'",
        ),
        ({"batch_schedule": {**GROWING, "largest": 8}}, r"training\.batch_schedule: .*'largest'.*valid is .* 256, to"),
        (
            {"batch_schedule": GROWING, "schedule": {"name": "step", "every": "900it", "gamma": 0.5}},
            r"training\.schedule: The option every of the schedule step is 900it, but the batch size changes",
        ),
        ({"batch_schedule": GROWING, "rewind": "5000it"}, r"rewind point must lie before .* the first epoch has 235it"),
        ({"batch_schedule": GROWING, "test_every": "235it"}, r"test_every: 235it is not valid; it must be a multiple"),
    ],
)
@pytest.mark.parametrize("arm", [None, "gd"])
def test_impossible_batch_schedules(training: dict[str, Any], message: str, arm: str | None) -> None:
    raw = changed(f"{S}.training.length", "10ep")
    (raw[S]["arms"][arm].setdefault("training", {}) if arm else raw[S]["training"]).update(training)
    with pytest.raises(UserError, match=message):
        config.validate(raw)


def test_a_recipe_has_its_rates_in_epochs_too_where_the_batch_grows() -> None:
    raw = changed(f"{S}.training.batch_schedule", GROWING)
    config.validate(raw)
    schedule = {"name": "step", "every": "900it", "gamma": 0.5}
    raw[S]["recipes"] = {
        name: {**recipe, "schedule": schedule} for name, recipe in raw[S]["recipes"].items() if "in_run" not in recipe
    }
    with pytest.raises(UserError, match=r"recipes\.\w+\.schedule: The option every of the schedule step is 900it"):
        config.validate(raw)


@pytest.mark.parametrize("name", plugins.names("models"))
@pytest.mark.parametrize("layers", [1, 3])
def test_tensors_read_from_source_are_the_real_ones(name: str, layers: int) -> None:
    if plugins.constant("models", name, "PARAMETERS") is None:
        pytest.skip("says nothing")
    entry = {"name": name, **({"layers": layers} if "layers" in options.parameters("models", name) else {})}
    more = {key: value for key, value in entry.items() if key != "name"}
    assert set(options.tensors(entry) or []) == set(plugins.load_class("models", name)(**more).shapes)
    assert set(options.tensors({"name": name}) or []) == set(plugins.load_class("models", name)().shapes)


NEEDED: dict[str, dict[str, Any]] = {"step": {"every": "1ep", "gamma": 0.9}, "one_cycle": {}, "constant": {}}


def _make(kind: str, name: str, option: dict[str, Any]) -> None:
    """The plug-in itself, as a program calls it."""
    if kind in ("models", "augmentations"):
        plugins.load_class(kind, name)(**option)
    elif kind == "batch_schedules":
        plugins.load(kind, name).sizes(images=1000, batch_size=1, **option)
    elif kind == "schedules":
        plugins.load(kind, name).factor(0, total=9, per_epoch=3, **{**NEEDED.get(name, {}), **option})
    else:
        import torch

        plugins.load_class(kind, name)([torch.nn.Parameter(torch.ones(2, 2))], lr=0.1, **option)


def _use(kind: str, name: str, option: dict[str, Any]) -> None:
    """The plug-in with one option, and those that this one needs beside it."""
    needs = {
        "bias_lr": {"zero_policy": "gd"},
        "zero_policy": {"bias_lr": 0.1} if option.get("zero_policy") == "gd" else {},
    }
    _make(kind, name, {**needs.get(next(iter(option)), {}), **option})


def _samples(valid: Any, whole: bool) -> tuple[list[Any], list[Any]]:
    """Values just inside and just outside a range."""
    if isinstance(valid, list):
        return valid, ["nothing", *(f"{value}_" for value in valid)]
    if valid == "duration":
        return ["1ep", "1it"], ["0ep", "0it", "1", 1]
    if valid == "epochs":
        return ["1ep", "12ep"], ["0ep", "3it", "1", 1]
    left, low, high, right = options._interval(valid)
    step = 1 if whole else 1e-6
    cast = int if whole else float
    ends = ((low, -step, left == "["), (high, step, right == "]"))
    finite = [(cast(end), cast(outward), closed) for end, outward, closed in ends if abs(end) < float("inf")]
    inside = [end if closed else end - outward for end, outward, closed in finite]
    outside = [end + outward if closed else end for end, outward, closed in finite]
    return inside, [*outside, float("nan"), True]


STATED = [
    (kind, name, option)
    for kind in ("models", "optimizers", "schedules", "batch_schedules", "augmentations")
    for name in plugins.names(kind)
    for option in plugins.constant(kind, name, "RANGES", {})
]


@pytest.mark.parametrize(("kind", "name", "option"), STATED)
def test_plugins_refuse_themselves_what_their_ranges_exclude(kind: str, name: str, option: str) -> None:
    valid = plugins.constant(kind, name, "RANGES")[option]
    inside, outside = _samples(valid, options.parameters(kind, name)[option][0].startswith("int"))
    assert inside
    for value in inside:
        assert options.allows(valid, value)
        _use(kind, name, {option: value})
    for value in outside:
        assert not options.allows(valid, value)
        with pytest.raises(UserError, match=option):
            _use(kind, name, {option: value})


TOGETHER = list(dict.fromkeys((kind, name) for kind, name, _ in STATED))


@pytest.mark.parametrize(("kind", "name"), TOGETHER)
def test_config_refuses_what_plugins_refuse_of_options_together(kind: str, name: str) -> None:
    """Every combination of valid values: what REQUIRES excludes, and nothing else, the plug-in excludes itself."""
    ranges = plugins.constant(kind, name, "RANGES")
    values: dict[str, list[Any]] = {}
    for option, (annotation, _) in options.parameters(kind, name).items():
        if option in ranges or annotation == "bool":
            inside = _samples(ranges[option], annotation.startswith("int"))[0] if option in ranges else [False, True]
            values[option] = [*inside, None] if "None" in annotation else inside
    for combination in itertools.product(*values.values()):
        entry = {option: value for option, value in zip(values, combination, strict=True) if value is not None}
        verdicts = []
        for check in (lambda e: options.check(kind, {"name": name, **e}), lambda e: _make(kind, name, e)):
            try:
                check(entry)
                verdicts.append("accepted")
            except UserError:
                verdicts.append("refused")
        assert verdicts[0] == verdicts[1], (entry, *verdicts)


def test_ranges_state_every_number_and_choice() -> None:
    """Of the plug-ins that state any: nothing is left out but what is true or false."""
    for kind, name in sorted({(kind, name) for kind, name, _ in STATED}):
        rest = set(options.parameters(kind, name)) - set(plugins.constant(kind, name, "RANGES"))
        assert rest <= {"nesterov", "centered", "across_steps", "generator"}, (name, rest)


@pytest.mark.parametrize("text", ["0 to 1", "[0,1)", "[a, b]"])
def test_a_range_that_is_none_is_the_authors_mistake(text: str) -> None:
    with pytest.raises(ValueError, match=r"no range|could not convert"):
        options.allows(text, 1)


def test_an_option_without_a_range_must_be_finite_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "optimizers").mkdir()
    signature = "class Own:\n    def __init__(self, params, lr, force: float = 0.0, steps: list[float] = ()): ...\n"
    (tmp_path / "optimizers" / "own.py").write_text(signature)
    monkeypatch.setattr(plugins, "ROOT", tmp_path)
    options.check("optimizers", {"name": "own", "force": "1e-3", "steps": [1, 2.0]})
    for more in ({"force": float("nan")}, {"force": "inf"}, {"force": 10**400}, {"steps": [1.0, float("inf")]}):
        option = next(iter(more))
        with pytest.raises(UserError, match=f"The option {option} of own is .*; valid is"):
            options.check("optimizers", {"name": "own", **more})


@pytest.mark.parametrize("folder", ["results", "results/mine", "/disk/data/results", "data", "my results"])
def test_other_folders_of_results_are_valid(folder: str) -> None:
    assert config.validate(changed("pathvars", {"results": folder})).results == folder


def test_missing_key_is_named() -> None:
    raw = changed(f"{S}.dataset", None)
    with pytest.raises(UserError, match=r"config: gd_vs_eg\.dataset: This key is missing\."):
        config.validate(raw)


def test_no_images_left_to_train_on() -> None:
    count = plugins.constant("datasets", "digits", "TRAIN")
    raw = changed(f"{S}.dataset", "digits")
    raw[S]["validation"] = count
    with pytest.raises(
        UserError,
        match=f"gd_vs_eg.validation: {count} is not valid; .* none would be left .* Valid is 1 to {count - 1}",
    ):
        config.validate(raw)
    raw[S]["validation"] = count - 1
    raw[S]["training"]["batch_size"] = 1
    config.validate(raw)


def test_a_batch_has_no_more_images_than_there_are_to_train_on() -> None:
    raw = changed(f"{S}.dataset", "digits")
    raw[S].update(validation=300, training={**raw[S]["training"], "batch_size": 1200})
    config.validate(raw)
    raw[S]["training"]["batch_size"] = 1201  # too many for the sweep, which holds images out
    message = r"gd_vs_eg\.training\.batch_size: 1201 is not valid; arm \w+ trains on 1200 images of digits .* 1 to 1200"
    with pytest.raises(UserError, match=message):
        config.validate(raw)
    raw[S]["training"]["batch_size"] = 100
    raw[S]["arms"]["eg"]["training"] = {"batch_size": 1600}
    with pytest.raises(UserError, match=r"gd_vs_eg\.arms\.eg\.training\.batch_size: 1600 is not valid"):
        config.validate(raw)


def test_best_needs_rates() -> None:
    raw = changed(f"{S}.arms.gd.pruning_rate", "best")
    config.validate(raw)
    raw[S]["arms"]["gd"]["rates"] = []
    with pytest.raises(UserError, match="rates is empty"):
        config.validate(raw)


def test_studies_that_do_not_run_are_checked_too() -> None:
    raw = copy.deepcopy(DEFAULT)
    raw["other"] = copy.deepcopy(raw[S])
    assert config.validate(raw).run == DEFAULT["studies"]
    raw["other"]["validation"] = -1
    with pytest.raises(UserError, match=r"other\.validation: -1 is not valid"):
        config.validate(raw)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.022, "0.022"),
        ("2.2e-2", "0.022"),
        ("1e-3", "0.001"),
        (1.0, "1"),
        (1, "1"),
        ("100", "100"),
        (1e-7, "0.0000001"),
    ],
)
def test_rates_have_one_spelling(value: object, text: str) -> None:
    assert rates.rate_text(value) == text


def test_options_take_one_form() -> None:
    """1 and 1.0, or 1e-6 which YAML reads as text, must not give two keys."""
    entries = [{"name": "gd", "momentum": value} for value in (0, 0.0, "0")]
    assert [options.check("optimizers", entry)["momentum"] for entry in entries] == [0.0, 0.0, 0.0]
    assert all(type(options.check("optimizers", entry)["momentum"]) is float for entry in entries)
    assert options.check("optimizers", {"name": "gd", "weight_decay": "1e-6"})["weight_decay"] == 1e-6


@pytest.mark.parametrize("kind", ["models", "optimizers", "schedules", "batch_schedules", "augmentations"])
def test_options_read_from_source_are_the_real_ones(kind: str) -> None:
    import inspect

    passed = options._PASSED[kind]
    for name in plugins.names(kind):
        function = options._FUNCTIONS.get(kind)
        target = getattr(plugins.load(kind, name), function) if function else plugins.load_class(kind, name)
        found = inspect.signature(target).parameters
        real = {key: item for key, item in found.items() if item.kind is not item.VAR_KEYWORD}
        assert set(options.parameters(kind, name)) == set(real) - set(passed), name
        required = {key for key, item in real.items() if item.default is item.empty} - set(passed)
        assert {key for key, (_, need) in options.parameters(kind, name).items() if need} == required, name


def test_overlays_merge_deeply_replace_lists_and_remove_by_null() -> None:
    overlay = {S: {"arms": {"gd": {"rates": [0.5]}, "eg": None}, "training": {"clip": None}, "recipes": {"deep": None}}}
    before = copy.deepcopy(DEFAULT)
    checked = config.load(DEFAULT, [overlay, {"pathvars": {"results": "elsewhere"}}])
    study = checked.studies[S]
    assert list(study.arms) == ["gd"]
    assert study.arms["gd"].rates == ["0.5"]
    assert study.arms["gd"].pruning_rate == "0.022"
    assert study.training.clip is None
    assert "deep" not in study.recipes
    assert checked.results == "elsewhere"
    assert before == DEFAULT


@pytest.mark.parametrize("preset", sorted(path.name for path in (ROOT / "presets").glob("*.yaml")))
def test_presets_are_valid_and_keep_to_themselves(preset: str) -> None:
    overlay = yaml.safe_load((ROOT / "presets" / preset).read_text())
    made = plan.Plan(config.load(DEFAULT, [overlay])).jobs.values()
    assert made
    if "pathvars" in overlay:
        root = overlay["pathvars"]["results"]
        assert all(path.startswith((root, "results/data/")) for job in made for path in job.outputs)
        full = {path for job in plan.Plan(config.validate(DEFAULT)).jobs.values() for path in job.outputs}
        assert {path for job in made for path in job.outputs} & full <= {
            path for path in full if path.startswith("results/data/")
        }


class TestPlan:
    def plan(self, **study: Any) -> plan.Plan:
        return plan.Plan(config.load(DEFAULT, [{"studies": [S], S: study}]))

    def test_default(self) -> None:
        """The seed's settings: 17 rates, 2 tuned runs, 5 + 1 + 1 rounds per arm, and one run pruned on the way."""
        made = list(self.plan().jobs.values())
        count = {rule: sum(job.rule == rule for job in made) for rule in {job.rule for job in made}}
        assert count["dense"] == 17 + 2
        assert count["prune"] == 2 * 7
        assert count["prune_in_run"] == 2
        assert count["measure"] == count["export_edges"] == 16

    def test_specs(self) -> None:
        made = self.plan()
        wildcards = {"study": S, "arm": "eg", "recipe": "magnitude_global_rewind", "seeds": "seeds0-2", "round": "2"}
        job = made.job("prune", wildcards)
        assert job.spec["density"] == pytest.approx(0.2**0.4)
        assert job.spec["training"]["lr"] == "0.7"
        assert job.spec["training"]["seeds"] == [0, 1, 2]
        assert job.inputs["previous"][0] == (
            "results/gd_vs_eg/eg/magnitude_global_rewind/seeds0-2/round1/mask.safetensors"
        )
        assert {"winnow/optimizers/eg.py", "winnow/criteria/magnitude.py", "winnow/models/rnn.py"} <= set(job.sources)
        assert "winnow/optimizers/gd.py" not in job.sources
        within = made.job("prune_in_run", {**wildcards, "recipe": "seed_procedure", "round": "1"})
        assert within.spec["training"]["schedule"]["gamma"] == 0.5
        assert within.spec["in_run"]["schedule_after"]["gamma"] == 0.1
        assert within.spec["in_run"]["densities"][3] == pytest.approx(1 - 0.724, abs=1e-3)

    def test_programs_accept_the_specs(self) -> None:
        from winnow.spec import InRunSpec, RoundSpec, TrainSpec

        readers = {"dense": TrainSpec.read, "prune": RoundSpec.read, "prune_in_run": InRunSpec.read}
        rules = [job.rule for job in self.plan().jobs.values() if job.rule in readers and readers[job.rule](job.spec)]
        assert set(rules) == set(readers)

    def test_a_round_reads_who_diverged_before_it(self) -> None:
        """And what its mask is made from is all that its measures read of the run before."""
        made = self.plan()
        recipe = f"results/{S}/gd/magnitude_global_rewind/seeds0-2"
        wildcards = {"study": S, "arm": "gd", "recipe": "magnitude_global_rewind", "seeds": "seeds0-2"}
        dense = f"results/{S}/gd/dense/all/lr0.022/seeds0-2"
        for number, before, files in (
            ("1", dense, ["final.safetensors"]),
            ("2", f"{recipe}/round1", ["mask.safetensors", "final.safetensors"]),
        ):
            states = [f"{before}/{file}" for file in files]
            assert made.job("prune", {**wildcards, "round": number}).inputs["previous"] == [
                *states, f"{before}/run.json",
            ]  # fmt: skip
            assert made.job("measure", {**wildcards, "round": number}).inputs["previous"] == states

    def test_seed_names(self) -> None:
        assert [jobs.seeds_name(s) for s in ([0], [0, 1, 2], [0, 3], [4, 5])] == [
            "seeds0", "seeds0-2", "seeds0,3", "seeds4-5",
        ]  # fmt: skip

    def test_best_is_an_input_of_what_uses_it_and_of_the_tables_that_name_its_rate(self) -> None:
        made = self.plan(arms={"gd": {"pruning_rate": "best"}})
        best = f"results/{S}/gd/best.json"
        rules = {job.rule for job in made.jobs.values() if best in job.all_inputs}
        assert rules == {"dense", "prune", "prune_in_run", "table"}
        assert made.jobs[("table", S, "rounds")].inputs["best"] == [best]

    def test_an_arm_may_have_its_own_training(self) -> None:
        own = {"training": {"length": "9ep"}, "model": {"name": "rnn", "hidden": 7}}
        made = self.plan(arms={"gd": own}, recipes={"seed_procedure": None})
        lengths = {job.wildcards["arm"]: job.spec["length"] for job in made.jobs.values() if job.rule == "dense"}
        assert lengths == {"gd": "9ep", "eg": "20ep"}

    def test_recipes_of_two_kinds_cannot_share_a_name(self) -> None:
        raw = copy.deepcopy(DEFAULT)
        raw["studies"] = [S, "other"]
        raw["other"] = copy.deepcopy(raw[S])
        raw["other"]["recipes"] = {"seed_procedure": raw[S]["recipes"]["random_mask"]}
        with pytest.raises(
            UserError, match="'seed_procedure' prunes in rounds in one study and inside one run in another"
        ):
            plan.Plan(config.validate(raw))

    def test_job_that_config_does_not_ask_for(self) -> None:
        with pytest.raises(UserError, match="asks for no job select with study=gd_vs_eg, arm=sgd"):
            self.plan().job("select", {"study": S, "arm": "sgd"})

    def test_long_specs_go_through_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jobs, "LONGEST_ARGUMENT", 500)
        job = plan.Plan(config.load(DEFAULT, [{"pathvars": {"results": str(tmp_path)}}])).jobs[("table", S, "summary")]
        spec = job.arguments()[1]
        assert spec == f"@{tmp_path}/.ledger/specs/{job.key}.json"
        from winnow.provenance import _json

        assert _json(spec) == job.spec


def test_nothing_heavy_is_imported_while_parsing() -> None:
    code = (
        "import sys, yaml; from winnow import cli, config, plan, why\n"
        "plan.Plan(config.validate(yaml.safe_load(open('config.yaml'))))\n"
        "print(sorted({'torch', 'pandas', 'numpy', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
