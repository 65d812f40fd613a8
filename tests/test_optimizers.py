"""Optimisers: one contract suite over every plug-in; each against its formula, against torch, by hand."""

from __future__ import annotations

import copy
import itertools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import recorded_steps
import torch
from optimizer_checks import close, fitting, gradients, make, rate_of, run, through_json, weights
from plugins_for_tests import AveragedGD
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from winnow import options, plugins
from winnow.errors import UserError
from winnow.optimizers.eg import EG
from winnow.optimizers.gd import GD
from winnow.seeds import stream

NAMES = plugins.names("optimizers")
EVERY = pytest.mark.parametrize("name", NAMES)
WITH_MOMENTUM = [name for name in NAMES if "dampening" in options.parameters("optimizers", name)]  # as torch's SGD
MOVE_ZEROS = ("k_fac", "muon", "soap")  # the training loop masks after each of their steps
AVERAGING = ("averaged_sgd",)
DRIVEN = (
    "hessian_free",
    "k_fac",
    "l_bfgs",
    "saga",
    "svrg",
)  # a step needs a closure or a problem: tests/test_second_order.py and test_variance_reduced.py have their steps
STEPPED = pytest.mark.parametrize("name", [name for name in NAMES if name not in DRIVEN])
COMBINATIONS = [
    {"momentum": m, "dampening": damp, "nesterov": nesterov, "weight_decay": wd}
    for m, damp, nesterov, wd in itertools.product((0.0, 0.9), (0.0, 0.3), (False, True), (0.0, 0.02))
    if not nesterov or (m > 0 and damp == 0)
]
USUAL = {"momentum": 0.9, "weight_decay": 1e-3}


# ---- the formulas, one float64 number at a time -------------------------------------------------------------------


def sign(x: float) -> float:
    return float(x > 0) - float(x < 0)


PULL = {
    "gd": lambda w: w,
    "sgd": lambda w: w,
    "averaged_sgd": lambda w: w,
    "gd_signed": lambda w: w,
    "eg": sign,
    "eg_unsigned": lambda w: abs(sign(w)),
    "hypentropy": lambda w: w,
    "eg_pm": lambda w: w,
}


def move(name: str, w: float, d: float, lr: float, first: float) -> float:
    """The next w; `first` is where it started."""
    if name == "eg":
        return w * math.exp(-lr * sign(w) * d)
    if name == "eg_unsigned":
        return w * math.exp(-lr * d)
    if name in ("hypentropy", "eg_pm"):  # eg_pm has a beta per weight, from its parts |w| + 0.01 and 0.01 at the start
        beta = 1.0 if name == "hypentropy" else 2 * math.sqrt(0.01 * (abs(first) + 0.01)) * abs(sign(first))
        return beta * math.sinh(math.asinh(w / beta) - lr * d) if beta else 0.0
    new = w - lr * d
    if name == "gd_signed" and w != 0 and sign(new) != sign(w):
        return sign(w) * 1e-18
    return new


def slow(name: str, start: np.ndarray, grads: list[np.ndarray], lr: float, option: dict[str, Any]) -> list[np.ndarray]:
    w, buffer = start.astype(float).ravel().tolist(), [0.0] * start.size
    first = list(w)
    m, damp, trace = option.get("momentum", 0.0), option.get("dampening", 0.0), []
    for t, grad in enumerate(grads):
        for i, g in enumerate(grad.ravel().tolist()):
            u = g + option.get("weight_decay", 0.0) * PULL[name](w[i])
            buffer[i] = u if t == 0 else m * buffer[i] + (1 - damp) * u
            d = u if m == 0 else u + m * buffer[i] if option.get("nesterov") else buffer[i]
            w[i] = move(name, w[i], d, lr, first[i])
        trace.append(np.array(w).reshape(start.shape))
    return trace


@pytest.mark.parametrize("name", WITH_MOMENTUM)
@pytest.mark.parametrize("option", COMBINATIONS, ids=str)
def test_follows_its_formula(name: str, option: dict[str, Any]) -> None:
    parameter = weights(3, 5, dtype=torch.float64)
    with torch.no_grad():
        parameter[0, 0] = 0
    grads = gradients(3, 5, steps=6)
    expected = slow(name, parameter.detach().numpy().copy(), grads, 0.3, option)
    for actual, wanted in zip(run(make(name, [parameter], 0.3, **option), parameter, grads), expected, strict=True):
        close(actual, wanted, 1e-12)


