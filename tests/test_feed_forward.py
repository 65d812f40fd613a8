"""The feed-forward networks against torch.nn, their counts and initialisation; the contract is in test_models.py."""

import math

import numpy as np
import pytest
import torch
from model_checks import CPU, assert_close, batch, by_autograd, by_hand, stacked
from torch.nn import functional

from winnow import plugins
from winnow.errors import UserError
from winnow.models import _convolutions, _feed_forward_workspace, _unfolded_convolutions
from winnow.models._convolutions import Convolution
from winnow.models._feed_forward import FeedForward
from winnow.seeds import stream

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)
NAMES = ["lenet_300_100", "lenet5", "conv2", "conv4", "conv6"]


def make(name, **options):
    return plugins.load_class("models", name)(**options)


def small(shape=(2, 9, 7), activation="relu"):
    """Both kinds of padding, with and without a pool, and an odd size under a pool."""
    layers = [Convolution(3, size=3, padding=1, pool=True), Convolution(4, size=2, padding=0, pool=False)]
    return FeedForward(shape, 5, "kaiming_uniform", activation, layers, hidden=(6, 7))


def reference(name, shape):
    """The network the usual way, as the studies print it; its parameters come in our order."""
    channels, rows, columns = shape
    layers, hidden, function = [], (256, 256), torch.nn.ReLU
    if name == "lenet_300_100":
        hidden = (300, 100)
    elif name == "lenet5":
        hidden, function = (120, 84), torch.nn.Tanh
        for width in (6, 16):
            layers += [torch.nn.Conv2d(channels, width, 5), function(), torch.nn.MaxPool2d(2)]
            channels, rows, columns = width, (rows - 4) // 2, (columns - 4) // 2
    else:
        for i, width in enumerate([64, 64, 128, 128, 256, 256][: int(name[-1])]):
            layers += [torch.nn.Conv2d(channels, width, 3, padding=1), function()]
            channels = width
            if i % 2:
                layers.append(torch.nn.MaxPool2d(2))
                rows, columns = rows // 2, columns // 2
    layers.append(torch.nn.Flatten())
    below = channels * rows * columns
    for width in hidden:
        layers += [torch.nn.Linear(below, width), function()]
        below = width
    return torch.nn.Sequential(*layers, torch.nn.Linear(below, 10))


@pytest.mark.parametrize("shape", [MNIST, CIFAR])
@pytest.mark.parametrize("name", NAMES)
def test_equals_torch_nn(name, shape):
    """Two lanes of two images: losses, gradients, and what evaluation counts."""
    model = make(name, shape=shape, init="kaiming_uniform")
    parameters, (inputs, labels) = stacked(model, dtype=torch.float32), batch(model, size=2, dtype=torch.float32)
    losses, gradients = by_hand(model.workspace(2, 2, CPU, torch.float32), parameters, inputs, labels)
    found, right = model.workspace(2, 2, CPU, torch.float32, training=False).evaluate(parameters, inputs[0], labels[0])
    for lane in range(2):
        network = reference(name, shape)
        theirs = list(network.parameters())
        assert [tuple(p.shape) for p in theirs] == list(model.shapes.values())
        for parameter, value in zip(theirs, parameters.values(), strict=True):
            parameter.data.copy_(value[lane])
        loss = functional.cross_entropy(network(inputs[lane]), labels[lane])
        loss.backward()
        assert_close(losses[lane], loss.detach(), 1e-5)
        for parameter, gradient in zip(theirs, gradients.values(), strict=True):
            assert_close(gradient[lane], parameter.grad, 1e-5)
        logits = network(inputs[0]).detach()
        assert_close(found[lane], functional.cross_entropy(logits, labels[0], reduction="sum").double(), 1e-5)
        assert right[lane] == (logits.argmax(1) == labels[0]).sum()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("way", ["one by one", "unfolded", "unfolded, two lanes at once", "grouped"])
def test_lanes_in_one_call_or_one_by_one(way, dtype, tolerance, activation, monkeypatch):
    """On an accelerator convolutions of few channels are unfolded, others are grouped over lanes."""
    monkeypatch.setattr(_feed_forward_workspace, "on_cpu", lambda device: way == "one by one")
    monkeypatch.setattr(_convolutions, "on_cpu", lambda z: way == "one by one")
    if way == "grouped":
        monkeypatch.setattr(_feed_forward_workspace, "FEW", 0)
    if way == "unfolded, two lanes at once":
        monkeypatch.setattr(_unfolded_convolutions, "ROOM", 2 * 6 * 2 * 9 * 9 * 7)
    model = small(activation=activation)
    parameters = stacked(model, 3, dtype)
    workspace = model.workspace(3, 6, CPU, dtype)
    for size in (6, 4):
        inputs, labels = batch(model, 3, size, dtype)
        losses, gradients = by_hand(workspace, parameters, inputs, labels)
        expected_losses, expected = by_autograd(model, parameters, inputs, labels)
        assert_close(losses, expected_losses, tolerance)
        for name in model.shapes:
            assert_close(gradients[name], expected[name], tolerance)
        found, _ = model.workspace(3, 6, CPU, dtype, training=False).evaluate(parameters, inputs[0], labels[0])
        logits = model.logits(parameters, inputs[:1].expand(3, *inputs.shape[1:]))
        sums = torch.stack([functional.cross_entropy(lane, labels[0], reduction="sum") for lane in logits])
        assert_close(found, sums.double(), tolerance)


