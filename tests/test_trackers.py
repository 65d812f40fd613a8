"""Runs as trackers are told them, and what TensorBoard and W&B read back; training needs neither."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import offline_runs
import pytest
import yaml
from PIL import Image
from synthetic_tables import metrics, run

from winnow import config, io, plan
from winnow.errors import UserError
from winnow.schemas import SCHEMAS
from winnow.trackers import places, runs
from winnow.trackers.export import MARK, Writer, export, require
from winnow.trackers.tensorboard import TensorBoard
from winnow.trackers.wandb import WandB

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "workflow_scripts/export_tracker.py"
TRAINING = {"optimizer": {"name": "gd", "momentum": 0.9}, "lr": "best", "seeds": [0, 1], "clip": None}
NAME = "run_hl-1_bs-16_act-tanh_opt-adam"
HOSTILE = "<b>bold"


@pytest.fixture
def event_files() -> Any:
    reason = "TensorBoard is not installed (pip install 'winnow[tensorboard]')"
    return pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason=reason)


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {"MODE": "online", "NOTES": "mine", "SWEEP_ID": "abc", "API_KEY": "0" * 40}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)  # somebody's own, which must not count
    return pytest.importorskip("wandb", reason="W&B is not installed (pip install 'winnow[wandb]')")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A study of pruning with two lanes, one diverged; a sweep of two trials and its best run; a tuning; a figure."""
    root = tmp_path / "results"
    rows = [*metrics(0, [0.5, 0.75, 0.8125]), *metrics(1, [0.5, 0.6], diverged_step=[None, 17], test_loss=[1.0, None])]
    record = {"spec": TRAINING, "lr": "0.022", "seeds": [0, 1], "cpu": "X", "lane_key": "abc", "train_seconds": 3.5}
    run(root / "prune", rows, group="dense", record=record)
    spec = {"training": TRAINING, "recipe": {"criterion": "magnitude"}, "round": 2, "density": 0.64}
    run(root / "prune", metrics(0, [0.9], density=0.64), number=2, recipe=HOSTILE, record={**record, "spec": spec})
    (root / "prune/figures").mkdir()
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    Image.fromarray(pixels).save(root / "prune/figures/accuracy_vs_density.png")
    best = root / "search/runs/seed_best/seed0"
    io.write_table(best / "metrics.csv", "metrics", metrics(0, [0.25, 0.5]))
    io.write_json(best / "config.json", {"dataset": "digits", "optimizer": "adam", "layers": [8], "seed": 0})
    io.write_json(best / "run.json", {"parameters": 90, "train_seconds": 1.5, "numpy": "2"})
    counts = [("cat", "cat", 3), ("cat", "dog", 2), ("dog", "cat", 0), ("dog", "dog", 4)]
    confusion = [{"seed": 0, "true": true, "predicted": said, "count": count} for true, said, count in counts]
    io.write_table(best / "confusion.csv", "run_confusion", confusion)
    _sweep(root / "search/sweeps/seed")
    tried = {column: None for column in SCHEMAS["tuning_trials"]}
    tried |= {"trial": 0, "stage": "finalist", "epochs": 10, "lr": "0.05", "settings": '{"optimizer.weight_decay":0.1}'}
    io.write_table(root / "methods/muon/plain/tuning/trials.csv", "tuning_trials", [{**tried, "validation_loss": 0.5}])
    return root


def _sweep(folder: Path, trials: int = 2) -> None:
    empty = {column: None for column in SCHEMAS["trials"]}
    trial = {**empty, "sweep": "seed", "name": NAME, "state": "complete", "optimizer": "adam", "learning_rate": 0.001}
    io.write_table(folder / "trials.csv", "trials", [{**trial, "trial": n, "seconds": 2.0} for n in range(trials)])
    epochs = [
        {"sweep": "seed", "trial": n, "epoch": e, "train_loss": 1 / e, "train_accuracy": 0.1 * e,
         "validation_loss": None if n else 2 / e, "validation_accuracy": 0.2 * e}
        for n in range(trials) for e in (1, 2)
    ]  # fmt: skip
    io.write_table(folder / "epochs.csv", "trial_epochs", epochs)


