"""The experiment from Python: the workflow's own numbers, the seed study's names, one error per mistake, one bar."""

from __future__ import annotations

import io as text_io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from dataset_files import idx_files, put

from winnow import ExperimentRunner, config, io, plan, progress, provenance, runs
from winnow.data import load
from winnow.datasets import _sources, mnist
from winnow.errors import UserError
from winnow.spec import RoundSpec, TrainSpec
from winnow.stored_run import Place
from winnow.timeline import Timeline

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
TINY: dict[str, Any] = {
    "dataset": "digits", "model_name": "lenet_fc", "num_rounds": 2, "iterations": 30, "evaluate_every": 10,
    "validation": 300, "verbose": False,
}  # fmt: skip


def specs(**given: Any) -> list[Any]:
    """Of the training jobs."""
    jobs = ExperimentRunner(**{**TINY, **given})._plan().jobs.values()
    return [job.spec for job in jobs if job.rule in ("dense", "prune")]


@pytest.fixture(scope="module")
def runner(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> ExperimentRunner:
    """One that has run."""
    made = ExperimentRunner(**TINY, data_dir=digits.parent, results_dir=tmp_path_factory.mktemp("experiment") / "out")
    made.run()
    return made


def test_published_files_in_the_folder_of_data_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(dataset: str, scratch: Path) -> None:
        raise UserError("Name or service not known")

    contents, files = idx_files(mnist.FILES)
    monkeypatch.setattr(mnist, "FILES", files)
    monkeypatch.setattr(_sources, "torchvision", unreachable)
    monkeypatch.setattr(_sources, "PAUSE", 0)
    runner = ExperimentRunner(dataset="mnist", model_name="lenet_fc", data_dir=tmp_path, verbose=False)
    (job,) = [job for job in runner._plan().jobs.values() if job.rule == "download"]
    with pytest.raises(UserError, match=f"From Python, put them in {tmp_path / 'mnist'} instead"):
        runner.run()
    put(tmp_path / "mnist", contents)
    runner._fetch(job)
    assert load(tmp_path / "mnist").name == "mnist"


def results(runner: ExperimentRunner) -> pandas.DataFrame:
    assert runner.results is not None
    return runner.results


def test_a_row_per_round_with_the_columns_of_the_seed_study(runner: ExperimentRunner) -> None:
    table = results(runner)
    assert list(table.columns) == ["round", "remaining", "ES", "val", "test"]
    assert table["round"].tolist() == [0, 1, 2]
    assert table["remaining"].tolist() == pytest.approx([100, 70, 49], abs=1e-3)
    assert set(table["ES"]) <= {0, 10, 20, 30}
    assert table[["val", "test"]].gt(10).all(axis=None)  # percent, of ten classes


def test_the_numbers_are_those_of_the_workflow(runner: ExperimentRunner, digits: Path, tmp_path: Path) -> None:
    """The same numbers as a study, trained in a store of its own and exported by the program."""
    study = {
        "dataset": "digits", "validation": 300, "model": {"name": "lenet_300_100"},
        "training": {
            "length": "30it", "rewind": "0it", "evaluate_every": "10it", "test_every": "20it", "batch_size": 60,
            "schedule": {"name": "constant"},
        },
        "arms": {"adam": {"optimizer": {"name": "adam"}, "pruning_rate": 0.0012}}, "reference": "adam",
        "dense": {"seeds": [[0]], "train_on": "holdout"}, "prunable": ["*.weight"],
        "recipes": {"main": {
            "criterion": "magnitude", "scope": "layerwise", "restart": "rewind", "schedule_restart": "rewind",
            "rate": 0.3, "rounds": 2,
        }},
    }  # fmt: skip
    jobs = plan.Plan(config.validate({"studies": ["tickets"], "tickets": study})).jobs.values()
    dense, *rounds = (job.spec for job in jobs if job.rule in ("dense", "prune"))
    place = {name: Place(digits, tmp_path / name, tmp_path / ".store") for name in ("dense", "round1", "round2")}
    runs.train_dense(TrainSpec.read(dense), place["dense"])
    for spec, previous in zip(rounds, ("dense", "round1"), strict=True):
        here = place[f"round{spec['round']}"]
        runs.prune_round(RoundSpec.read(spec), here, tmp_path / "dense", tmp_path / previous)
    program = [sys.executable, str(ROOT / "workflow_scripts/export_rounds.py"), "--dense", str(tmp_path / "dense")]
    program += ["--rounds", *(str(tmp_path / f"round{r}") for r in (1, 2)), "--seed", "0", "--out"]
    subprocess.run([*program, str(tmp_path / "seed0.csv")], check=True, env=ENVIRONMENT)
    pandas.testing.assert_frame_equal(
        results(runner), io.read_table(tmp_path / "seed0.csv", "ticket"), check_exact=True
    )


def test_saved_results_are_read_by_pandas(runner: ExperimentRunner) -> None:
    path = runner.save_results("magnitude_rewind.csv")
    assert path == Path(runner.results_dir) / "magnitude_rewind.csv"
    pandas.testing.assert_frame_equal(pandas.read_csv(path), results(runner), check_exact=True)
    assert len(pandas.read_csv(runner.save_results("zipped.csv.gz"))) == 3


@pytest.mark.parametrize("name", ["results", "../results.csv", os.path.abspath("results.csv"), "", 3])
def test_results_are_saved_as_csv_in_their_folder(runner: ExperimentRunner, name: Any) -> None:
    with pytest.raises(UserError, match=r"save_results: .* is not valid; valid is the name of a file in results_dir"):
        runner.save_results(name)


def test_nothing_to_save_before_it_has_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Call run\(\) first"):
        ExperimentRunner(**TINY, results_dir=tmp_path).save_results("a.csv")


def test_again_trains_nothing_and_says_nothing(
    runner: ExperimentRunner, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first, threads = results(runner), torch.get_num_threads()
    monkeypatch.setattr("winnow.stored_run._train", lambda *_: pytest.fail("it trained again"))
    pandas.testing.assert_frame_equal(runner.run(), first)
    assert capfd.readouterr() == ("", "")
    assert torch.get_num_threads() == threads


def test_several_seeds_have_a_column_and_their_own_rows(runner: ExperimentRunner, tmp_path: Path) -> None:
    """And a data set that is not there yet is fetched."""
    out, data = tmp_path / "out", tmp_path / "data"
    both = ExperimentRunner(**{**TINY, "num_rounds": 1}, seeds=range(2), data_dir=data, results_dir=out)
    table = both.run()
    assert (data / "digits/dataset.json").is_file()
    assert list(table.columns) == ["seed", "round", "remaining", "ES", "val", "test"]
    assert table["seed"].tolist() == [0, 0, 1, 1]
    assert table["round"].tolist() == [0, 1, 0, 1]
    pandas.testing.assert_frame_equal(pandas.read_csv(both.save_results("both.csv")), table, check_exact=True)


def test_a_diverged_run_has_no_early_stop(digits: Path, tmp_path: Path) -> None:
    given = {**TINY, "num_rounds": 1, "learning_rate": 1e12, "optimizer": "sgd"}
    wild = ExperimentRunner(**given, data_dir=digits.parent, results_dir=tmp_path)
    assert wild.run()[["ES", "val", "test"]].isna().all(axis=None)
    pandas.testing.assert_frame_equal(pandas.read_csv(wild.save_results("wild.csv")), results(wild), check_dtype=False)


def test_kill_minus_nine_then_run_again_ends_with_the_same_numbers(digits: Path, tmp_path: Path) -> None:
    given = {**TINY, "iterations": 300, "evaluate_every": 30, "num_rounds": 1, "data_dir": str(digits.parent)}
    given["verbose"] = True
    code = f"from winnow import ExperimentRunner\nprint(ExperimentRunner(**{given}, results_dir='out').run())"
    quiet: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True, "env": ENVIRONMENT}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, **quiet)
    deadline = time.monotonic() + 120
    while not (
        list(tmp_path.glob("out/.store/*/done.json")) and list(tmp_path.glob("out/.store/*/check*.safetensors"))
    ):
        assert process.poll() is None, "it finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    again = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, **quiet)
    assert again.stdout.count("nothing to train") == 1
    assert "continuing at iteration" in again.stdout
    undisturbed = ExperimentRunner(**{**given, "verbose": False}, results_dir=tmp_path / "undisturbed").run()
    assert str(undisturbed) in again.stdout