@pytest.mark.parametrize("option", COMBINATIONS, ids=str)
@pytest.mark.parametrize("shape", [(7,), (33, 65)])
def test_gd_is_torch_sgd(option: dict[str, Any], shape: tuple[int, ...]) -> None:
    mine, theirs, grads = weights(*shape), weights(*shape), gradients(*shape, steps=8)
    expected = run(torch.optim.SGD([theirs], lr=0.05, **option), theirs, grads)
    for actual, wanted in zip(run(GD([mine], 0.05, **option), mine, grads), expected, strict=True):
        assert torch.equal(actual, wanted)


# ---- the contract, over every plug-in -----------------------------------------------------------------------------


@EVERY
def test_contract_attributes(name: str) -> None:
    parameter = weights(2)
    optimizer = make(name, [parameter], 0.1)
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert isinstance(optimizer.lanes, bool)
    assert isinstance(optimizer.capturable, bool)
    assert optimizer.keeps_zeros == (name not in MOVE_ZEROS)  # test_masked_zeros_stay_zero shows it
    assert optimizer.needs <= {"closure", "problem", "layers", "fixed_batches"}
    evaluated = optimizer.evaluation_parameters()  # nothing has moved yet
    assert evaluated is None or all(map(torch.equal, evaluated, optimizer.param_groups[0]["params"]))
    config = {"name": name, **fitting(name, momentum=0.9, dampening=0, nesterov=False, weight_decay="1e-6")}
    assert options.check("optimizers", config)["weight_decay"] == 1e-6  # config finds the options in the source


@STEPPED
def test_ordinary_use(name: str) -> None:
    """Anybody's training loop: a float rate, a closure, a torch scheduler, gradients set to None and left alone."""
    generator = torch.Generator().manual_seed(0)
    model = torch.nn.Linear(6, 1)
    with torch.no_grad():  # all positive: the unsigned ablation climbs where a weight is negative
        model.weight.copy_(torch.linspace(0.1, 0.6, 6))
        model.bias.fill_(0.3)
    inputs = torch.rand(40, 6, generator=generator)
    targets = inputs @ torch.linspace(0.6, 0.1, 6).reshape(6, 1) + 0.1
    optimizer = make(name, model.parameters(), rate_of(name), **fitting(name, momentum=0.5, weight_decay=1e-6))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.9)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        return loss

    losses = []
    for _ in range(60):
        losses.append(optimizer.step(closure).item())
        schedule.step()
    assert losses[-1] < 0.3 * losses[0]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(rate_of(name) * 0.9**6)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.zero_grad()
    optimizer.step()
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


@STEPPED
def test_lanes_together_are_lanes_alone(name: str) -> None:
    rates, grads = [0.1, 0.02, 0.3], gradients(3, 9, 11, steps=20)
    option = fitting(name, **USUAL, nesterov=True)
    together = weights(3, 9, 11)
    alone = [torch.nn.Parameter(lane.detach().clone()) for lane in together]
    swapped = torch.nn.Parameter(together.detach()[[2, 1, 0]].clone())
    trace = run(make(name, [together], torch.tensor(rates), **option), together, grads)
    other = run(make(name, [swapped], torch.tensor(rates[::-1]), **option), swapped, [g[::-1].copy() for g in grads])
    for i, (parameter, rate) in enumerate(zip(alone, rates, strict=True)):
        single = run(make(name, [parameter], rate, **option), parameter, [g[i] for g in grads])
        for t in range(20):
            close(trace[t][i], single[t], 1e-6)
            assert torch.equal(trace[t][i], other[t][2 - i])


