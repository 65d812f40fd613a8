"""Contract suite over all model plug-ins: each one's fast path against its plain path under autograd."""

import numpy as np
import pytest
import torch
from model_checks import BATCH, CPU, LANES, assert_close, batch, by_autograd, by_hand, derivative_by_autograd, stacked
from torch.nn import functional

from winnow import plugins
from winnow import problem as problems
from winnow.errors import UserError
from winnow.seeds import stream

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


@pytest.fixture(params=plugins.names("models"))
def model(request):
    """For small images of two channels, which keep the suite fast; for its own where those are too small."""
    make = plugins.load_class("models", request.param)
    try:
        return make(shape=(2, 8, 8))
    except UserError:
        return make()


def test_declarations(model):
    assert list(model.shapes) == list(model.roles) == list(model.fan_in)
    assert set(model.roles.values()) <= {"input", "hidden", "output", "bias"}
    for name, shape in model.shapes.items():
        assert (len(shape) == 1) == (model.roles[name] == "bias")
        if len(shape) == 2:
            assert model.fan_in[name] == shape[1]
    first, again, other = (model.initialise(stream(seed, "init")) for seed in (0, 0, 1))
    assert list(first) == list(model.shapes)
    for name, value in first.items():
        assert value.dtype == np.float64
        assert value.shape == model.shapes[name]
        assert (value == again[name]).all()
        assert (name in model.zero_initialised) == (not value.any())
        assert name in model.zero_initialised or (value != other[name]).any()


def test_multiply_adds_are_those_of_the_plain_path(model):
    """Every row of x in y = x W' uses each weight of W once; biases and what else has no W are not counted."""
    rows = {name: 0 for name, role in model.roles.items() if role != "bias"}

    def count(name, x, y):
        assert x.shape[0] == y.shape[0] == LANES
        rows[name] += x.shape[1]

    model.logits(stacked(model), batch(model)[0], count)
    assert model.multiply_adds == {name: number / BATCH for name, number in rows.items()}


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_loss_and_gradients_equal_autograd(model, dtype, smoothing):
    parameters, data = stacked(model, dtype=dtype), batch(model, dtype=dtype)
    losses, gradients = by_hand(model.workspace(LANES, BATCH, CPU, dtype), parameters, *data, smoothing)
    expected_losses, expected = by_autograd(model, parameters, *data, smoothing)
    assert losses.dtype == dtype
    assert_close(losses, expected_losses, TOLERANCE[dtype])
    for name in model.shapes:
        assert_close(gradients[name], expected[name], TOLERANCE[dtype])


def test_right_answers_of_a_training_batch(model):
    parameters, (inputs, _) = stacked(model), batch(model)
    labels = model.logits(parameters, inputs).argmax(2)
    labels[1, 2:] = (labels[1, 2:] + 1) % model.classes
    workspace = model.workspace(LANES, BATCH, CPU, torch.float64)
    workspace.loss(parameters, inputs, labels)
    assert workspace.correct.tolist() == [BATCH, 2]


def test_a_short_batch_between_whole_ones(model):
    parameters, whole, short = stacked(model), batch(model), batch(model, size=2)
    workspace = model.workspace(LANES, BATCH, CPU, torch.float64)
    for data in (whole, short, whole):
        losses, gradients = by_hand(workspace, parameters, *data)
        expected_losses, expected = by_autograd(model, parameters, *data)
        assert_close(losses, expected_losses, 1e-10)
        for name in model.shapes:
            assert_close(gradients[name], expected[name], 1e-10)


def test_losses_and_curvature_leave_gradients_alone(model):
    """What second-order methods ask a problem for, by whatever way the workspace has; with a short batch between."""
    problem = problems.stacked(model, stacked(model), [0, 1], None, model.workspace(LANES, BATCH, CPU, torch.float64))
    direction = {name: torch.cos(torch.arange(v.numel()).double()).view_as(v) for name, v in stacked(model).items()}
    for data in (batch(model), batch(model, size=2)):
        problem.batch = data
        expected_losses, expected = by_autograd(model, problem.parameters, *data)
        for _ in range(2):
            assert_close(problem.loss(problem.parameters), expected_losses, 1e-10)
        product = problem.gauss_newton()
        logits, leaves, jv = derivative_by_autograd(model, problem.parameters, data[0], direction)
        hjv = problem.output_hessian_product(logits.detach(), jv)
        wanted = torch.autograd.grad(logits, list(leaves.values()), hjv)
        for _ in range(2):
            for value, found in zip(wanted, product(direction).values(), strict=True):
                assert_close(found, value, 1e-9)
        problem.closure()
        for name in model.shapes:
            assert_close(problem.gradients[name], expected[name], 1e-10)


def test_parameters_and_inputs_stay_as_they_were(model):
    parameters, (inputs, labels) = stacked(model), batch(model)
    before = {name: value.clone() for name, value in parameters.items()}, inputs.clone()
    by_hand(model.workspace(LANES, BATCH, CPU, torch.float64), parameters, inputs, labels)
    assert all((parameters[name] == before[0][name]).all() for name in parameters)
    assert (inputs == before[1]).all()


