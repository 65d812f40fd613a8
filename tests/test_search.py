"""A sweep's record: how many trials, who trains them, and what is left of a worker that dies."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import Trial, TrialState

from winnow import scratch_space, search_space
from winnow.search import Search

SPACE = scratch_space.check({"activation": ["relu", "tanh", "sigmoid"], "hidden_size": [8, 16, 32], "epochs": [1, 2]})


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Search]:
    """Opens the record anew, as another worker would."""

    def make(space: Any = SPACE, **options: Any) -> Search:
        return Search(tmp_path / "sweep", space, **options)

    return make


def value(trial: Trial) -> float:
    return trial.params["hidden_size"] / 100 + trial.params["epochs"] / 1000


def work(search: Search, limit: int) -> list[dict[str, Any]]:
    done = []
    while (trial := search.next(limit)) is not None:
        search.finish(trial, {"rows": []}, value(trial))
        done.append(trial.params)
    return done


def test_no_setting_comes_twice_and_all_of_a_space_can(opened: Callable[..., Search]) -> None:
    done = work(opened(), 100)
    assert len(done) == search_space.size(SPACE) == 18
    assert len({search_space.identity(params) for params in done}) == 18


def test_more_trials_go_on_with_those_there_are(opened: Callable[..., Search]) -> None:
    first = work(opened(), 8)
    assert len(first) == 8
    assert len(work(opened(), 12)) == 4
    assert work(opened(), 12) == []
    found = opened().finished()
    assert [trial.params for trial in found[:8]] == first
    assert all(trial.user_attrs["result"]["value"] == trial.value for trial in found)


def test_one_worker_takes_the_same_path_again_also_in_two_parts(tmp_path: Path) -> None:
    whole = work(Search(tmp_path / "whole", SPACE), 14)
    parts = work(Search(tmp_path / "parts", SPACE), 5) + work(Search(tmp_path / "parts", SPACE), 14)
    assert whole == parts


def test_running_trials_count_and_are_left_alone(opened: Callable[..., Search]) -> None:
    one, other = opened(), opened()
    first = one.next(2)
    second = other.next(2)
    assert first
    assert second
    assert first.params != second.params
    assert opened().next(2) is None
    third = opened().next(3)
    assert third
    assert third.number not in (first.number, second.number)


def dead(tmp_path: Path, program: str) -> None:
    """A worker that gets this far and is killed."""
    code = f"""
        import os, signal
        from pathlib import Path
        from winnow.search import Search
        search = Search(Path({str(tmp_path / "sweep")!r}), {SPACE!r})
        trial = search.next(5)
        {program}
        os.kill(os.getpid(), signal.SIGKILL)
    """
    answer = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert answer.returncode == -9, answer.stderr


def test_the_trial_of_a_killed_worker_is_taken_over(tmp_path: Path, opened: Callable[..., Search]) -> None:
    dead(tmp_path, "")
    left = opened().trials()
    assert [trial.state for trial in left] == [TrialState.RUNNING]
    done = work(opened(), 5)
    assert len(done) == 5
    assert done[0] == left[0].params
    assert opened().finished()[0].number == 0


def test_a_result_that_was_recorded_is_not_trained_again(tmp_path: Path, opened: Callable[..., Search]) -> None:
    dead(tmp_path, "trial.set_user_attr('result', {'rows': [1], 'value': 0.5, 'pruned': False})")
    assert len(work(opened(), 5)) == 4
    assert opened().finished()[0].value == 0.5


def test_a_trial_without_all_its_settings_is_given_up(tmp_path: Path, opened: Callable[..., Search]) -> None:
    dead(tmp_path, "search.study.ask()")  # a further one, killed before it had a setting
    assert len(work(opened(), 5)) == 5
    assert len(opened().finished()) == 5


def test_a_proposal_of_a_killed_worker_that_came_already_is_given_up(
    tmp_path: Path, opened: Callable[..., Search]
) -> None:
    """It was killed after the proposal stood in the record, and before it was told as failed."""
    dead(tmp_path, "search.study.enqueue_trial(trial.params); search.study.ask(search.distributions)")
    done = work(opened(), 5)
    assert len({search_space.identity(params) for params in done}) == len(done) == 5
    assert len(opened().finished()) == 5


def test_a_line_that_was_cut_off_does_no_harm(tmp_path: Path, opened: Callable[..., Search]) -> None:
    done = work(opened(), 3)
    with open(tmp_path / "sweep/journal.log", "ab") as journal:
        journal.write(b'{"op_code": 6, "worker')
    assert len(work(opened(), 5)) == 2
    assert [trial.params for trial in opened().finished()[:3]] == done


def test_hopeless_trials_are_stopped_only_where_asked_for(tmp_path: Path) -> None:
    space = scratch_space.check({"batch_size": {"low": 1, "high": 1000}, "epochs": [3]})

    def stopped(folder: str, stop_hopeless: bool) -> tuple[Search, list[int]]:
        search = Search(tmp_path / folder, space, stop_hopeless)
        for accuracy in [0.5 + number / 100 for number in range(12)]:
            trial = search.next(100)
            assert trial
            assert not [epoch for epoch in (1, 2, 3) if search.hopeless(trial, epoch, accuracy)]
            search.finish(trial, {"rows": []}, accuracy)
        trial = search.next(100)
        assert trial
        pruned = [epoch for epoch in (1, 2, 3) if search.hopeless(trial, epoch, 0.1)]
        search.finish(trial, {"rows": []}, 0.1, bool(pruned))
        return search, pruned

    search, epochs = stopped("yes", True)
    assert epochs == [2, 3]  # not after the first, which says little
    assert search.finished()[-1].state == TrialState.PRUNED
    assert search.finished()[-1].value == 0.1
    assert stopped("no", False)[1] == []


def test_a_trial_taken_over_is_not_stopped_where_it_had_gone_on(tmp_path: Path) -> None:
    """Its noted epochs stay in the record: the pruner would look at the last of them when the second comes again."""
    space = scratch_space.check({"batch_size": {"low": 1, "high": 1000}, "epochs": [9]})
    search = Search(tmp_path / "sweep", space, True)
    left = search.next(100)
    assert left
    for epoch in (1, 2, 3, 4):
        assert not search.hopeless(left, epoch, 0.1)
    for _ in range(10):
        other = search.next(100)
        assert other
        for epoch in (1, 2, 3, 4, 5):
            search.hopeless(other, epoch, 0.5)
        search.finish(other, {"rows": []}, 0.5)
    search.mine.pop(left.number).release()  # its worker dies
    again = Search(tmp_path / "sweep", space, True)
    trial = again.next(100)
    assert trial
    assert trial.number == left.number
    assert [epoch for epoch in (1, 2, 3, 4, 5) if again.hopeless(trial, epoch, 0.1)] == [4, 5]


def test_a_proposal_that_came_already_becomes_a_neighbour_not_a_random_setting(opened: Callable[..., Search]) -> None:
    """Where one option decides everything, the search keeps to its best value as long as there are settings with it."""
    space = scratch_space.check({"activation": ["relu", "tanh", "sigmoid"], "batch_size": [1, 2, 3, 4, 5, 6, 7, 8],
                                "hidden_size": [1, 2, 3, 4, 5, 6, 7, 8]})  # fmt: skip
    search = opened(space)
    chosen = []
    while (trial := search.next(60)) is not None:
        chosen.append(trial.params["activation"])
        search.finish(trial, {"rows": []}, float(chosen[-1] == "relu"))
    assert chosen[20:].count("relu") > 24  # of 40; 13 would be chance