@STEPPED
def test_rates_may_be_written_into(name: str) -> None:
    """A schedule replaces group["lr"] or writes into it: the next step moves at the new rate."""
    rate, option = torch.tensor([0.1, 0.1]), fitting(name, momentum=0.5)
    together, grads = weights(2, 3, 4), gradients(2, 3, 4, steps=2)
    alone = [torch.nn.Parameter(lane.detach().clone()) for lane in together]
    written = make(name, [together], rate, **option)
    replaced = [make(name, [parameter], 0.1, **option) for parameter in alone]
    run(written, together, grads[:1])
    rate.mul_(0.5)
    run(written, together, grads[1:])
    for i, (optimizer, parameter) in enumerate(zip(replaced, alone, strict=True)):
        run(optimizer, parameter, [grads[0][i]])
        optimizer.param_groups[0]["lr"] = 0.05
        close(together[i].detach(), run(optimizer, parameter, [grads[1][i]])[0], 1e-6)


@EVERY
@pytest.mark.parametrize(
    ("option", "value", "valid"),
    [
        ("lr", -0.1, ">= 0"),
        ("lr", float("nan"), ">= 0"),
        ("lr", "0.1", ">= 0"),
        ("lr", torch.tensor([0.1, -0.1]), ">= 0"),
        ("lr", torch.tensor([0.1, 0.1, 0.1]), "leading axis of 3"),
        ("weight_decay", -1e-6, ">= 0"),
        ("weight_decay", float("inf"), ">= 0"),
    ],
)
def test_wrong_options(name: str, option: str, value: Any, valid: str) -> None:
    if isinstance(value, Tensor) and not plugins.load_class("optimizers", name).lanes:
        valid = ">= 0, for one lane"
    with pytest.raises(UserError, match=f"'{option}'.*{valid}"):
        make(name, [weights(2, 2)], **{"lr": 0.1, option: value})


@pytest.mark.parametrize("name", WITH_MOMENTUM)
@pytest.mark.parametrize(
    ("option", "value", "valid"),
    [
        ("momentum", 1.0, r"\[0, 1\)"),
        ("momentum", -0.1, r"\[0, 1\)"),
        ("momentum", True, r"\[0, 1\)"),
        ("dampening", 1.5, r"\[0, 1\]"),
        ("nesterov", 1, "true or false"),
        ("nesterov", True, "momentum > 0"),
    ],
)
def test_wrong_momentum(name: str, option: str, value: Any, valid: str) -> None:
    with pytest.raises(UserError, match=f"'{option}'.*{valid}"):
        make(name, [weights(2, 2)], **{"lr": 0.1, option: value})


@pytest.mark.parametrize("name", WITH_MOMENTUM)
def test_nesterov_refuses_dampening(name: str) -> None:
    with pytest.raises(UserError, match=r"'nesterov'.*dampening 0"):
        make(name, [weights(2)], 0.1, momentum=0.9, dampening=0.1, nesterov=True)


@EVERY
def test_a_bad_group_is_not_added(name: str) -> None:
    optimizer = make(name, [weights(2)], 0.1)
    with pytest.raises(UserError, match="'weight_decay' is -2"):
        optimizer.add_param_group({"params": [weights(3)], "weight_decay": -2})
    assert len(optimizer.param_groups) == 1


@STEPPED
@pytest.mark.parametrize("lanes", [False, True])
def test_state_dict_round_trip(name: str, lanes: bool) -> None:
    lr = torch.tensor([0.1, 0.2]) if lanes else 0.1
    parameter, grads = weights(2, 6), gradients(2, 6, steps=10)
    optimizer = make(name, [parameter], lr, **fitting(name, **USUAL))
    run(optimizer, parameter, grads[:5])
    saved, value = through_json(optimizer.state_dict()), parameter.detach().clone()
    expected = run(optimizer, parameter, grads[5:])
    again = torch.nn.Parameter(value)
    resumed = make(name, [again], torch.tensor([1.0, 1.0]) if lanes else 1.0)
    resumed.load_state_dict(saved)
    for actual, wanted in zip(run(resumed, again, grads[5:]), expected, strict=True):
        assert torch.equal(actual, wanted)