def test_the_quick_start_of_the_seed_study() -> None:
    quick = ExperimentRunner(
        dataset="mnist", model_name="lenet_conv", pruning_type="magnitude", pruning_scope="layerwise",
        reinit_method="rewind", pruning_rate=0.3, num_rounds=16, iterations=40000, learning_rate=0.0012, batch_size=60,
        device=torch.device("cpu"), results_dir="results/fashion_conv",
    )  # fmt: skip
    jobs = quick._plan().jobs.values()
    dense, *rounds = (job.spec for job in jobs if job.rule in ("dense", "prune"))
    assert {key: dense[key] for key in ("dataset", "length", "rewind", "lr", "batch_size", "device", "seeds")} == {
        "dataset": "mnist", "length": "40000it", "rewind": "0it", "lr": "0.0012", "batch_size": 60, "device": "cpu",
        "seeds": [0],
    }  # fmt: skip
    assert [spec["density"] for spec in rounds] == [0.7**r for r in range(1, 17)]
    assert all(path.startswith("results/fashion_conv/") for job in jobs if job.rule == "prune" for path in job.outputs)
    defaults = ExperimentRunner(dataset="mnist", model_name="lenet_conv")._plan().jobs.values()
    assert [job.spec for job in defaults] == [job.spec for job in jobs]


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ({"dataset": "fashion"}, {"dataset": "fashion_mnist"}),
        ({"dataset": "fashion-mnist"}, {"dataset": "fashion_mnist"}),
        ({"model_name": "lenet_fc"}, {"model_name": "lenet_300_100"}),
        ({"model_name": "lenet_conv"}, {"model_name": {"name": "lenet5", "activation": "relu"}}),
        (
            {"model_name": {"name": "lenet_conv", "init": "kaiming_uniform"}},
            {"model_name": {"name": "lenet5", "activation": "relu", "init": "kaiming_uniform"}},
        ),
        ({"reinit_method": "none"}, {"reinit_method": "keep"}),
        ({"optimizer": "sgd"}, {"optimizer": {"name": "sgd"}}),
        ({"device": torch.device("cpu")}, {"device": "cpu"}),
        ({"seeds": 3}, {"seeds": [3]}),
        ({"seeds": np.arange(2)}, {"seeds": (0, 1)}),
        ({"num_rounds": np.int64(3), "pruning_rate": np.float32(0.5)}, {"num_rounds": 3, "pruning_rate": 0.5}),
        ({"learning_rate": "1.2e-3"}, {"learning_rate": 0.0012}),
        ({"prunable": "fc*.weight"}, {"prunable": ["fc*.weight"]}),
    ],
)
def test_aliases(alias: dict[str, Any], name: dict[str, Any]) -> None:
    assert specs(**alias) == specs(**name)


