"""The tuning of an optimiser in a scenario: trials of short trainings, then the best of them in full.

Everything is trained with one seed on the images that are not held out, and judged by the loss on those that are, at
the last evaluation. The first trial is the setting that config names, the next STARTUP - 1 are drawn at random, then
Optuna proposes by a Gaussian process: with ten trials it comes nearer to the best rate than TPE. Numbers are rounded to
three digits before they are used, and no setting is tried twice. What is finished survives a kill: the trials in the
journal of a `Search`, the finalists in files beside it. One process at a time works on a tuning: what is proposed, and
so what is chosen, depends on all trials before.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from winnow import engine, io, provenance, runs, search_space, tuning_space
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.file_lock import FileLock
from winnow.rates import rate_text
from winnow.search import Search
from winnow.seeds import stream
from winnow.spec import ScenarioSpec, TuningSpec, scenario_plugins
from winnow.train import Trainer
from winnow.trial_progress import TrialProgress

STARTUP = 4  # trials that the sampler does not propose: config's own setting, and others far apart
APART = 1.3  # factor by which finalists differ
WORST = -4.0  # the value, -log(loss), of a trial that diverged: below every other, so that the search stays away


def gaussian_process(seed: int) -> BaseSampler:
    """Optuna's sampler for few trials."""
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP, deterministic_objective=False)