@STEPPED
def test_a_loaded_state_is_on_the_parameters_device(name: str) -> None:
    """A checkpoint is read on the host; "meta" stands for an accelerator."""
    parameter, elsewhere = weights(2, 6), torch.nn.Parameter(torch.empty(2, 6, device="meta"))
    optimizer = make(name, [parameter], torch.tensor([0.1, 0.2]), **fitting(name, **USUAL))
    run(optimizer, parameter, gradients(2, 6, steps=1))
    resumed = make(name, [elsewhere], 0.1)
    resumed.load_state_dict(optimizer.state_dict())
    held = [*resumed.param_groups[0].values(), *resumed.state[elsewhere].values()]
    assert {value.device.type for value in held if isinstance(value, Tensor)} == {"meta"}


@STEPPED
def test_copies_step_as_the_original(name: str) -> None:
    parameter, grads = weights(4), gradients(4, steps=3)
    optimizer = make(name, [parameter], 0.1, **fitting(name, **USUAL))
    run(optimizer, parameter, grads[:1])
    copied = copy.deepcopy(optimizer)
    assert copied.needs == optimizer.needs
    other = copied.param_groups[0]["params"][0]
    assert torch.equal(run(copied, other, grads[1:])[-1], run(optimizer, parameter, grads[1:])[-1])


@STEPPED
def test_masked_zeros_stay_zero(name: str) -> None:
    """In the loop's order: mask the gradient, step, mask unless the optimiser keeps zeros. Their state is zero, too."""
    parameter, rates = weights(2, 5, 8), torch.tensor([0.5, 0.1])
    mask = torch.from_numpy(np.random.default_rng(3).random((2, 5, 8)) < 0.5).float()
    parameter.data.mul_(mask)
    optimizer = make(name, [parameter], rates, **fitting(name, **USUAL))
    for grad in gradients(2, 5, 8, steps=20):
        parameter.grad = torch.as_tensor(grad, dtype=torch.float32) * mask
        optimizer.step()
        if not optimizer.keeps_zeros:
            assert torch.any(parameter[mask == 0] != 0)
            parameter.data.mul_(mask)
        state = [value for value in optimizer.state[parameter].values() if isinstance(value, Tensor)]
        held = [parameter, *(tensor for tensor in state if tensor.shape == parameter.shape)]
        assert len(held) > 1
        for tensor in held:
            assert torch.all(tensor[mask == 0] == 0)
            assert torch.all(tensor[mask == 1] != 0)


@STEPPED
def test_gradients_are_left_alone(name: str) -> None:
    parameter, grad = weights(6), torch.randn(6, generator=torch.Generator().manual_seed(0))
    optimizer = make(name, [parameter], 0.1, **fitting(name, momentum=0.9, nesterov=True, weight_decay=0.1))
    for _ in range(3):
        parameter.grad = grad.clone()
        optimizer.step()
        assert torch.equal(parameter.grad, grad)


@STEPPED
@pytest.mark.parametrize("bad", [float("inf"), float("-inf"), float("nan"), 1e30])
def test_divergence_shows_in_the_weights_without_an_exception(name: str, bad: float) -> None:
    """40 elements, so that vectorised code and its remainder are both met; other lanes are untouched."""
    parameter = torch.nn.Parameter(torch.tensor([[0.5, -0.5, 0.0, 0.25] * 10] * 2))
    optimizer = make(name, [parameter], torch.tensor([10.0, 0.1]), **fitting(name, momentum=0.9, weight_decay=0.0))
    for _ in range(3):
        parameter.grad = torch.zeros(2, 40)
        parameter.grad[0] = bad
        optimizer.step()
    if math.isnan(bad):
        assert torch.all(~torch.isfinite(parameter[0, [0, 1, 3, 36, 37, 39]]))
    if name in ("eg", "eg_unsigned"):
        assert torch.all(parameter[:, 2::4] == 0)
        if not math.isnan(bad):  # one of the two signs runs away
            grows = parameter[0, 1] if name == "eg" and bad > 0 else parameter[0, 0]
            assert torch.isinf(grows) == (name == "eg" or bad < 0)
    if name in ("gd", "sgd") and not math.isfinite(bad):
        assert not torch.any(torch.isfinite(parameter[0]))
    assert torch.equal(parameter[1], torch.tensor([0.5, -0.5, 0.0, 0.25] * 10))