def test_what_else_may_be_asked_for() -> None:
    found = specs(
        pruning_type="snip", pruning_scope="global", one_shot=True, reinit_method="signs", rewind_iteration=7,
        optimizer={"name": "sgd", "momentum": 0.5}, threads=2,
    )  # fmt: skip
    recipe = found[1]["recipe"]
    assert [recipe[key] for key in ("criterion", "scope", "one_shot", "restart")] == ["snip", "global", True, "signs"]
    assert (found[0]["rewind"], found[0]["optimizer"]["momentum"], found[0]["threads"]) == ("7it", 0.5, 2)
    assert specs(layer_rates={"fc3*": 0.15})[1]["density"] == {"fc1.weight": 0.7, "fc2.weight": 0.7, "fc3.weight": 0.85}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"dataset": "mnst"}, r"dataset: 'mnst' is not known\. Did you mean 'mnist'\? Valid names: .*fashion, "),
    ({"dataset": ["mnist"]}, r"dataset: \['mnist'\] is not known"),
    ({"model_name": "lenet"}, "model_name: 'lenet' is not known.*lenet_conv, lenet_fc"),
    ({"model_name": {"name": "lenet_fc", "init": "zeros"}}, "model_name: .*init of lenet_300_100 is 'zeros'; valid is"),
    ({"model_name": {"init": "zeros"}}, "model_name: None is not known"),
    ({"pruning_type": "magnitud"}, "pruning_type: 'magnitud' is not known. Did you mean 'magnitude'"),
    ({"pruning_scope": "local"}, r"pruning_scope: 'local' is not known\..* Valid names: global, layerwise"),
    ({"pruning_scope": None}, "pruning_scope: None is not valid"),
    ({"pruning_type": "synflow"}, "pruning_scope: 'layerwise' is not valid; the criterion synflow is defined for glob"),
    ({"pruning_type": "snip", "pruning_scope": "global"}, "num_rounds: 2 rounds are not valid; .* one_shot: true"),
    ({"reinit_method": "nothing"}, "reinit_method: 'nothing' is not known.* none, "),
    ({"pruning_rate": 0}, "pruning_rate: 0 is not valid; valid is a number > 0 and < 1"),
    ({"pruning_rate": 1.0}, "pruning_rate: 1.0 is not valid"),
    ({"pruning_rate": float("nan")}, "pruning_rate: nan is not valid"),
    ({"pruning_rate": True}, "pruning_rate: True is not valid"),
    ({"num_rounds": 0}, "num_rounds: 0 is not valid; valid is a whole number >= 1 and <= 1000"),
    ({"num_rounds": 2.0}, "num_rounds: 2.0 is not valid"),
    ({"num_rounds": 100}, "pruning_rate, num_rounds: Round 100 would be empty. A density of .* keeps no weight"),
    ({"iterations": 0}, "iterations: 0 is not valid; valid is a whole number >= 1"),
    ({"iterations": "10ep"}, "iterations: '10ep' is not valid"),
    ({"iterations": True}, "iterations: True is not valid"),
    ({"learning_rate": -1}, "learning_rate: A learning rate must be a number above 0, not -1"),
    ({"learning_rate": "best"}, "learning_rate: 'best' is not valid"),
    ({"batch_size": 0}, "batch_size: 0 is not valid"),
    ({"batch_size": 1201}, "batch_size: 1201 is not valid; .* Valid is 1 to 1200"),
    ({"batch_size": None}, "batch_size: None is not valid"),
    ({"device": "gpu"}, "device: 'gpu' is not valid; valid is one of cpu, cuda"),
    ({"device": "xpu"}, "device is 'xpu', but this machine has .*cpu"),
    ({"device": 0}, "device: 0 is not valid"),
    ({"optimizer": "adm"}, "optimizer: 'adm' is not known. Did you mean 'adam'"),
    ({"optimizer": {"name": "sgd", "momentm": 0.9}}, "optimizer: .*'momentm' is not known. Did you mean 'momentum'"),
    ({"seeds": []}, "seeds: A seed block is empty"),
    ({"seeds": [0, 0]}, "seeds: 0 stands there more than once"),
    ({"seeds": -1}, "seeds: -1 is not valid; valid is a whole number >= 0"),
    ({"seeds": "0,1"}, "seeds: '0,1' is not valid"),
    ({"evaluate_every": 0}, "evaluate_every: 0 is not valid"),
    ({"validation": 1500}, "validation: 1500 is not valid; digits has 1500 training images"),
    ({"rewind_iteration": 30}, "rewind_iteration: 30it is not valid; the rewind point must lie before the end"),
    ({"rewind_iteration": -1}, "rewind_iteration: -1 is not valid"),
    ({"layer_rates": {"conv*": 0.1}}, "layer_rates: 'conv.' matches no prunable tensor"),
    ({"layer_rates": {"fc3*": 1}}, "layer_rates: 1 is not valid; valid is a number > 0 and < 1"),
    ({"layer_rates": 0.1}, "layer_rates: 0.1 is not valid; valid is a mapping"),
    ({"layer_rates": {"fc3*": 0.1}, "pruning_scope": "global"}, "layer_rates: this needs scope: layerwise"),
    ({"one_shot": 1}, "one_shot: 1 is not valid; valid is true or false"),
    ({"prunable": "wheight"}, "prunable: 'wheight' matches no tensor of the model lenet_300_100"),
    ({"prunable": []}, "prunable: "),
    ({"threads": 0}, "threads: 0 is not valid"),
    ({"verbose": "no"}, "verbose: 'no' is not valid; valid is True or False"),
    ({"results_dir": 3}, "results_dir: 3 is not valid; valid is the name of a folder"),
    ({"results_dir": "results/data/x"}, "results_dir: 'results/data/x' is not valid"),
    ({"results_dir": __file__}, "results_dir: .* is a file, where a folder is needed"),
    ({"data_dir": Path(__file__) / "below"}, "data_dir: .*test_experiment.py is a file, where a folder is needed"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=[f"{list(given)}-{i}" for i, (given, _) in enumerate(WRONG)])
