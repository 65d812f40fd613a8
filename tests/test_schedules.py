"""Schedules: every plug-in is pure and refuses wrong options; step and one_cycle against torch and by hand."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from winnow import options, plugins
from winnow.errors import UserError
from winnow.schedules import constant, one_cycle, step

EXAMPLES: dict[str, dict[str, Any]] = {"step": {"every": "2ep", "gamma": 0.5}}


def torch_rates(make: Any, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    rates = []
    for _ in range(steps):
        if rates:  # torch's cycle may be stepped total - 1 times only
            optimizer.step()
            schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("name", plugins.names("schedules"))
def test_contract(name: str) -> None:
    """Options found in the source, finite non-negative factors, no memory of earlier calls, unknown options refused."""
    example = EXAMPLES.get(name, {})
    assert options.check("schedules", {"name": name, **example}) == {"name": name, **example}
    factor = plugins.load("schedules", name).factor
    values = [factor(t, total=40, per_epoch=10, **example) for t in range(40)]
    again = [factor(t, total=40, per_epoch=10, **example) for t in reversed(range(40))]
    assert values == again[::-1]
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in values)
    with pytest.raises(UserError, match=f"'{name}'.*'gama'"):
        factor(0, total=40, per_epoch=10, gama=0.5, **example)


def test_constant() -> None:
    assert [constant.factor(t, total=9, per_epoch=3) for t in range(9)] == [1.0] * 9


def test_step_by_hand() -> None:
    """3 iterations per epoch, halved every 2 epochs or every 4 iterations, over 13 iterations."""
    epochs = [step.factor(t, total=13, per_epoch=3, every="2ep", gamma=0.5) for t in range(13)]
    assert epochs == [1.0] * 6 + [0.5] * 6 + [0.25]
    iterations = [step.factor(t, total=13, per_epoch=3, every="4it", gamma=0.5) for t in range(13)]
    assert iterations == [1.0] * 4 + [0.5] * 4 + [0.25] * 4 + [0.125]


def test_step_is_torch_step_lr_stepped_per_epoch() -> None:
    expected = torch_rates(lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.9), 20)
    actual = [step.factor(t, total=140, per_epoch=7, every="5ep", gamma=0.9) for t in range(140)]
    assert actual == pytest.approx([rate for rate in expected for _ in range(7)], rel=1e-12)


def test_one_cycle_by_hand() -> None:
    """12 iterations, rising for a quarter: from 1/4 to 1 at iteration 2, then to 1/8 at iteration 11, linearly."""
    option = {"pct_start": 0.25, "div_factor": 4, "final_div_factor": 2, "anneal": "linear"}
    values = [one_cycle.factor(t, total=12, per_epoch=3, **option) for t in range(12)]
    assert values[:3] == pytest.approx([0.25, 0.625, 1.0])
    assert values[2:] == pytest.approx([1.0 - 0.875 * k / 9 for k in range(10)])


@pytest.mark.parametrize(
    ("total", "pct_start", "anneal"), [*itertools.product((5, 30, 101), (0.0, 0.25, 0.3, 1.0), ("cos", "linear"))]
)
def test_one_cycle_is_torch_one_cycle_lr(total: int, pct_start: float, anneal: str) -> None:
    option = {"pct_start": pct_start, "div_factor": 10.0, "final_div_factor": 100.0}
    expected = torch_rates(
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=1.0, total_steps=total, anneal_strategy=anneal, cycle_momentum=False, **option
        ),
        total,
    )
    actual = [one_cycle.factor(t, total=total, per_epoch=3, anneal=anneal, **option) for t in range(total)]
    assert actual == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_one_cycle_without_room_to_rise_starts_at_the_maximum() -> None:
    """pct_start * total = 1: torch divides by zero here."""
    assert one_cycle.factor(0, total=4, per_epoch=4, pct_start=0.25) == 1.0
    with pytest.raises(ValueError, match="outside"):
        one_cycle.factor(4, total=4, per_epoch=4)


@pytest.mark.parametrize(
    ("schedule", "option", "value"),
    [
        (step, "every", "5"),
        (step, "every", "0ep"),
        (step, "every", 5),
        (step, "gamma", 0),
        (step, "gamma", "0.9"),
        (step, "gamma", float("nan")),
        (one_cycle, "pct_start", 1.5),
        (one_cycle, "pct_start", True),
        (one_cycle, "div_factor", 0),
        (one_cycle, "final_div_factor", -1),
        (one_cycle, "anneal", "cosine"),
    ],
)
def test_wrong_options(schedule: Any, option: str, value: Any) -> None:
    example = {**EXAMPLES["step"]} if schedule is step else {}
    with pytest.raises(UserError, match=f"'{option}'.*{value!r}.*valid is"):
        schedule.factor(0, total=9, per_epoch=3, **{**example, option: value})