class NoHostReads(TorchDispatchMode):
    """Fails on every operation that waits for a value, which could not be captured in a CUDA graph."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not recorded_steps.waits(func, args), func
        return func(*args, **(kwargs or {}))


@STEPPED
def test_a_step_reads_nothing_back(name: str) -> None:
    parameter, grads = weights(2, 8), gradients(2, 8, steps=3)
    optimizer = make(name, [parameter], torch.tensor([0.1, 0.2]), **fitting(name, **USUAL))
    if not optimizer.capturable:
        pytest.skip("not capturable")
    run(optimizer, parameter, grads[:1])
    with NoHostReads():
        run(optimizer, parameter, grads[1:])
        with pytest.raises(AssertionError):
            parameter.sum().item()


# ---- eg and its relatives, by hand --------------------------------------------------------------------------------


def test_eg_by_hand() -> None:
    """lr = ln 2 makes every factor a power of two: w <- w * 2**(-sign(w) * d). wd = 1, m = 0.5.

    start   w = (0.5, -0.25, 1, 0)        sign = (1, -1, 1, 0)
    step 1  g = (1, 2, -1, 5)             u = g + sign = (2, 1, 0, 5) = buf = d
            w = (0.5 * 2**-2, -0.25 * 2**1, 1 * 2**0, 0) = (0.125, -0.5, 1, 0)
    step 2  g = 0                         u = (1, -1, 1, 0),  buf = buf / 2 + u = (2, -0.5, 1, 2.5)
            w = (0.125 * 2**-2, -0.5 * 2**-0.5, 1 * 2**-1, 0) = (0.03125, -0.353553390593, 0.5, 0)
    """
    parameter = torch.nn.Parameter(torch.tensor([0.5, -0.25, 1.0, 0.0], dtype=torch.float64))
    optimizer = EG([parameter], math.log(2), momentum=0.5, weight_decay=1.0)
    first, second = run(optimizer, parameter, [[1, 2, -1, 5], [0, 0, 0, 0]])
    close(first, [0.125, -0.5, 1.0, 0.0], 1e-12)
    close(second, [0.03125, -0.353553390593, 0.5, 0.0], 1e-12)


def test_eg_decay_alone_is_a_factor_per_step() -> None:
    """exp(-lr * wd) without momentum; with momentum m the factor tends to exp(-lr * wd / (1 - m))."""
    for m, steps in ((0.0, 1), (0.9, 300)):
        parameter = weights(5, dtype=torch.float64)
        trace = run(EG([parameter], 0.5, momentum=m, weight_decay=0.01), parameter, [np.zeros(5)] * (steps + 1))
        close(trace[-1] / trace[-2], np.full(5, math.exp(-0.5 * 0.01 / (1 - m))), 1e-10)


def test_gd_signed_by_hand() -> None:
    """lr 0.5: (0.4, -0.4, 1, 0, 0.5) - 0.5 * (1, -1, 1, 1, 1) = (-0.1, 0.1, 0.5, -0.5, 0)."""
    parameter = torch.nn.Parameter(torch.tensor([0.4, -0.4, 1.0, 0.0, 0.5]))
    trace = run(make("gd_signed", [parameter], 0.5), parameter, [[1, -1, 1, 1, 1], [-2, 2, 0, 0, 0]])
    assert trace[0].tolist() == pytest.approx([1e-18, -1e-18, 0.5, -0.5, 1e-18], rel=1e-6, abs=0)
    assert trace[1].tolist() == pytest.approx([1.0, -1.0, 0.5, -0.5, 1e-18], rel=1e-6, abs=0)


# ---- parameters that start at zero --------------------------------------------------------------------------------


class StandIn:
    """What a problem offers to EG, for lanes with the given seeds."""

    zero_initialised = frozenset({"bias"})

    def __init__(self, seeds: list[int], **named: Tensor) -> None:
        self.seeds, self.names = seeds, {tensor: name for name, tensor in named.items()}
        self.fan_in = {"bias": 8, "weight": 8}

    def generator(self, lane: int, purpose: str) -> np.random.Generator:
        return stream(self.seeds[lane], purpose)


def bound(bias: Tensor, seeds: list[int], policy: str, **more: Any) -> Any:
    """(EG over a bias [L, ...] and a weight of the same shape, bound, and that weight)."""
    weight = weights(*bias.shape, seed=7)
    rates = torch.full((len(seeds),), 0.1)
    optimizer = EG([weight, bias], rates, zero_policy=policy, **more)
    optimizer.bind(StandIn(seeds, weight=weight, bias=bias))
    return SimpleNamespace(optimizer=optimizer, weight=weight)


def zeros(*shape: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.zeros(shape))


def test_needs() -> None:
    assert EG([weights(2)], 0.1).needs == frozenset()
    assert EG([weights(2)], 0.1, zero_policy="split").needs == {"problem"}
    assert EG([weights(2)], 0.1, zero_policy="gd", bias_lr=0.1).needs == {"problem"}
    assert copy.deepcopy(EG([weights(2)], 0.1, zero_policy="split")).needs == {"problem"}


def test_as_is_leaves_zeros_alone() -> None:
    bias = zeros(2, 5)
    made = bound(bias, [0, 1], "as_is", **USUAL)
    assert torch.all(run(made.optimizer, bias, gradients(2, 5, steps=5))[-1] == 0)


def test_split_draws_named_numbers_per_lane() -> None:
    """The parts are the first numbers of each lane's own stream, within r = sqrt(2 / 8) = 0.5."""
    bias = zeros(2, 5)
    made = bound(bias, [3, 1], "split")
    state = made.optimizer.state[bias]
    for lane, seed in enumerate((3, 1)):
        generator = stream(seed, "split")
        close(state["positive"][lane], generator.uniform(0, 0.5, 5), 1e-7)
        close(state["negative"][lane], generator.uniform(-0.5, 0, 5), 1e-7)
    assert torch.equal(bias, state["positive"] + state["negative"])
    swapped = zeros(2, 5)
    bound(swapped, [1, 3], "split")
    assert torch.equal(swapped.detach().flip(0), bias)


