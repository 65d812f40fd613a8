"""The convolutions of small networks on a CPU (Toeplitz products) against autograd, where their code branches."""

import pytest
import torch
from model_checks import CPU, assert_close, batch, by_autograd, by_hand, derivative_by_autograd, stacked

from winnow import plugins
from winnow.models import _feed_forward_workspace, _small_convolutions
from winnow.models._convolutions import Convolution
from winnow.models._feed_forward import FeedForward

# Filters of one pixel; more border than a filter covers; an odd size under a pool, in either direction; blocks of one
# output, of some, of a whole row; a pool below and above a layer without one.
SHAPES = {
    "one pixel": ((1, 4, 4), [Convolution(2, size=1, padding=0, pool=False)]),
    "border": (
        (2, 3, 5),
        [Convolution(3, size=2, padding=2, pool=True), Convolution(2, size=3, padding=2, pool=False)],
    ),
    "odd": ((3, 9, 7), [Convolution(4, size=3, padding=1, pool=True), Convolution(5, size=3, padding=1, pool=True)]),
    "blocks": (
        (1, 14, 16),
        [Convolution(3, size=5, padding=0, pool=False), Convolution(4, size=5, padding=1, pool=True)],
    ),
    "three": ((1, 12, 12), [Convolution(2, size=3, padding=p, pool=p == 1) for p in (1, 0, 1)]),
}


@pytest.fixture(autouse=True, params=["lane by lane", "together"])
def few(request, monkeypatch):
    """Small jobs both ways: in "together" all the jobs here are small."""
    monkeypatch.setattr(_small_convolutions, "TOGETHER", 0 if request.param == "lane by lane" else 10_000)


def network(name, activation="tanh"):
    shape, layers = SHAPES[name]
    return FeedForward(shape, 5, "kaiming_uniform", activation, layers, hidden=(6,))


def check(model, workspace, size, dtype=torch.float64, tolerance=1e-12):
    parameters, (inputs, labels) = stacked(model, workspace.lanes, dtype), batch(model, workspace.lanes, size, dtype)
    losses, gradients = by_hand(workspace, parameters, inputs, labels)
    expected_losses, expected = by_autograd(model, parameters, inputs, labels)
    assert_close(losses, expected_losses, tolerance)
    for name in model.shapes:
        assert_close(gradients[name], expected[name], tolerance)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_gradients(name, lanes, activation):
    model = network(name, activation)
    check(model, model.workspace(lanes, 4, CPU, torch.float64), 4)
    check(model, model.workspace(lanes, 4, CPU, torch.float32), 4, torch.float32, 1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_chunks_of_images(name, monkeypatch):
    """Batches of several chunks, whole and not, and shorter ones between, whose borders lie elsewhere."""
    monkeypatch.setattr(_small_convolutions, "CHUNK", 3)
    model = network(name)
    for lanes in (1, 3):
        workspace = model.workspace(lanes, 9, CPU, torch.float64)
        for size in (9, 7, 2, 9):
            check(model, workspace, size)
    inputs, labels = batch(model, 1, 8)
    parameters = stacked(model, 3)
    losses, right = model.workspace(3, 9, CPU, torch.float64, training=False).evaluate(parameters, inputs[0], labels[0])
    logits = model.logits(parameters, inputs.expand(3, *inputs.shape[1:]))
    assert right.tolist() == (logits.argmax(2) == labels).sum(1).tolist()
    assert_close(losses, -torch.log_softmax(logits, 2).gather(2, labels.expand(3, -1)[..., None]).sum((1, 2)), 1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("name", SHAPES)
def test_derivatives_along_a_direction(name, activation, monkeypatch):
    """J v and J' u against autograd, repeated in any order, in chunks and without."""
    monkeypatch.setattr(_small_convolutions, "CHUNK", 3)
    model, generator = network(name, activation), torch.Generator().manual_seed(3)
    for lanes, size in ((1, 3), (1, 8), (2, 8)):
        parameters, (inputs, labels) = stacked(model, lanes), batch(model, lanes, size)
        directions = [
            {n: torch.randn(p.shape, generator=generator, dtype=p.dtype) for n, p in parameters.items()}
            for _ in range(2)
        ]
        workspace = model.workspace(lanes, size, CPU, torch.float64)
        linear = workspace.linearise(parameters, inputs, labels)
        for direction in directions:
            expected, leaves, along = derivative_by_autograd(model, parameters, inputs, direction)
            assert_close(linear.logits, expected.detach(), 1e-12)
            assert_close(linear.derivative(direction), along, 1e-12)
            pulled = linear.pull(along)
            for n, value in zip(leaves, torch.autograd.grad(expected, list(leaves.values()), along), strict=True):
                assert_close(pulled[n], value, 1e-12)
        check(model, workspace, size)
        with pytest.raises(RuntimeError, match="linearisation is gone"):
            linear.derivative(directions[0])


def test_ties_in_the_pool():
    """With whole numbers most pools tie, in every combination of places, and sums are exact: the first maximum wins."""
    model = network("odd", activation="relu")
    generator = torch.Generator().manual_seed(0)
    parameters = {name: value.mul(8).round() for name, value in stacked(model).items()}
    for name in ("fc1", "fc2"):
        parameters[f"{name}.weight"] = stacked(model)[f"{name}.weight"]
    inputs, labels = batch(model)
    inputs = torch.randint(-1, 2, inputs.shape, generator=generator).double()
    _, gradients = by_hand(model.workspace(2, 5, CPU, torch.float64), parameters, inputs, labels)
    _, expected = by_autograd(model, parameters, inputs, labels)
    for name in model.shapes:
        assert expected[name].any()
        assert_close(gradients[name], expected[name], 1e-12)


def test_same_bits_again():
    model = plugins.load_class("models", "lenet5")()
    parameters, data = stacked(model, 2, torch.float32), batch(model, 2, 70, torch.float32)
    workspaces = [model.workspace(2, 70, CPU, torch.float32) for _ in range(2)]
    losses, gradients = by_hand(workspaces[0], parameters, *data)
    for workspace in (*workspaces, workspaces[0]):
        other_losses, others = by_hand(workspace, parameters, *data)
        assert torch.equal(losses, other_losses)
        assert all(torch.equal(gradients[name], others[name]) for name in gradients)


@pytest.mark.parametrize(("lanes", "images", "together"), [(5, 1, 5), (5, 12, 5), (5, 13, 1), (64, 1, 64), (1, 64, 1)])
def test_all_lanes_of_a_small_job_go_together(lanes, images, together, monkeypatch):
    monkeypatch.undo()
    assert _small_convolutions.TOGETHER == 64
    workspace = plugins.load_class("models", "lenet5")().workspace(lanes, images, CPU, torch.float32)
    assert workspace._convolutions._together == together


@pytest.mark.parametrize(("channels", "small"), [(16, True), (17, False)])
def test_few_channels_go_this_way(channels, small):
    layers = [Convolution(4, size=3, padding=0, pool=True), Convolution(channels, size=3, padding=0, pool=False)]
    workspace = FeedForward((1, 12, 12), 5, "kaiming_uniform", "relu", layers, hidden=(6,)).workspace(
        1, 2, CPU, torch.float32
    )
    assert isinstance(workspace._convolutions, _small_convolutions.SmallConvolutions) == small
    assert _feed_forward_workspace.FEW == 16
