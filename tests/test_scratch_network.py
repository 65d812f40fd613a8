"""The network from scratch: its gradient against finite differences, its parts against their definitions."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest

from winnow.errors import UserError
from winnow.scratch.activations import ACTIVATIONS
from winnow.scratch.initialisers import INITIALISERS
from winnow.scratch.losses import LOSSES, softmax
from winnow.scratch.memory import zeros
from winnow.scratch.network import Network, Workspace
from winnow.scratch.products import Products
from winnow.seeds import stream

ROOT = Path(__file__).resolve().parent.parent
HIDDEN = {0: (), 1: (5,), 2: (5, 4), 3: (5, 4, 6)}
INPUTS, CLASSES, ROWS = 7, 3, 6


def filled(hidden: tuple[int, ...], activation: str, loss: str) -> tuple[Network, Workspace, np.ndarray]:
    """A float64 network with random weights and biases, a workspace with random inputs, and labels."""
    generator = np.random.default_rng(1)
    network = Network((INPUTS, *hidden, CLASSES), activation, np.float64)
    network.parameters[:] = generator.normal(0, 0.7, network.parameters.size)
    workspace = Workspace(network, ROWS, loss)
    workspace.inputs[:] = generator.normal(0, 1, workspace.inputs.shape)
    return network, workspace, generator.integers(0, CLASSES, ROWS)


@pytest.mark.parametrize("depth", HIDDEN)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_equals_central_differences(activation: str, loss: str, depth: int) -> None:
    network, workspace, labels = filled(HIDDEN[depth], activation, loss)

    def value() -> float:
        workspace.forward()
        return workspace.loss(labels)

    value()
    gradient = np.full_like(network.parameters, np.nan)
    workspace.backward(*network.layers(gradient))
    expected = np.empty_like(gradient)
    step = 1e-6
    for index, kept in enumerate(network.parameters.copy()):
        network.parameters[index] = kept + step
        above = value()
        network.parameters[index] = kept - step
        expected[index] = (above - value()) / (2 * step)
        network.parameters[index] = kept
    assert np.abs(expected).max() > 1e-2
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("depth", HIDDEN)
def test_forward_equals_the_textbook(depth: int) -> None:
    network, workspace, labels = filled(HIDDEN[depth], "sigmoid", "cross_entropy")
    a = workspace.inputs.copy()
    for weight, bias in list(zip(network.weights, network.biases, strict=True))[:-1]:
        a = 1 / (1 + np.exp(-(a @ weight + bias)))
    z = a @ network.weights[-1] + network.biases[-1]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(workspace.forward(), p, rtol=1e-12)
    assert workspace.loss(labels) == pytest.approx(-sum(math.log(p[i, y]) for i, y in enumerate(labels)) / ROWS)


@pytest.mark.parametrize(("rows", "n", "m", "count"), [
    (32, 784, 128, 7), (16, 784, 32, 7), (500, 784, 128, 1), (32, 128, 128, 1), (4, 787, 3, 1), (8, 129, 5, 1),
    (32, 512, 256, 8), (64, 512, 512, 1),
])  # fmt: skip
def test_products_in_slices_are_the_products(rows: int, n: int, m: int, count: int) -> None:
    generator = np.random.default_rng(0)
    a, w, d = (generator.normal(size=shape) for shape in ((rows, n), (n, m), (rows, m)))
    products = Products(a, m)
    assert products.count == count
    z, gradient = np.full((rows, m), np.nan), np.full((n, m), np.nan)
    a *= 2  # it is read when it is needed
    products.forward(w, out=z)
    products.gradient(d, out=gradient)
    np.testing.assert_allclose(z, a @ w, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(gradient, a.T @ d, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [7, (), (3, 5), (1, 2, 3)])
def test_memory_begins_at_a_cache_line(shape: int | tuple[int, ...]) -> None:
    kept = [zeros(shape, np.float32) for _ in range(5)]
    for made in kept:
        assert made.ctypes.data % 64 == 0
        assert made.shape == np.zeros(shape).shape
        assert made.dtype == np.float32
        assert not made.any()
        made[...] = 1


def test_losses_by_hand() -> None:
    z = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    p, y = np.empty_like(z), np.eye(3)[[0, 1]]
    softmax(z, p)
    assert LOSSES["cross_entropy"].value(p, z, y) == pytest.approx((math.log(2) + math.log(10)) / 2)
    squares = (0.5**2 + 0.25**2 + 0.25**2) + (0.1**2 + 0.9**2 + 0.8**2)
    assert LOSSES["mean_squared_error"].value(p, z, y) == pytest.approx(squares / 2)


def test_extreme_logits_stay_finite() -> None:
    z = np.array([[2000.0, 0.0, -2000.0]], np.float32)
    p = np.empty_like(z)
    softmax(z, p)
    assert p.tolist() == [[1, 0, 0]]
    assert z.tolist() == [[0, -2000, -4000]]
    extremes = np.array([-500.0, 0.0, 500.0], np.float32)
    ACTIVATIONS["sigmoid"].apply(extremes)
    assert extremes.tolist() == [0, 0.5, 1]


def test_initialisers_by_definition() -> None:
    assert set(INITIALISERS) == {"random", "xavier"}
    for name, bounds in {"random": (0.1, 0.1), "xavier": (math.sqrt(6 / 500), math.sqrt(6 / 210))}.items():
        network = Network((300, 200, 10))
        network.biases[0][:] = 3
        network.initialise(name, stream(0, "init"))
        for weight, bias, bound in zip(network.weights, network.biases, bounds, strict=True):
            assert 0.97 * bound < np.abs(weight).max() <= bound * (1 + 1e-6)
            assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)
            assert not bias.any()
        again = Network((300, 200, 10))
        again.initialise(name.capitalize(), stream(0, "init"))
        assert again.parameters.tobytes() == network.parameters.tobytes()


def test_default_sizes_and_layout() -> None:
    network = Network()
    assert network.sizes == (784, 128, 64, 10)
    assert network.parameters.dtype == np.float32
    assert network.weight_count == 784 * 128 + 128 * 64 + 64 * 10
    assert network.parameters.size == network.weight_count + 128 + 64 + 10
    network.parameters[:] = np.arange(network.parameters.size)
    assert network.weights[1][0, 0] == 784 * 128
    assert network.biases[0][0] == network.weight_count
    assert all(np.shares_memory(part, network.parameters) for part in [*network.weights, *network.biases])


@pytest.mark.parametrize("sizes", [(), (784,), (784, 0, 10), (784, 12.5, 10), (784, -3, 10), (784, True, 10)])
def test_wrong_sizes(sizes: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"layer sizes \[.*at least two whole numbers"):
        Network(sizes)


def test_unknown_names() -> None:
    network = Network((4, 2))
    with pytest.raises(UserError, match=r"no activation 'rleu'. Did you mean 'relu'\? Valid names: identity"):
        Network((4, 2), "rleu")
    with pytest.raises(UserError, match=r"no loss 'hinge'.*cross_entropy, mean_squared_error"):
        Workspace(network, 1, "hinge")
    with pytest.raises(UserError, match=r"no weight initialisation 'he'.*random, xavier"):
        network.initialise("he", stream(0, "init"))


def test_nothing_but_numpy_is_used() -> None:
    """Of what is not in the standard library or winnow, the package imports NumPy alone."""
    allowed = {"numpy", "winnow", "__future__", "math", "collections", "dataclasses", "typing"}
    files = sorted((ROOT / "winnow/scratch").glob("*.py"))
    assert len(files) > 5
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, file
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in allowed, file