@pytest.mark.parametrize("option", [{}, USUAL], ids=str)
def test_split_moves_both_parts_by_the_same_gradient(option: dict[str, Any]) -> None:
    bias, grads = zeros(2, 5), gradients(2, 5, steps=6)
    made = bound(bias, [0, 1], "split", **option)
    start = {key: made.optimizer.state[bias][key].double().numpy() for key in ("positive", "negative")}
    trace = run(made.optimizer, bias, grads)
    slow_parts = [slow("eg", start[key], grads, 0.1, option) for key in ("positive", "negative")]
    for actual, positive, negative in zip(trace, *slow_parts, strict=True):
        close(actual, positive + negative, 1e-6)
    assert torch.all(made.optimizer.state[bias]["positive"] > 0)
    assert torch.all(made.optimizer.state[bias]["negative"] < 0)
    assert torch.all(run(made.optimizer, bias, [np.ones((2, 5))] * 40)[-1] < 0)  # of either sign before: signs turn
    assert torch.any(trace[0] > 0)


def test_split_restarts_from_a_rewound_value() -> None:
    first, rewound = zeros(2, 50), weights(2, 50, seed=9)
    start, value = bound(first, [0, 1], "split"), rewound.detach().clone()
    again = bound(rewound, [0, 1], "split")
    assert torch.equal(rewound, value)
    parts = again.optimizer.state[rewound]
    close(parts["positive"] + parts["negative"], value, 1e-6)
    drawn = start.optimizer.state[first]
    up = value > first
    assert torch.equal(parts["negative"][up], drawn["negative"][up])
    assert torch.equal(parts["positive"][~up], drawn["positive"][~up])
    assert torch.all(parts["positive"] > 0)
    assert torch.all(parts["negative"] < 0)