def test_other_companions_leave_a_lane_bit_equal(model):
    parameters, (inputs, labels) = stacked(model, 3, torch.float32), batch(model, 3, dtype=torch.float32)
    workspace = model.workspace(3, BATCH, CPU, torch.float32)
    losses, gradients = by_hand(workspace, parameters, inputs, labels)
    order = torch.tensor([0, 2, 2])
    others = {name: value[order] for name, value in parameters.items()}
    new_losses, new_gradients = by_hand(workspace, others, inputs[order], labels[order])
    assert losses[0] == new_losses[0]
    assert losses[1] != new_losses[1]
    assert all((gradients[name][0] == new_gradients[name][0]).all() for name in gradients)


def test_a_lane_alone_equals_a_lane_in_company(model):
    parameters, (inputs, labels) = stacked(model, dtype=torch.float32), batch(model, dtype=torch.float32)
    losses, gradients = by_hand(model.workspace(LANES, BATCH, CPU, torch.float32), parameters, inputs, labels)
    for lane in range(LANES):
        only = slice(lane, lane + 1)
        mine = {name: value[only] for name, value in parameters.items()}
        loss, gradient = by_hand(model.workspace(1, BATCH, CPU, torch.float32), mine, inputs[only], labels[only])
        assert_close(loss, losses[only], 1e-6)
        for name in gradients:
            assert_close(gradient[name], gradients[name][only], 1e-6)


@pytest.mark.parametrize("size", [BATCH, 2])
def test_evaluation_equals_the_plain_path(model, size):
    parameters, (inputs, _) = stacked(model), batch(model, 1, size)
    logits = model.logits(parameters, inputs.expand(LANES, *inputs.shape[1:]))
    labels = logits[0].argmax(1)  # lane 0 is right everywhere
    labels[0] = (labels[0] + 1) % model.classes
    workspace = model.workspace(LANES, BATCH, CPU, torch.float64, training=False)
    for _ in range(2):
        losses, right = workspace.evaluate(parameters, inputs[0], labels)
        assert losses.dtype == torch.float64
        assert right.dtype == torch.int64
        assert right.tolist() == (logits.argmax(2) == labels).sum(1).tolist()
        assert right[0] == size - 1
        expected = torch.stack([functional.cross_entropy(lane, labels, reduction="sum") for lane in logits])
        assert_close(losses, expected, 1e-10)


def test_bf16_points_the_same_way(model):
    """Where the network has kinks (rectified units, max-pools), rounding moves some inputs across them: there the plain
    path in bf16 says how far a gradient may turn."""
    parameters, (inputs, labels) = stacked(model, dtype=torch.float32), batch(model, size=32, dtype=torch.float32)
    losses, gradients = by_hand(model.workspace(LANES, 32, CPU, torch.bfloat16), parameters, inputs, labels)
    expected_losses, expected = by_autograd(model, parameters, inputs, labels)
    rounded = {name: value.bfloat16() for name, value in parameters.items()}
    _, plain = by_autograd(model, rounded, inputs.bfloat16(), labels)
    assert losses.dtype == torch.float32
    assert_close(losses, expected_losses, 1e-2)
    for name, exact in expected.items():
        assert gradients[name].dtype == torch.float32
        turn, usual_turn = (
            1 - functional.cosine_similarity(found[name].float().flatten(1), exact.flatten(1)).min()
            for found in (gradients, plain)
        )
        assert turn < max(0.001, 1.5 * usual_turn), name
        usual = (plain[name].float() - exact).norm() / exact.norm()
        assert_close(gradients[name], exact, max(0.05, 1.5 * usual))


def test_calls_out_of_order(model):
    parameters, (inputs, labels) = stacked(model), batch(model)
    gradients = {name: torch.empty_like(value) for name, value in parameters.items()}
    workspace = model.workspace(LANES, BATCH, CPU, torch.float64)
    with pytest.raises(RuntimeError, match="needs a loss"):
        workspace.backward(gradients)
    workspace.loss(parameters, inputs, labels)
    with pytest.raises(RuntimeError, match="again before backward"):
        workspace.loss(parameters, inputs, labels)
    workspace.backward(gradients)
    with pytest.raises(RuntimeError, match="needs a loss"):
        workspace.backward(gradients)
    with pytest.raises(RuntimeError, match="training=False"):
        workspace.evaluate(parameters, inputs[0], labels[0])
    evaluation = model.workspace(LANES, BATCH, CPU, torch.float64, training=False)
    with pytest.raises(RuntimeError, match="training=True"):
        evaluation.loss(parameters, inputs, labels)
    with pytest.raises(ValueError, match="labels are"):
        workspace.loss(parameters, *batch(model, size=BATCH + 1))
    workspace.loss(parameters, inputs, labels)  # a refused call leaves the workspace usable