def test_mistakes_are_named_before_anything_begins(
    given: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message) as raised:
        ExperimentRunner(**{**TINY, **given})
    assert "config" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_an_argument_that_is_changed_later_is_checked_when_it_runs(tmp_path: Path) -> None:
    changed = ExperimentRunner(**TINY, results_dir=tmp_path / "out")
    changed.pruning_rate = 3
    with pytest.raises(UserError, match="pruning_rate: 3 is not valid"):
        changed.run()
    assert not (tmp_path / "out").exists()


class Screen(text_io.StringIO):
    def isatty(self) -> bool:
        return True


def report(stream: text_io.StringIO | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two jobs trains a minute, from iteration 10 to 20 in ten steps; the other comes from the store."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    chain = progress.Chain(2, stream)
    with chain.job("round 0/1"):
        one = progress.Progress(tmp_path, 10, 20, Timeline(300, {0: 60}), lanes=1, stream=stream or text_io.StringIO())
        one.begin(10)
        for iteration in range(11, 21):
            clock[0] += 6
            one.tick(iteration)
        one.row(20, [{"seed": 0, "train_loss": 0.5, "test_accuracy": 0.75, "diverged_step": None, "lr": 0.1}])
    with chain.job("round 1/1"):
        pass


def test_one_bar_over_all_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    report(screen, tmp_path, monkeypatch)
    drawn = [line.rstrip() for line in screen.getvalue().split("\r")]
    assert "[#####...............] round 0/1, 1:30 left," in drawn  # a quarter of both jobs took 30 seconds
    assert "[##########..........] round 0/1, 1:00 left," in drawn
    assert drawn[-1] == ""
    assert "\n" not in screen.getvalue()


def test_a_line_per_round_outside_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = text_io.StringIO()
    report(lines, tmp_path, monkeypatch)
    assert lines.getvalue().splitlines() == ["round 0/1: done, 1:00 left", "round 1/1: done"]
    report(None, tmp_path, monkeypatch)


def test_a_line_per_evaluation_and_a_bar_below_in_a_terminal(tmp_path: Path) -> None:
    screen = Screen()
    bar = progress.Progress(tmp_path, 0, 4, Timeline(2, {0: 1}), lanes=1, stream=screen)
    rows = {"train_loss": 0.5, "train_accuracy": 0.8, "validation_loss": 0.6, "validation_accuracy": 0.7}
    for iteration in (1, 2, 3, 4):
        bar.drawn = 0.0
        bar.tick(iteration)
        if iteration % 2 == 0:
            bar.row(iteration, [{"seed": 0, "diverged_step": None, "lr": 0.1, **rows}])
    lines = [line.rsplit("\r")[-1].removesuffix("\x1b[K") for line in screen.getvalue().split("\n")[:-1]]
    told = "loss and accuracy: training 0.5000 80.00%, validation 0.6000 70.00%"
    assert lines == [f"epoch {epoch}/2, 0:00 left, {told}" for epoch in (1, 2)]
    assert "\r[#######.......................] epoch 0.5/2, 0:00 left\x1b[K" in screen.getvalue()


def test_winnow_imports_nothing_heavy_until_the_experiment_is_asked_for() -> None:
    code = (
        "import sys, winnow\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pydantic'}\n"
        "assert not heavy & set(sys.modules)\n"
        "assert not hasattr(winnow, 'Experiment')\n"
        "from winnow import ExperimentRunner\n"
        "assert ExperimentRunner.__module__ == 'winnow.experiment'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)


def test_the_experiment_is_a_source_of_no_job() -> None:
    programs = [ROOT / "winnow/runs.py", *sorted((ROOT / "workflow_scripts").glob("*.py"))]
    sources = {file.name for program in programs for file in provenance.closure(program)}
    assert not [name for name in sources if name.startswith("experiment")]


def test_the_example_in_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## From Python\n")[1].split("\n## ")[0]
    (example,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    table = pandas.DataFrame({"round": [0], "remaining": [100.0], "ES": [100], "val": [97.0], "test": [97.5]})

    def run(self: ExperimentRunner) -> pandas.DataFrame:
        self.results = table
        return table

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ExperimentRunner, "run", run)
    exec(compile(example, "README.md", "exec"), {})
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".csv"]