def test_gd_policy_moves_zeros_by_gd_at_their_own_rate_along_the_schedule() -> None:
    """Also from a rewound value; the weights move by EG. The rate halves after 3 steps, and so does bias_lr."""
    grads = gradients(2, 5, steps=6)
    for bias in (zeros(2, 5), weights(2, 5, seed=9)):
        plain = torch.nn.Parameter(bias.detach().clone())
        made, gd = bound(bias, [0, 1], "gd", bias_lr=0.02, **USUAL), GD([plain], 0.02, **USUAL)
        other = weights(2, 5, seed=7)
        eg = EG([other], torch.full((2,), 0.1), **USUAL)
        for t, grad in enumerate(grads):
            if t == 3:
                made.optimizer.param_groups[0]["lr"].mul_(0.5)
                eg.param_groups[0]["lr"].mul_(0.5)
                gd.param_groups[0]["lr"] = 0.01
            made.weight.grad = torch.as_tensor(grad, dtype=torch.float32)
            close(run(made.optimizer, bias, [grad])[0], run(gd, plain, [grad])[0], 1e-6)
            assert torch.equal(made.weight, run(eg, other, [grad])[0])


@pytest.mark.parametrize("policy", ["split", "gd"])
def test_zero_policies_survive_a_round_trip(policy: str) -> None:
    """Resumed at values that are no longer zero, by an optimiser bound before its state is loaded, as the loop does."""
    more = {"bias_lr": 0.02} if policy == "gd" else {}
    bias, grads = zeros(2, 5), gradients(2, 5, steps=8)
    made = bound(bias, [0, 1], policy, **more, **USUAL)
    run(made.optimizer, bias, grads[:4])
    saved, value = through_json(made.optimizer.state_dict()), bias.detach().clone()
    expected = run(made.optimizer, bias, grads[4:])
    again = torch.nn.Parameter(value)
    resumed = bound(again, [0, 1], policy, **more, **USUAL)
    resumed.optimizer.load_state_dict(saved)
    for actual, wanted in zip(run(resumed.optimizer, again, grads[4:]), expected, strict=True):
        assert torch.equal(actual, wanted)


