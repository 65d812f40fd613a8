"""A sweep's record: who trains which setting, and what came out. Optuna proposes, any number of workers share it.

``<folder>/journal.log`` is an Optuna journal (study `sweep`): settings, epochs and results of every trial. The states
of trials change under one lock. Who trains a trial holds the lock of ``trial<n>.lock``, which dies with its owner: a
running trial whose lock is free is taken over by the next worker, with the same settings, and trained anew, or only
told if its result stands there.

A setting that came already is not trained again and does not count: what is trained instead is a neighbour of it. In a
space of few choices the sampler soon proposes little but its best trials again. Such a proposal is told as failed,
which the sampler does not look at, so that no result weighs twice.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from winnow import search_space
from winnow.file_lock import FileLock
from winnow.search_space import Space
from winnow.seeds import stream

STUDY = "sweep"
TRIES = 100_000  # to find a setting that did not come yet
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def tpe(seed: int) -> BaseSampler:
    """Optuna's sampler for many trials by many workers at once (Bergstra et al. 2011), which knows of running ones."""
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


class JournalLock(FileLock):
    """The lock under which the journal grows. A line that a full disk or a crash cut off is removed first."""

    def __init__(self, journal: Path) -> None:
        super().__init__(journal.with_name("journal.lock"))
        self.journal = journal

    def acquire(self, wait: bool = True) -> bool:
        """Whether it is ours now."""
        if not super().acquire(wait):
            return False
        with open(self.journal, "rb+") as file:
            end = file.seek(0, os.SEEK_END)
            if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        return True


class Search:
    """The record of one sweep in `folder`, made where it is missing.

    stop_hopeless: whether the pruner is asked; starts: what the first trials take, as far as they say; sampler: makes
    the one that proposes, of a seed; same: text that is equal for points which are one setting.
    """

    def __init__(
        self,
        folder: Path,
        space: Space,
        stop_hopeless: bool = False,
        starts: Sequence[Mapping[str, Any]] = (),
        sampler: Callable[[int], BaseSampler] = tpe,
        same: Callable[[Mapping[str, Any]], str] = search_space.identity,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.space, self.stop_hopeless = folder, space, stop_hopeless
        self.starts, self.sampler, self.same = starts, sampler, same
        self.distributions = {option: _distribution(values) for option, values in space.items()}
        self.lock = FileLock(folder / "lock")
        self.mine: dict[int, FileLock] = {}
        journal = folder / "journal.log"
        with self.locked():
            backend = JournalFileBackend(str(journal), JournalLock(journal))  # type: ignore[arg-type]
            self.storage = JournalStorage(backend)
            self.study = optuna.create_study(
                storage=self.storage,
                study_name=STUDY,
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(n_startup_trials=10, n_warmup_steps=2),  # epochs count from 1
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """While inside, no other worker changes the state of a trial."""
        self.lock.acquire()
        try:
            yield
        finally:
            self.lock.release()

    def trials(self) -> list[FrozenTrial]:
        """The trials that count, finished or running, in the order in which they were begun."""
        return self.study.get_trials(deepcopy=False, states=(*FINISHED, TrialState.RUNNING))

    def finished(self) -> list[FrozenTrial]:
        """The finished trials; `user_attrs["result"]` is what `finish` was given."""
        return [trial for trial in self.trials() if trial.state in FINISHED]

    def next(self, limit: int) -> Trial | None:
        """A trial to train: one that a dead worker left, or a new one; None where `limit` are finished or running.

        Also None where all of the space came already, or no other setting of it is found.
        """
        with self.locked():
            known: set[str] = set()
            for trial in self.trials():
                same = self.same(trial.params)
                if trial.state == TrialState.RUNNING and self._take(trial.number):
                    if trial.params.keys() != self.space.keys() or same in known:  # it died while it was asked for
                        self.study.tell(trial.number, state=TrialState.FAIL)
                        self._give_back(trial.number)
                    elif result := trial.user_attrs.get("result"):
                        self._tell(trial.number, result["value"], result["pruned"])
                    else:
                        return Trial(self.study, self._id(trial.number))
                known.add(same)
            trials = self.trials()
            if len(trials) >= min(limit, search_space.size(self.space)):
                return None
            new = self._ask({self.same(trial.params) for trial in trials})
            if new is not None:
                self._take(new.number)
            return new

    def hopeless(self, trial: Trial, epoch: int, accuracy: float) -> bool:
        """Note the accuracy after an epoch (from 1); whether the trial is below the median of the others there."""
        if not self.stop_hopeless:
            return False
        if epoch < (self.storage.get_trial(self._id(trial.number)).last_step or 0):
            return False  # it was taken over, and had gone on there
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the last of its epochs that was noted comes again
            trial.report(accuracy, epoch)
        return bool(trial.should_prune())

    def finish(self, trial: Trial, result: dict[str, Any], value: float, pruned: bool = False) -> None:
        """Record `result` (JSON), then that the trial is finished with `value`; a death in between loses nothing."""
        trial.set_user_attr("result", {**result, "value": value, "pruned": pruned})
        with self.locked():
            self._tell(trial.number, value, pruned)

    def _tell(self, number: int, value: float, pruned: bool) -> None:
        if pruned:  # its value is the last accuracy that was reported
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, value)
        self._give_back(number)

    def _ask(self, known: set[str]) -> Trial | None:
        """A new trial whose setting is none of `known` (see `same`); None where none is found."""
        # Seeded by the number of the proposal: one worker alone takes the same path, killed or not.
        proposals = len(self.study.get_trials(deepcopy=False))
        random = stream(0, "drawing", proposals)
        self.study.sampler = self.sampler(int(random.integers(2**31)))
        if proposals < len(self.starts) and self.starts[proposals]:
            self.study.enqueue_trial(dict(self.starts[proposals]))
        trial = self.study.ask(self.distributions)
        values = trial.params
        if self.same(values) not in known:
            return trial
        self.study.tell(trial, state=TrialState.FAIL)
        for _ in range(TRIES):
            values = search_space.neighbour(self.space, values, random)
            if self.same(values) not in known:
                self.study.enqueue_trial(values)
                return self.study.ask(self.distributions)
        return None

    def _take(self, number: int) -> bool:
        """Whether the trial is ours now: nobody who lives trains it."""
        lock = FileLock(self.folder / f"trial{number}.lock")
        if number in self.mine or not lock.acquire(wait=False):
            return False
        self.mine[number] = lock
        return True

    def _give_back(self, number: int) -> None:
        lock = self.mine.pop(number)
        lock.path.unlink()
        lock.release()

    def _id(self, number: int) -> int:
        study = self.storage.get_study_id_from_name(STUDY)
        return self.storage.get_trial_id_from_study_id_trial_number(study, number)


def _distribution(values: Any) -> BaseDistribution:
    if isinstance(values, list):
        return CategoricalDistribution(values)
    return (IntDistribution if search_space.whole(values) else FloatDistribution)(
        values["low"], values["high"], log=values["log"]
    )
