"""AdaGrad, RMSProp, NAdam and AdamW against torch; Lion against its formula; the average of SGD against a sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from optimizer_checks import close, gradients, make, run, weights

from winnow.errors import UserError
from winnow.optimizers import _fused

THEIRS = {
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "nadam": torch.optim.NAdam,
    "adamw": torch.optim.AdamW,
}
CASES = [
    ("adagrad", {}),
    ("adagrad", {"weight_decay": 0.1, "eps": 1e-3}),
    ("rmsprop", {}),
    ("rmsprop", {"weight_decay": 0.1, "alpha": 0.9, "eps": 1e-3}),
    ("rmsprop", {"momentum": 0.9, "weight_decay": 0.02}),
    ("rmsprop", {"momentum": 0.5, "centered": True, "alpha": 0.8}),
    ("nadam", {}),
    ("nadam", {"weight_decay": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3, "momentum_decay": 0.1}),
    ("adamw", {}),
    ("adamw", {"weight_decay": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3}),
]


@pytest.mark.parametrize(("name", "option"), CASES, ids=str)
def test_follows_torch(name: str, option: dict[str, Any]) -> None:
    """20 steps of two lanes at their own rates, each against torch in float64; every default is torch's."""
    mine, grads, rates = weights(2, 7, 11), gradients(2, 7, 11, steps=20), [0.05, 0.01]
    alone = [torch.nn.Parameter(lane.detach().double()) for lane in mine]
    trace = run(make(name, [mine], torch.tensor(rates), **option), mine, grads)
    rest = dict(option)
    if {"beta1", "beta2"} & set(rest):
        rest["betas"] = (rest.pop("beta1"), rest.pop("beta2"))
    for lane, (theirs, rate) in enumerate(zip(alone, rates, strict=True)):
        expected = run(THEIRS[name]([theirs], lr=rate, foreach=False, **rest), theirs, [grad[lane] for grad in grads])
        for actual, wanted in zip(trace, expected, strict=True):
            close(actual[lane], wanted, 2e-6)


@pytest.mark.parametrize(("name", "option"), [case for case in CASES if case[0] in ("adagrad", "adamw")], ids=str)
def test_all_lanes_in_one_call_as_on_an_accelerator(
    name: str, option: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates, grads = torch.tensor([0.05, 0.01, 0.9]), gradients(3, 7, 11, steps=20)
    lanes = weights(3, 7, 11)
    expected = run(make(name, [lanes], rates, **option), lanes, grads)
    monkeypatch.setattr(_fused, "on_cpu", lambda _: False)
    lanes = weights(3, 7, 11)
    found = run(make(name, [lanes], rates, **option), lanes, grads)
    close(torch.stack(found), torch.stack(expected), 2e-6)


def test_centered_rmsprop_survives_a_variance_that_rounds_below_zero() -> None:
    parameter = weights(1000)
    option = {"centered": True, "alpha": 0.5, "eps": 1e-3}
    optimizer = make("rmsprop", [parameter], 1e-3, **option)
    trace = run(optimizer, parameter, [np.linspace(0.1, 10, 1000)] * 60)
    state = optimizer.state[parameter]
    assert torch.any(torch.addcmul(state["square"], state["mean"], state["mean"], value=-1) < 0)
    assert torch.all(torch.isfinite(trace[-1]))


@pytest.mark.parametrize("option", [{}, {"beta1": 0.5, "beta2": 0.8, "weight_decay": 0.1}], ids=str)
def test_lion_follows_its_formula(option: dict[str, Any]) -> None:
    parameter, rates, grads = weights(2, 3, 11, dtype=torch.float64), [0.1, 0.01], gradients(2, 3, 11, steps=20)
    beta1, beta2, decay = option.get("beta1", 0.9), option.get("beta2", 0.99), option.get("weight_decay", 0.0)
    w, m = parameter.detach().numpy().copy(), np.zeros((2, 3, 11))
    lr = np.reshape(rates, (2, 1, 1))
    trace = run(make("lion", [parameter], torch.tensor(rates, dtype=torch.float64), **option), parameter, grads)
    for actual, grad in zip(trace, grads, strict=True):
        w = w - lr * (np.sign(beta1 * m + (1 - beta1) * grad) + decay * w)
        m = beta2 * m + (1 - beta2) * grad
        close(actual, w, 1e-12)


def test_lion_shows_an_infinite_gradient() -> None:
    parameter = weights(4)
    assert torch.isnan(run(make("lion", [parameter], 0.1), parameter, [np.array([np.inf, 1, -1, 0])])[0][0])


@pytest.mark.parametrize("decay", [1.0, 0.8])
def test_averaged_sgd_is_sgd_evaluated_at_a_weighted_mean(decay: float) -> None:
    mine, plain, grads = weights(2, 5), weights(2, 5), gradients(2, 5, steps=20)
    option = {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1}
    optimizer = make("averaged_sgd", [mine], torch.tensor([0.1, 0.01]), average_decay=decay, **option)
    expected = run(make("sgd", [plain], torch.tensor([0.1, 0.01]), **option), plain, grads)
    for t, grad in enumerate(grads, start=1):
        assert torch.equal(run(optimizer, mine, [grad])[0], expected[t - 1])
        share = [decay ** (t - s) for s in range(1, t + 1)]
        mean = np.average([w.double().numpy() for w in expected[:t]], axis=0, weights=share)
        close(optimizer.evaluation_parameters()[0], mean, 1e-6)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("adagrad", "eps", 0.0),
        ("rmsprop", "alpha", 1.0),
        ("rmsprop", "centered", 1),
        ("nadam", "momentum_decay", -0.1),
        ("adamw", "beta1", 1.0),
        ("lion", "beta2", 1.0),
        ("averaged_sgd", "average_decay", 0.0),
    ],
)
def test_wrong_options(name: str, option: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"'{option}' is {value!r}"):
        make(name, [weights(2)], 0.1, **{option: value})