def told(results: Path, *studies: str) -> dict[str, runs.Tracked]:
    found = [run for place in places.find(results, studies)[0] for run in runs.told(place)]
    assert len({run.name for run in found}) == len({run.id for run in found}) == len(found)
    return {run.name: run for run in found}


LANE = "prune/gd/dense/all/lr0.1/seeds0,1/seed"


def test_a_lane_is_told_its_metrics_and_settings(results: Path) -> None:
    lane = told(results)[LANE + "0"]
    assert lane.points[1] == {
        "epoch": 2, "iteration": 20, "lr": 0.1, "density": 1.0, "loss/train": 0.25, "accuracy/train": 0.75,
        "loss/test": 1.1 - 0.75, "accuracy/test": 0.75, "clipped_share": 0.5,
    }  # fmt: skip
    assert lane.config["training"] == {"optimizer": TRAINING["optimizer"], "lr": 0.022, "clip": None}
    assert lane.config["job"] == {"lr": "0.022", "cpu": "X", "train_seconds": 3.5}
    assert {"study": "prune", "arm": "gd", "recipe": "dense", "round": "0", "seed": "0"}.items() <= lane.tags.items()
    assert "diverged_step" not in lane.config


def test_a_diverged_lane_says_so_and_empty_cells_are_not_told(results: Path) -> None:
    lane = told(results)[LANE + "1"]
    assert lane.config["diverged_step"] == 17
    assert "loss/test" in lane.points[0]
    assert "loss/test" not in lane.points[1]


def test_a_round_has_its_recipe(results: Path) -> None:
    (ticket,) = (run for run in told(results).values() if "/round2/" in run.name)
    assert (ticket.tags["recipe"], ticket.tags["round"], ticket.config["round"]) == (HOSTILE, "2", 2)
    assert ticket.config["pruning"] == {"recipe": {"criterion": "magnitude"}, "round": 2, "density": 0.64}
    assert ticket.points[0]["density"] == 0.64


def test_every_trial_has_the_name_of_the_seed_study_and_its_epochs(results: Path) -> None:
    first, second = (run for run in told(results, "search").values() if run.title == NAME)
    assert first.step == "epoch"
    assert [point["loss/validation"] for point in first.points] == [2.0, 1.0]
    assert [sorted(point) for point in second.points] == [
        ["accuracy/train", "accuracy/validation", "epoch", "loss/train"]
    ] * 2
    assert first.config["training"] == {"optimizer": "adam", "learning_rate": 0.001}
    (tuned,) = told(results, "methods").values()
    assert tuned.points == [{"epoch": 10, "loss/validation": 0.5}]
    assert tuned.config["training"] == {"epochs": 10, "lr": 0.05, "optimizer.weight_decay": 0.1}


def test_every_place_of_the_workflow_is_found() -> None:
    raw = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    overlay = yaml.safe_load((ROOT / "tests/digits.yaml").read_text(encoding="utf-8"))
    seen = set()
    for job in plan.Plan(config.load(raw, [overlay])).jobs.values():
        for output in job.outputs:
            if output.endswith(("/metrics.csv", "/trials.csv")) and "/tables/" not in output:
                study, path = output.removeprefix("results/").split("/", 1)
                place = places.of(Path("results", study), path)
                assert place, output
                common = {key: value for key, value in job.wildcards.items() if key != "seeds"}
                assert common.items() <= place.tags.items()
                seen.add(job.rule)
    assert seen == {"dense", "prune", "prune_in_run", "trials", "train_from_scratch", "tune", "train_scenario"}


def test_a_training_that_is_still_running_is_left_out(results: Path) -> None:
    before = len(told(results))
    (results / "prune/gd/dense/all/lr0.1/seeds0,1/run.json").unlink()
    assert len(told(results)) == before - 2
    assert [places.find(results, names)[1] for names in ([], ["prune"], ["search"])] == [1, 1, 0]


