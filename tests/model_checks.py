"""What the tests of models share: weights and data of a model, its gradients by hand and by autograd."""

import numpy as np
import torch
from torch.nn import functional

from winnow.seeds import stream

CPU = torch.device("cpu")
LANES, BATCH = 2, 5


def stacked(model, lanes=LANES, dtype=torch.float64):
    drawn = [model.initialise(stream(lane, "init")) for lane in range(lanes)]
    return {name: torch.tensor(np.stack([d[name] for d in drawn])).to(dtype) for name in model.shapes}


def batch(model, lanes=LANES, size=BATCH, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(lanes, size, *model.shape, generator=generator, dtype=torch.float64).to(dtype)
    return inputs, torch.randint(0, model.classes, (lanes, size), generator=generator)


def by_autograd(model, parameters, inputs, labels, smoothing=0.0):
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    logits = model.logits(leaves, inputs)
    pairs = zip(logits, labels, strict=True)
    losses = torch.stack([functional.cross_entropy(*pair, label_smoothing=smoothing) for pair in pairs])
    losses.sum().backward()
    return losses.detach(), {name: leaf.grad for name, leaf in leaves.items()}


def derivative_by_autograd(model, parameters, inputs, direction):
    """(logits, leaves they were computed from, J v): the derivative of u' J by u, along v."""
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    logits = model.logits(leaves, inputs)
    u = torch.zeros_like(logits, requires_grad=True)
    by_u = torch.autograd.grad(logits, list(leaves.values()), u, create_graph=True)
    (jv,) = torch.autograd.grad(by_u, u, list(direction.values()), retain_graph=True)
    return logits, leaves, jv


def by_hand(workspace, parameters, inputs, labels, smoothing=0.0):
    gradients = {name: torch.full_like(value, torch.nan) for name, value in parameters.items()}
    losses = workspace.loss(parameters, inputs, labels, smoothing)
    workspace.backward(gradients)
    return losses, gradients


def assert_close(found, expected, tolerance):
    """Per tensor, relative to its norm; an expectation of zero must be met exactly."""
    assert found.shape == expected.shape
    assert (found - expected).norm() <= tolerance * expected.norm(), (found - expected).norm() / expected.norm()
