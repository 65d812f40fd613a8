"""Minibatches counted: against a walk over every one, constant and changing sizes, both units, schedules' clock."""

from __future__ import annotations

import pytest

from winnow import timeline as timelines
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.schedules import one_cycle, step
from winnow.timeline import Step, Timeline

CASES = [
    (10, {0: 10}),
    (10, {0: 3}),
    (10, {0: 1}),
    (1200, {0: 200}),
    (10, {0: 2, 3: 4, 4: 10}),
    (7, {0: 1, 1: 2, 2: 3, 5: 7}),
    (9, {0: 9, 2: 4}),
]
EPOCHS = 8


def walk(images: int, sizes: dict[int, int]) -> list[tuple[int, int, int, int]]:
    """(epoch, position, batch size, images seen before) of every iteration of 8 epochs."""
    found, seen, size = [], 0, 0
    for epoch in range(EPOCHS):
        size = sizes.get(epoch, size)
        for position, start in enumerate(range(0, images, size)):
            found.append((epoch, position, size, seen))
            seen += min(size, images - start)
    return found


@pytest.mark.parametrize(("images", "sizes"), CASES)
def test_every_iteration_is_the_one_of_a_walk(images: int, sizes: dict[int, int]) -> None:
    line, walked = Timeline(images, sizes), walk(images, sizes)
    for iteration, (epoch, position, size, seen) in enumerate(walked):
        per_epoch = sum(step[0] == epoch for step in walked)
        assert line.at(iteration) == Step(epoch, position, size)
        assert line.per_epoch(epoch) == per_epoch
        assert line.passes(iteration) == pytest.approx(epoch + position / per_epoch, abs=1e-12)
        assert line.seen(iteration) == seen
        assert line.start(epoch) + position == iteration
    assert line.largest == max(size for _, _, size, _ in walked)
    assert line.changes == (len({size for _, _, size, _ in walked}) > 1)


@pytest.mark.parametrize(("images", "sizes"), CASES)
@pytest.mark.parametrize("every", [Duration(1, "ep"), Duration(3, "ep"), Duration(1, "it"), Duration(4, "it")])
def test_multiples_of_a_duration(images: int, sizes: dict[int, int], every: Duration) -> None:
    line, walked = Timeline(images, sizes), walk(images, sizes)
    if every.unit == "it":
        expected = [i for i in range(len(walked)) if i % every.count == 0]
    else:
        expected = [i for i, (e, position, _, _) in enumerate(walked) if position == 0 and e % every.count == 0]
    assert [i for i in range(len(walked)) if line.due(i, every)] == expected
    for iteration in range(expected[-1]):
        assert line.following(iteration, every) == min(i for i in expected if i > iteration)


@pytest.mark.parametrize(("images", "size"), [(60000, 64), (55000, 64), (1200, 7), (10, 10)])
def test_a_constant_size_counts_as_one_number_of_iterations_per_epoch(images: int, size: int) -> None:
    """To the bit: tables and keys of earlier runs hold these numbers."""
    line, per_epoch = Timeline(images, {0: size}), -(-images // size)
    assert line.iterations("20ep") == Duration.parse("20ep").iterations(per_epoch)
    assert line.iterations("4000it") == 4000
    assert line.ticks_per_epoch == per_epoch
    for iteration in range(0, 10 * per_epoch, 1 + per_epoch // 7):
        assert line.passes(iteration) == iteration / per_epoch
        assert line.ticks(iteration) == iteration


def test_a_rate_follows_epochs_where_the_batch_grows() -> None:
    """10 images by 2, 5 and 10: 5, 2 and 1 iterations per epoch. A step every epoch, and a cycle over all three."""
    line = Timeline(10, {0: 2, 1: 5, 2: 10})
    assert [line.ticks(i) for i in range(9)] == [0, 1, 2, 3, 4, 5, 7, 10, 15]
    clock = {"total": line.ticks(8), "per_epoch": line.ticks_per_epoch}
    rates = [step.factor(line.ticks(i), **clock, every="1ep", gamma=0.5) for i in range(8)]
    assert rates == [1.0] * 5 + [0.5] * 2 + [0.25]
    cycle = [one_cycle.factor(line.ticks(i), **clock, pct_start=0.4, anneal="linear") for i in range(8)]
    assert max(cycle) == cycle[5] == 1.0  # 0.4 * 15 - 1: the first iteration of the second epoch


def test_ticks_of_a_shrinking_batch_rise_too() -> None:
    line = Timeline(9, {0: 9, 2: 4})
    ticks = [line.ticks(i) for i in range(12)]
    assert ticks == sorted(set(ticks))


def test_a_rate_in_iterations_is_refused_where_these_are_not_alike() -> None:
    constant, growing = Timeline(10, {0: 2}), Timeline(10, {0: 2, 1: 4})
    for every in ("3it", "2ep"):
        constant.check_schedule({"name": "step", "every": every, "gamma": 0.5})
    growing.check_schedule({"name": "step", "every": "2ep", "gamma": 0.5})
    with pytest.raises(UserError, match=r"every of the schedule step is 3it.*in epochs"):
        growing.check_schedule({"name": "step", "every": "3it", "gamma": 0.5})


@pytest.mark.parametrize("sizes", [{}, {1: 2}, {0: 2, 3: 4, 2: 8}, {0: 0}, {0: 2, 1: 11}])
def test_impossible_sizes(sizes: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="batch sizes"):
        Timeline(10, sizes)


def test_a_plug_in_makes_the_sizes() -> None:
    entry = {"name": "growing", "factor": 2.0, "every": "2ep", "largest": 8}
    assert timelines.of(10, 2, entry) == Timeline(10, {0: 2, 2: 4, 4: 8})