def test_wrong_input(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--study prun: .* Did you mean 'prune'\? Valid names: methods, prune, search"):
        places.find(results, ["prun"])
    with pytest.raises(UserError, match="no folder; valid is a results root"):
        places.find(tmp_path / "nowhere")
    (tmp_path / "empty/logs").mkdir(parents=True)
    with pytest.raises(UserError, match="holds no finished run of any study"):
        places.find(tmp_path / "empty")
    (results / "search/sweeps/seed/epochs.csv").write_text("cut")
    with pytest.raises(UserError, match=r"epochs\.csv cannot be read as a table"):
        told(results)


@pytest.mark.parametrize(("package", "writer"), [("tensorboard", TensorBoard), ("wandb", WandB)])
def test_a_missing_package(package: str, writer: Callable[[], Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"{package}.* is not installed: pip install 'winnow\[{package}\]'"):
        writer()


@pytest.mark.parametrize("package", ["tensorboard", "wandb"])
def test_a_folder_of_that_name_is_no_package(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B makes one in the current folder."""
    (tmp_path / package).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, package, raising=False)
    with pytest.raises(UserError, match=f"{package}.* is not installed"):
        require(package)


def test_runs_keep_their_ids_where_results_move_and_differ_between_roots_of_the_same_path(results: Path) -> None:
    before = {name: run.id for name, run in told(results).items()}
    elsewhere = results.with_name("moved")
    results.rename(elsewhere)
    assert {name: run.id for name, run in told(elsewhere).items()} == before
    elsewhere.rename(results)
    (results / places.ROOT_ID).unlink()  # as on another machine
    other = {name: run.id for name, run in told(results).items()}
    assert not set(before.values()) & set(other.values())


class Plain:
    """A tracker that is a text file, to see what is written and when."""

    version = "1"

    def __init__(self, fail: bool = False) -> None:
        self.fail, self.names = fail, []

    def write(self, run: runs.Tracked, folder: Path) -> Path:
        (folder / run.id).mkdir(parents=True)
        (folder / run.id / "told").write_text(str(run.points))
        if self.fail:
            raise KeyboardInterrupt
        self.names.append(run.name)
        return Path(run.id)

    def written(self, run: runs.Tracked, folder: Path) -> list[Path]:
        return [path for path in folder.glob(run.id) if path.is_dir()]

    def close(self) -> None:
        pass


def test_an_export_again_writes_what_has_changed_and_replaces_it(results: Path, tmp_path: Path) -> None:
    out, first = tmp_path / "to/out", Plain()
    written, kept = export(told(results).values(), out, first)
    assert (len(written), kept) == (len(told(results)), 0)
    assert export(told(results).values(), out, Plain()) == ([], len(written))
    _sweep(results / "search/sweeps/seed", trials=3)
    Image.new("RGB", (3, 3)).save(results / "prune/figures/accuracy_vs_density.png")
    again = Plain()
    export(told(results).values(), out, again)
    assert again.names == ["prune/figures", f"search/sweeps/seed/trial0002_{NAME}"]
    assert len(list(out.iterdir())) == len(written) + 1
    (out / told(results)[LANE + "0"].id / MARK).write_text("{")
    export(told(results).values(), out, again)
    assert again.names[2:] == [LANE + "0"]
    assert {path.name for path in out.parent.iterdir()} == {"out", ".out.lock"}


def test_an_interrupted_export_leaves_nothing_half_written(results: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        export(told(results).values(), tmp_path / "out", Plain(fail=True))
    assert not [path for path in tmp_path.glob("*out*") if path.name != ".out.lock"]
    (tmp_path / ".out.partial/new").mkdir(parents=True)  # of one that was killed
    export(told(results).values(), tmp_path / "out", Plain())
    assert not (tmp_path / ".out.partial").exists()


def test_two_exports_at_once_are_refused(results: Path, tmp_path: Path) -> None:
    class Second(Plain):
        def write(self, run: runs.Tracked, folder: Path) -> Path:
            with pytest.raises(UserError, match="out: another export writes there"):
                export(told(results).values(), tmp_path / "out", Plain())
            return super().write(run, folder)

    written, _ = export(told(results).values(), tmp_path / "out", Second())
    assert len(written) == len(told(results))


def scalars(event_files: Any, folder: Path) -> tuple[Any, dict[str, list[tuple[int, float]]]]:
    found = event_files.EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()
    return found, {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_event_files_hold_the_numbers_of_metrics(results: Path, tmp_path: Path, event_files: Any) -> None:
    out = tmp_path / "logs"
    every = told(results)
    assert len(export(every.values(), out, TensorBoard())[0]) == len(every)
    table = io.read_table(results / "prune/gd/dense/all/lr0.1/seeds0,1/metrics.csv", "metrics")
    lane = table[table["seed"] == 0]
    found, curves = scalars(event_files, out / f"{LANE}0")
    for tag, column in {
        "loss/train": "train_loss",
        "accuracy/test": "test_accuracy",
        "density": "density",
        "lr": "lr",
    }.items():
        assert curves[tag] == [
            (step, np.float32(value)) for step, value in zip(lane["iteration"], lane[column], strict=True)
        ]
    assert "iteration" not in curves
    from tensorboard.plugins.hparams import plugin_data_pb2

    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    hparams = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["training.lr"].number_value == 0.022
    assert hparams["training.optimizer.name"].string_value == "gd"
    assert "training.clip" not in hparams
    _, epochs = scalars(event_files, out / f"search/sweeps/seed/trial0001_{NAME}")
    assert epochs["accuracy/train"] == [(1, np.float32(0.1)), (2, np.float32(0.2))]


def test_event_files_hold_the_figures(results: Path, tmp_path: Path, event_files: Any) -> None:
    export(told(results, "prune").values(), tmp_path / "logs", TensorBoard())
    found, _ = scalars(event_files, tmp_path / "logs/prune/figures")
    (image,) = found.Images("accuracy_vs_density")
    (tmp_path / "back.png").write_bytes(image.encoded_image_string)
    with (
        Image.open(tmp_path / "back.png") as back,
        Image.open(results / "prune/figures/accuracy_vs_density.png") as was,
    ):
        assert np.array_equal(np.asarray(back), np.asarray(was))


def offline(folder: Path) -> dict[str, tuple[Any, dict[str, Any], list[dict[str, Any]]]]:
    """(record, config, history) by the run's name that winnow gave."""
    found = {}
    for path in folder.glob("offline-run-*"):
        record, settings, rows, ended = offline_runs.read(path)
        assert ended
        found[io.read_json(path / MARK)["run"]] = (record, settings, rows)
    return found


def test_offline_runs_hold_what_was_told(results: Path, tmp_path: Path, wandb: Any) -> None:
    out = tmp_path / "wandb"
    every = told(results)
    export(every.values(), out, WandB("mine", "us"))
    found = offline(out)
    assert found.keys() == every.keys()
    for name, one in every.items():
        record, settings, rows = found[name]
        assert (record.project, record.entity, record.run_id) == ("mine", "us", one.id)
        assert (record.display_name, record.run_group) == (one.title, one.group)
        assert set(record.tags) == {f"{key}:{value}" for key, value in one.tags.items()}
        assert settings == one.config
        assert rows[: len(one.points)] == one.points
    (picture,) = found["prune/figures"][2]
    (file,) = out.glob("offline-run-*/files/media/images/**/*.png")
    assert picture["figures/accuracy_vs_density.path"].endswith(file.name)
    assert export(every.values(), out, WandB("mine", "us")) == ([], len(every))
    assert len(export([every["prune/figures"]], out, WandB("other"))[0]) == 1
    assert offline(out)["prune/figures"][0].project == "other"


def test_the_confusion_matrix_is_the_one_of_the_run(results: Path, tmp_path: Path, wandb: Any) -> None:
    best = told(results, "search")["search/runs/seed_best/seed0"]
    ((folder,), _) = export([best], tmp_path / "wandb", WandB())
    (file,) = folder.glob("files/media/table/*.json")
    table = io.read_json(file)
    assert table["columns"] == ["Actual", "Predicted", "nPredictions"]
    assert {tuple(row) for row in table["data"]} == set(best.confusion)


OFFLINE = """
import os, runpy, sys
LOCAL = {"localhost", "127.0.0.1", "::1", None}
def watch(event, arguments):
    asked = arguments[0] if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr") else None
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        asked = arguments[1][0]
    if asked not in LOCAL:
        os.write(2, f"network: {event} {arguments}".encode())
        os._exit(7)
sys.addaudithook(watch)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb"])
def test_the_program_asks_no_network(tracker: str, results: Path, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue({"tensorboard": "event_files"}.get(tracker, tracker))
    answer = _python(OFFLINE, PROGRAM, "--to", tracker, "--results", results, "--study", "search", "prune")
    assert answer.returncode == 0, answer.stderr
    assert f"{results}/trackers/{tracker}: 7 runs written, 0 as they were." in answer.stdout
    assert len(list((results / "trackers" / tracker).rglob(MARK))) == 7


def test_what_cannot_be_read_is_named_and_all_else_is_told(results: Path, event_files: Any) -> None:
    (results / "search/sweeps/seed/epochs.csv").write_text("cut")
    answer = _python(OFFLINE, PROGRAM, "--to", "tensorboard", "--results", results, "--study", "search", "prune")
    assert answer.returncode == 1
    assert "Error: 1 places could not be read and were left out:" in " ".join(answer.stderr.split())
    assert "5 runs written, 0 as they were." in answer.stdout


@pytest.mark.parametrize("project", ["", "a/b", "x" * 129])
def test_a_project_that_wandb_would_refuse(project: str, wandb: Any) -> None:
    with pytest.raises(UserError, match=r"The W&B project .* is not valid; valid is a name of 1 to 128 characters"):
        WandB(project)


def test_the_program_names_a_mistake(results: Path) -> None:
    answer = _python(OFFLINE, PROGRAM, "--to", "tensorboard", "--results", results, "--project", "p")
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: --project and --entity belong to --to wandb")


WITHOUT = """
import pkgutil, runpy, sys, winnow
sys.modules["tensorboard"] = sys.modules["wandb"] = None
for module in pkgutil.walk_packages(winnow.__path__, "winnow."):
    __import__(module.name)
for path in sys.argv[3:]:
    runpy.run_path(path, run_name="imported")
train, *arguments = sys.argv[1].split("|")
def call(*more):
    sys.argv = [train, *arguments, *more]
    runpy.run_path(train, run_name="__main__")
if sys.argv[2] == "train":
    call()
else:
    call("-we", "us")
"""


def test_all_imports_and_a_training_work_without_trackers(digits: Path, tmp_path: Path) -> None:
    programs = sorted((ROOT / "workflow_scripts").glob("*.py"))
    line = f"workflow_scripts/train_numpy.py|-d|digits|--data|{digits}|-e|1|--layers|8|--out|{tmp_path / 'run'}"
    answer = _python(WITHOUT, line, "train", *programs)
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "run/final.safetensors").is_file()
    answer = _python(WITHOUT, line.replace("/run", "/other"), "track")
    assert answer.returncode == 1
    assert "Error: The package wandb" in answer.stderr
    assert not (tmp_path / "other").exists()  # before the training


def test_train_numpy_exports_to_the_project_and_entity_that_it_is_given(
    digits: Path, tmp_path: Path, wandb: Any
) -> None:
    out = tmp_path / "run"
    program = ROOT / "workflow_scripts/train_numpy.py"
    options = ["-wp", "mine", "-we", "us", "-d", "digits", "--data", digits, "-e", "2", "--layers", "8", "--out", out]
    answer = _python(OFFLINE, program, *options)
    assert answer.returncode == 0, answer.stderr
    ((record, settings, rows),) = offline(out / "wandb").values()
    assert (record.project, record.entity) == ("mine", "us")
    assert record.display_name == "run_hl-1_bs-32_act-relu_opt-adam"
    table = io.read_table(out / "metrics.csv", "metrics")
    assert [row["accuracy/validation"] for row in rows[:2]] == table["validation_accuracy"].tolist()
    assert settings["training"]["layers"] == [8]
    assert "confusion_matrix" in str(rows[2])