def test_ordinary_users_split_and_gd() -> None:
    """Without a problem: exactly zero at construction, or as the group says."""
    bias, nonzero, named = zeros(6), weights(6), weights(6, seed=2)
    groups = [{"params": [bias, nonzero]}, {"params": [named], "fan_in": 32, "zero_initialised": True}]
    optimizer = EG(groups, 0.1, zero_policy="split", fan_in=2, generator=np.random.default_rng(0))
    assert torch.all(bias != 0)
    assert optimizer.state[bias]["positive"].max() > 0.25  # r = 1; with fan_in 32 it would be 0.25
    assert "positive" not in optimizer.state.get(nonzero, {})
    assert set(optimizer.state[named]) == {"zero_initialised", "positive", "negative"}
    bias, kept = zeros(3), zeros(3)
    groups = [{"params": [bias]}, {"params": [kept], "zero_initialised": False}]
    optimizer = EG(groups, 0.1, zero_policy="gd", bias_lr=0.5)
    bias.grad, kept.grad = torch.ones(3), torch.ones(3)
    optimizer.step()
    assert bias.tolist() == [-0.5] * 3
    assert kept.tolist() == [0.0] * 3


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"zero_policy": "plit"}, "'zero_policy' is 'plit'.*as_is, split, gd"),
        ({"zero_policy": "gd"}, "'bias_lr' is None.*> 0"),
        ({"zero_policy": "gd", "bias_lr": 0.0}, "'bias_lr' is 0.0"),
        ({"zero_policy": "gd", "bias_lr": 0.1, "lr": 0.0}, "'lr' is 0.0"),
        ({"zero_policy": "split", "bias_lr": 0.1}, "'bias_lr' is 0.1.*only 'gd'"),
        ({"zero_policy": "split", "fan_in": 0}, "'fan_in' is 0"),
        ({"zero_policy": "split", "fan_in": 2.5}, "'fan_in' is 2.5"),
        ({"zero_policy": "split", "generator": np.random.default_rng()}, "'fan_in' is None"),
        ({"zero_policy": "split", "generator": 3}, "'generator' is 3"),
    ],
)
def test_wrong_zero_policies(option: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EG([zeros(2)], **{"lr": 0.1, **option})


def test_split_without_a_draw_is_refused_at_the_first_step() -> None:
    bias = zeros(2)
    optimizer = EG([bias], 0.1, zero_policy="split")
    bias.grad = torch.ones(2)
    with pytest.raises(UserError, match=r"'split'.*bind"):
        optimizer.step()


# ---- adam ----------------------------------------------------------------------------------------------------------


ADAMS = [
    {},
    {"weight_decay": 0.02},
    {"beta1": 0.0, "beta2": 0.0, "eps": 1e-3},
    {"beta1": 0.5, "beta2": 0.9, "eps": 1e-5, "weight_decay": 0.1},
]


def slow_adam(
    start: np.ndarray,
    grads: list[np.ndarray],
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> list[np.ndarray]:
    w, m, v, trace = start.astype(float), np.zeros(start.shape), np.zeros(start.shape), []
    for t, grad in enumerate(grads, start=1):
        u = grad + weight_decay * w
        m = beta1 * m + (1 - beta1) * u
        v = beta2 * v + (1 - beta2) * u**2
        w = w - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        trace.append(w)
    return trace


@pytest.mark.parametrize("option", ADAMS, ids=str)
def test_adam_follows_its_formula(option: dict[str, Any]) -> None:
    """Two lanes at their own rates, 33 elements each, so that vectorised code and its remainder are both met."""
    parameter, rates, grads = weights(2, 3, 11, dtype=torch.float64), [0.1, 0.01], gradients(2, 3, 11, steps=8)
    start = parameter.detach().numpy().copy()
    trace = run(make("adam", [parameter], torch.tensor(rates, dtype=torch.float64), **option), parameter, grads)
    for lane, rate in enumerate(rates):
        expected = slow_adam(start[lane], [grad[lane] for grad in grads], rate, **option)
        for actual, wanted in zip(trace, expected, strict=True):
            close(actual[lane], wanted, 1e-12)


@pytest.mark.parametrize("option", ADAMS, ids=str)
def test_adam_is_torch_adam(option: dict[str, Any]) -> None:
    mine, theirs, grads = weights(33, 65), weights(33, 65), gradients(33, 65, steps=8)
    rest = dict(option)
    betas = (rest.pop("beta1", 0.9), rest.pop("beta2", 0.999))
    expected = run(torch.optim.Adam([theirs], lr=0.05, betas=betas, **rest, foreach=False), theirs, grads)
    for actual, wanted in zip(run(make("adam", [mine], 0.05, **option), mine, grads), expected, strict=True):
        close(actual, wanted, 1e-6)


def test_adam_counts_the_steps_of_each_parameter() -> None:
    """One that gets its first gradient later starts from its own step 1."""
    early, late, alone = weights(4), weights(4, seed=2), weights(4, seed=2)
    optimizer = make("adam", [early, late], 0.1)
    grads = gradients(4, steps=5)
    run(optimizer, early, grads[:3])
    early.grad = None
    assert torch.equal(run(optimizer, late, grads[3:])[-1], run(make("adam", [alone], 0.1), alone, grads[3:])[-1])


@pytest.mark.parametrize(("option", "value"), [("beta1", 1.0), ("beta2", -0.1), ("eps", 0.0), ("eps", "1e-8")])
def test_wrong_options_of_adam(option: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"'{option}' is {value!r}"):
        make("adam", [weights(2)], 0.1, **{option: value})


def test_sgd_is_gd() -> None:
    assert issubclass(plugins.load_class("optimizers", "sgd"), GD)


# ---- the test plug-in ----------------------------------------------------------------------------------------------


def test_averaging_plug_in() -> None:
    parameter = weights(2, 3)
    optimizer = AveragedGD([parameter], torch.tensor([0.1, 0.2]), momentum=0.5)
    assert torch.equal(optimizer.evaluation_parameters()[0], parameter)
    trace = run(optimizer, parameter, gradients(2, 3, steps=5))
    close(optimizer.evaluation_parameters()[0], torch.stack(trace).mean(0), 1e-6)
    saved = through_json(optimizer.state_dict())
    again = AveragedGD([torch.nn.Parameter(trace[-1])], torch.ones(2))
    again.load_state_dict(saved)
    assert torch.equal(again.evaluation_parameters()[0], optimizer.evaluation_parameters()[0])