def tune(
    spec: TuningSpec, data: Path, tunings: Path, store: Path, shown: Path | None = None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of the table `tuning_trials`, and the chosen setting as best.json has it.

    data: the packed data set; tunings: where tunings are recorded; store: of finished runs, which knows the machine;
    shown: the file that tells how far it is.
    UserError: a value of the spec is wrong, or every finalist diverged.
    """
    _check(spec)
    training = spec.scenario.training
    engine.begin(training.threads, training.precision, training.deterministic, store)
    record = folder(spec, data, tunings)
    record.mkdir(parents=True, exist_ok=True)
    lock = FileLock(record / "tuning.lock")
    if not lock.acquire(wait=False):
        print(f"waiting for another process, which tunes the same in {record}", flush=True)
        lock.acquire()
    try:
        return _tune(spec, data, record, shown)
    finally:
        lock.release()


def _tune(
    spec: TuningSpec, data: Path, record: Path, shown: Path | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    longer = _length(spec.scenario.training.length) / _length(spec.length)
    progress = TrialProgress(shown, spec.trials + spec.finalists, spec.trials + longer * spec.finalists)
    starts = [spec.start, *search_space.spread(spec.space, STARTUP - 1, stream(0, "spread"))]
    search = Search(record, spec.space, starts=starts, sampler=gaussian_process, same=_setting)
    while (trial := search.next(spec.trials)) is not None:
        settings = tuning_space.rounded(trial.params)
        finished = len(search.finished())
        progress.begin(finished, finished)
        result = train(spec.scenario, settings, spec.length, data, progress)
        search.finish(trial, {"settings": settings, **result}, _value(result))
        print(f"trial {trial.number}: {settings}, validation loss {result['validation_loss']}", flush=True)
    trials = search.finished()[: spec.trials]
    ranked = sorted(trials, key=lambda trial: -trial.user_attrs["result"]["value"])
    finalists: dict[int, Any] = {}
    for finalist in distinct(ranked, spec.finalists):
        progress.begin(spec.trials + len(finalists), spec.trials + longer * len(finalists), longer)
        finalists[finalist.number] = _finalist(spec, finalist, record, data, progress)
    number, best = max(finalists.items(), key=lambda item: (_value(item[1]), -item[0]))
    if best["validation_loss"] is None:
        raise UserError(
            f"All {len(finalists)} finalists of {spec.trials} trials diverged. Give smaller rates in config "
            "(arms: space: lr), or more trials."
        )
    lr, settings = _told(spec, best)
    chosen = {
        "lr": lr, "settings": settings, "trial": number,
        **{key: best[key] for key in ("validation_loss", "validation_accuracy")},
    }  # fmt: skip
    return [*_rows(spec, trials, finalists)], chosen


def distinct(ranked: list[FrozenTrial], count: int) -> list[FrozenTrial]:
    """The first `count` trials that differ from those before them and did not diverge; if too few, the next ones, too.

    Towards its end a search tries much the same setting again and again: two finalists would be one.
    """
    found: list[FrozenTrial] = []
    for trial in (trial for trial in ranked if trial.user_attrs["result"]["validation_loss"] is not None):
        mine = trial.user_attrs["result"]["settings"]
        if all(_apart(mine, other.user_attrs["result"]["settings"]) for other in found):
            found.append(trial)
    rest = [trial for trial in ranked if trial not in found]
    return [*found, *rest][:count]


def _check(spec: TuningSpec) -> None:
    """UserError for what config would refuse, where the program is started by hand."""
    training = spec.scenario.training
    for name, value, right in (
        ("trials", spec.trials, type(spec.trials) is int and spec.trials >= 1),
        ("finalists", spec.finalists, type(spec.finalists) is int and spec.finalists >= 1),
        ("scenario.training.train_on", training.train_on, training.train_on == "holdout"),
    ):
        if not right:
            valid = "'holdout': settings are chosen on these images" if "train_on" in name else "a whole number >= 1"
            raise UserError(f"The tuning spec has {name}: {value!r}; valid is {valid}.")
    checked = tuning_space.check(spec.space, spec.scenario.entry)
    if checked != spec.space:
        raise UserError(f"The tuning spec has the space {spec.space}; in the form that is needed it is {checked}.")


def _setting(point: Mapping[str, Any]) -> str:
    """Equal for points that are trained alike."""
    return search_space.identity(tuning_space.rounded(point))


def folder(spec: TuningSpec, data: Path, tunings: Path) -> Path:
    """Where a tuning is recorded: named by all that decides a trial's or a finalist's result, and by the space."""
    what = dataclasses.asdict(spec)
    for key in ("trials", "finalists"):  # more of them go on with what there is
        del what[key]
    used, dataset = scenario_plugins(what["scenario"]), io.read_json(data / "dataset.json")
    return tunings / provenance.result_key(what, "winnow/runs.py", used, dataset)


def train(
    spec: ScenarioSpec, settings: dict[str, Any], length: str | None, data: Path, progress: TrialProgress
) -> dict[str, Any]:
    """What one training came to (`length`: instead of that of the spec); losses are None where it diverged."""
    spec = spec.with_settings(settings)
    if length is not None:
        spec = spec.with_training(dataclasses.replace(spec.training, length=length))
    setting, job = runs.scenario(spec, data)
    began, epochs = time.monotonic(), job.timeline.passes(job.last)

    def on_mark(trainer: Trainer) -> None:
        row = trainer.outcome.rows[-1]
        progress.row(row, epochs, row["lr"])

    def tick(iteration: int) -> None:
        progress.tick(lambda: job.timeline.passes(iteration), epochs)

    last = Trainer(job, setting.data).run(on_mark, tick).rows[-1]
    columns = ("epoch", "validation_loss", "validation_accuracy", "diverged_step")
    return {**{column: last[column] for column in columns}, "seconds": time.monotonic() - began}


def _length(text: str) -> int:
    """Of a trial and of a finalist: to be compared, which is right where both are epochs, or both iterations."""
    return max(Duration.parse(text).count, 1)


def _apart(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether some option differs, a number by a factor of APART at least."""
    for option, x in a.items():
        y = b[option]
        if isinstance(x, (int, float)) and isinstance(y, (int, float)) and min(x, y) > 0:
            if max(x, y) >= APART * min(x, y):
                return True
        elif x != y:
            return True
    return False


def _value(result: dict[str, Any]) -> float:
    loss = result["validation_loss"]
    return WORST if loss is None else max(-math.log(loss), WORST)


def _finalist(
    spec: TuningSpec, trial: FrozenTrial, record: Path, data: Path, progress: TrialProgress
) -> dict[str, Any]:
    file, settings = record / f"finalist{trial.number}.json", trial.user_attrs["result"]["settings"]
    found: dict[str, Any]
    if file.is_file():
        found = io.read_json(file)
    else:
        found = {"settings": settings, **train(spec.scenario, settings, None, data, progress)}
        io.write_json(file, found)
        print(f"finalist {trial.number}: validation loss {found['validation_loss']}", flush=True)
    return found


def _told(spec: TuningSpec, result: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The rate of a training, and what else was tuned."""
    settings = dict(result["settings"])
    return rate_text(settings.pop("lr", spec.scenario.training.lr)), settings


def _rows(spec: TuningSpec, trials: list[FrozenTrial], finalists: dict[int, Any]) -> Iterator[dict[str, Any]]:
    for trial in trials:
        yield _row(spec, trial.number, "trial", trial.user_attrs["result"])
    for number, result in finalists.items():
        yield _row(spec, number, "finalist", result)


def _row(spec: TuningSpec, number: int, stage: str, result: dict[str, Any]) -> dict[str, Any]:
    lr, settings = _told(spec, result)
    return {
        "trial": number, "stage": stage, "epochs": result["epoch"],
        "lr": lr, "settings": provenance.canonical(settings),
        **{key: result[key] for key in ("validation_loss", "validation_accuracy", "diverged_step", "seconds")},
    }  # fmt: skip