@pytest.mark.parametrize("name", ["lenet5", "conv2"])
def test_a_black_background_ties_in_the_pool(name):
    """All positions of a constant image are equal: the first maximum alone may get the gradient."""
    model = make(name, shape=MNIST)
    parameters, (inputs, labels) = stacked(model), batch(model, size=3)
    inputs[:, :2] = -0.8
    _, gradients = by_hand(model.workspace(2, 3, CPU, torch.float64), parameters, inputs, labels)
    for lane in range(2):
        network = reference(name, MNIST).double()
        for parameter, value in zip(network.parameters(), parameters.values(), strict=True):
            parameter.data.copy_(value[lane])
        functional.cross_entropy(network(inputs[lane]), labels[lane]).backward()
        for parameter, gradient in zip(network.parameters(), gradients.values(), strict=True):
            assert_close(gradient[lane], parameter.grad, 1e-10)


def test_tap_sees_every_linear_map():
    """The product of what tap is shown and the gradient by its output is the gradient by the weights."""
    model = small()
    parameters, (inputs, labels) = stacked(model), batch(model)
    _, expected = by_autograd(model, parameters, inputs, labels)
    seen = []
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    logits = model.logits(leaves, inputs, lambda *shown: seen.append(shown))
    functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").div(5).backward(
        inputs=[y for _, _, y in seen]
    )
    assert [name for name, _, _ in seen] == [name for name in model.shapes if name.endswith(".weight")]
    for name, x, y in seen:
        assert_close((y.grad.mT @ x.detach()).view_as(expected[name]), expected[name], 1e-10)


def weight_count(model, pattern=""):
    return sum(math.prod(s) for name, s in model.shapes.items() if name.endswith(".weight") and pattern in name)


def test_weight_counts():
    assert weight_count(make("lenet_300_100")) == 266_200
    assert weight_count(make("conv2")) == 4_300_992
    assert weight_count(make("conv4")) == 2_425_024
    assert weight_count(make("conv6")) == 2_261_184
    lenet5 = make("lenet5")
    assert sum(math.prod(shape) for shape in lenet5.shapes.values()) == 44_426
    assert weight_count(lenet5, "fc1") + weight_count(lenet5, "fc2") == 40_800


def test_multiply_adds():
    """Per image: kept weights times the positions at which each is used."""
    assert set(make("lenet_300_100").multiply_adds.values()) == {1}
    lenet5 = make("lenet5")
    assert lenet5.multiply_adds == {
        "conv1.weight": 24 * 24, "conv2.weight": 8 * 8, "fc1.weight": 1, "fc2.weight": 1, "fc3.weight": 1,
    }  # fmt: skip
    assert sum(math.prod(lenet5.shapes[name]) * uses for name, uses in lenet5.multiply_adds.items()) == 281_640
    assert [make("conv6").multiply_adds[f"conv{i}.weight"] for i in range(1, 7)] == [1024, 1024, 256, 256, 64, 64]


@pytest.mark.parametrize("init", ["glorot_normal", "glorot_uniform", "kaiming_uniform"])
def test_initialisation(init):
    """Spread and shape of the draws, a dense and a convolutional tensor each: kurtosis 3 is normal, 1.8 uniform."""
    dense, conv = make("lenet_300_100", init=init), make("conv2", shape=MNIST, init=init)
    for model, name, fan_in, fan_out in ((dense, "fc1", 784, 300), (conv, "conv2", 64 * 9, 64 * 9)):
        weights = model.initialise(stream(0, "init"))
        drawn, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        variance = 1 / (3 * fan_in) if init == "kaiming_uniform" else 2 / (fan_in + fan_out)
        assert abs(drawn.mean()) < 0.02 * math.sqrt(variance)
        assert drawn.var() == pytest.approx(variance, rel=0.02)
        assert np.mean(drawn**4) / drawn.var() ** 2 == pytest.approx(3 if init == "glorot_normal" else 1.8, rel=0.03)
        if init == "kaiming_uniform":
            assert 0.9 / math.sqrt(fan_in) < np.abs(bias).max() <= 1 / math.sqrt(fan_in)
        else:
            assert not bias.any()
            assert f"{name}.bias" in model.zero_initialised


def test_kaiming_uniform_is_torchs_own_spread():
    weights = make("lenet5", init="kaiming_uniform").initialise(stream(0, "init"))
    torch.manual_seed(0)
    for parameter, value in zip(reference("lenet5", MNIST).parameters(), weights.values(), strict=True):
        if parameter.numel() > 2000:
            assert float(parameter.detach().abs().max()) == pytest.approx(np.abs(value).max(), rel=0.01)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lenet_300_100", {"init": "glorot"}, "model.init is 'glorot', but must be one of glorot_normal"),
        ("lenet5", {"activation": "gelu"}, "model.activation is 'gelu', but must be one of relu, tanh"),
        ("lenet5", {"shape": (1, 8, 8)}, r"\[1, 8, 8\] are too small for this model: nothing is left after conv2"),
        ("conv6", {"shape": (3, 7, 32)}, "nothing is left after conv6"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(UserError, match=message):
        make(name, **options)
