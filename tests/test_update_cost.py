"""What optimisers say of the cost of their own steps, against PyTorch's count of the matrix products they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from optimizer_checks import make
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from winnow import plugins
from winnow.models.lenet5 import LeNet5
from winnow.problem import Problem, stacked

LANES, IMAGES = 2, 8
SIDES = {"conv1": (6, 25), "conv2": (16, 150), "fc1": (120, 256), "fc2": (84, 120), "fc3": (10, 84)}
WITH_MATRICES = ("k_fac", "l_bfgs", "muon", "soap")


def lenet5() -> Problem:
    model = LeNet5()
    drawn = [model.initialise(np.random.default_rng(seed)) for seed in range(LANES)]
    start = {name: torch.tensor(np.stack([lane[name] for lane in drawn]), dtype=torch.float32) for name in model.shapes}
    workspace = model.workspace(LANES, IMAGES, torch.device("cpu"), torch.float32)
    problem = stacked(model, start, list(range(LANES)), None, workspace)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(LANES, IMAGES, 1, 28, 28, generator=generator)
    problem.batch = inputs, torch.randint(0, 10, (LANES, IMAGES), generator=generator)
    problem.closure()
    return problem


def bound(name: str, problem: Problem, **options: Any) -> Any:
    optimizer = make(name, list(problem.handles.values()), torch.full((LANES,), 1e-3), **options)
    if optimizer.needs - {"closure"}:
        optimizer.bind(problem)
    return optimizer


def counted(call: Callable[[], Any]) -> float:
    """Multiply-adds of one lane in matrix products, of which the counter sees no decompositions."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 2 / LANES


@pytest.mark.parametrize("name", [n for n in plugins.names("optimizers") if n not in WITH_MATRICES])
def test_others_have_no_matrix_products(name: str) -> None:
    problem = lenet5()
    kind = plugins.load_class("optimizers", name)
    assert kind.update_multiply_adds(make(name, list(problem.handles.values()), 1e-3)) == 0
    if kind.lanes:
        optimizer = bound(name, problem)
        assert counted(optimizer.step) == 0


@pytest.mark.parametrize("matrices", ["hidden", "linear", "all"])
def test_muon(matrices: str) -> None:
    optimizer = bound("muon", lenet5(), matrices=matrices)
    assert optimizer.update_multiply_adds() == counted(optimizer.step) > 5e7


@pytest.mark.parametrize("largest", [10000, 130, 0])
def test_soap(largest: int) -> None:
    """Ten steps with two new bases; QR with its explicit orthogonal factor takes 8/3 n^3 flops."""
    optimizer = bound("soap", lenet5(), largest=largest, every=5)
    optimizer.step()
    products = sum(counted(optimizer.step) for _ in range(10)) / 10
    qr = sum(4 / 3 * n**3 / 5 for sides in SIDES.values() for n in sides if n <= largest)
    assert optimizer.update_multiply_adds() == pytest.approx(products + qr, rel=1e-12)
    assert (products > 0) == (largest > 0)


@pytest.mark.parametrize("fisher", ["sampled", "empirical"])
def test_k_fac(fisher: str) -> None:
    """Twelve steps: statistics at 1, 2, 3, 4, 8, 12, whose gradient the problem counts, inverses at 1, 2, 3, 6, 12."""
    problem = lenet5()
    optimizer = bound("k_fac", problem, fisher=fisher, statistics_every=4, inverse_every=6)
    assert optimizer.update_multiply_adds() == 0
    observe, passes, before = problem.layer_statistics, [], problem.sample_gradients

    def counting(*arguments: Any) -> Any:
        found: list[Any] = []
        passes.append(counted(lambda: found.append(observe(*arguments))))
        return found[0]

    problem.layer_statistics = counting  # type: ignore[method-assign]
    products = sum(counted(optimizer.step) for _ in range(12)) - sum(passes)
    assert problem.sample_gradients - before == IMAGES * len(passes) == IMAGES * 6
    inverses = 5 * sum(((columns + 1) ** 3 + rows**3) / 2 for rows, columns in SIDES.values())
    assert optimizer.update_multiply_adds() == pytest.approx((products + inverses) / 12, rel=1e-12)


class VectorWork(TorchDispatchMode):
    """Counts inner products and scaled sums of vectors as long as all weights."""

    def __init__(self, weights: int) -> None:
        super().__init__()
        self.weights, self.multiply_adds = weights, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.dot.default, torch.ops.aten.add_.Tensor) and args[0].numel() == self.weights:
            self.multiply_adds += self.weights
        return func(*args, **(kwargs or {}))


def test_l_bfgs() -> None:
    """A step with a full history: what the recursion takes, and up to six vector operations an iteration beside it."""
    parameter, curvature = torch.nn.Parameter(torch.linspace(-1, 1, 300)), torch.linspace(1, 50, 300)

    def closure() -> torch.Tensor:
        parameter.grad = curvature * parameter.detach()
        return (curvature * parameter.detach() ** 2).sum() / 2

    optimizer = make("l_bfgs", [parameter], 0.5, max_iter=4, history_size=8, line_search="none")
    for _ in range(4):
        optimizer.step(closure)
    with VectorWork(300) as work:
        optimizer.step(closure)
    stated = optimizer.update_multiply_adds()
    assert stated == 4 * 8 * 300 * 4
    assert stated <= work.multiply_adds <= stated + 6 * 4 * 300
