"""Second-order optimisers: against torch, against dense float64 formulas, and what they cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from optimizer_checks import close, make, through_json, weights
from torch import Tensor

from winnow.errors import UserError
from winnow.minibatch import Chunks
from winnow.models._convolutions import Convolution
from winnow.models._feed_forward import FeedForward
from winnow.problem import Problem, lane_of, stacked

CURVATURE = torch.tensor([1.0, 2.0, 3.0, 4.0])


class Quadratic:
    """sum of c (w - 2)^2 / 2 as a closure that fills `.grad` and returns the loss as [1]."""

    def __init__(self, parameter: torch.nn.Parameter) -> None:
        self.parameter, self.calls = parameter, 0

    def __call__(self) -> Tensor:
        self.calls += 1
        w = self.parameter.detach()
        self.parameter.grad = (w - 2) * CURVATURE.to(w)
        return ((w - 2) ** 2 * CURVATURE.to(w) / 2).sum().reshape(1)


# ---- l_bfgs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("search", ["none", "strong_wolfe"])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_l_bfgs_is_that_of_torch(search: str, decay: float) -> None:
    mine, theirs = weights(4), weights(4)
    options = {"max_iter": 4, "history_size": 2}
    optimizer = make("l_bfgs", [mine], 0.5, **options, line_search=search, across_steps=True, weight_decay=decay)
    other = torch.optim.LBFGS([theirs], lr=0.5, **options, line_search_fn=None if search == "none" else search)
    closure, plain = Quadratic(mine), Quadratic(theirs)

    def decayed() -> Tensor:
        loss = plain() + decay / 2 * theirs.detach().square().sum()
        theirs.grad.add_(theirs.detach(), alpha=decay)
        return loss

    for _ in range(4):
        before = Quadratic(mine)()
        close(optimizer.step(closure), before, 1e-6)  # without the decay, as every optimiser's
        other.step(decayed)
        assert torch.equal(mine, theirs)
    assert closure.calls == plain.calls


@pytest.mark.parametrize("across", [False, True])
def test_l_bfgs_keeps_pairs_of_one_batch_unless_told_otherwise(across: bool) -> None:
    parameter = weights(4)
    optimizer = make("l_bfgs", [parameter], 0.1, max_iter=3, line_search="none", across_steps=across)
    closure = Quadratic(parameter)
    for step in (1, 2):
        optimizer.step(closure)
        assert len(optimizer.state[parameter]["old_stps"]) == (2 * step + (step - 1) * across)
        assert closure.calls == 3 * step
    w = [pair / CURVATURE for pair in optimizer.state[parameter]["old_dirs"]]
    for s, from_y in zip(optimizer.state[parameter]["old_stps"], w, strict=True):
        close(s, from_y, 1e-5)


@pytest.mark.parametrize("search", ["none", "strong_wolfe"])
def test_l_bfgs_finds_a_minimum_and_survives_a_round_trip(search: str) -> None:
    parameter = weights(4)
    optimizer = make("l_bfgs", [parameter], 1.0, max_iter=4, line_search=search)
    optimizer.step(Quadratic(parameter))
    saved, again = through_json(optimizer.state_dict()), torch.nn.Parameter(parameter.detach().clone())
    resumed = make("l_bfgs", [again], 0.3)
    resumed.load_state_dict(saved)
    for _ in range(4):
        optimizer.step(Quadratic(parameter))
        resumed.step(Quadratic(again))
        assert torch.equal(parameter, again)
    close(parameter.detach(), torch.full((4,), 2.0), 1e-4)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"max_iter": 1}, r"'max_iter' is 1; valid is .*>= 2"),
        ({"max_iter": 2.5}, "'max_iter' is 2.5"),
        ({"history_size": 0}, "'history_size' is 0"),
        ({"line_search": "armijo"}, "'line_search' is 'armijo'.*none, strong_wolfe"),
        ({"across_steps": 1}, "'across_steps' is 1.*true or false"),
    ],
)
def test_wrong_options_of_l_bfgs(option: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make("l_bfgs", [weights(2)], 0.1, **option)


def test_l_bfgs_needs_a_closure_and_one_group() -> None:
    optimizer = make("l_bfgs", [weights(2)], 0.1)
    with pytest.raises(UserError, match="closure"):
        optimizer.step()
    with pytest.raises(UserError, match="one group"):
        optimizer.add_param_group({"params": [weights(3)]})


# ---- a network small enough for dense matrices --------------------------------------------------------------------


def small_problem(lanes: int, images: int = 12, masked: bool = False) -> Problem:
    """A convolution and two linear layers with 111 parameters in float64, random images, no clipping."""
    model = FeedForward((1, 8, 8), 3, "glorot_normal", "tanh", [Convolution(2, 3, 0, True)], (4,))
    drawn = [model.initialise(np.random.default_rng(seed)) for seed in range(lanes)]
    start = {name: torch.from_numpy(np.stack([lane[name] for lane in drawn])) for name in model.shapes}
    workspace = model.workspace(lanes, images, torch.device("cpu"), torch.float64)
    problem = stacked(model, start, list(range(lanes)), None, workspace)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(lanes, images, 1, 8, 8, generator=generator, dtype=torch.float64)
    problem.batch = inputs, torch.randint(0, 3, (lanes, images), generator=generator)
    if masked:
        keep = torch.rand(problem.handles["fc1.weight"].shape, generator=generator, dtype=torch.float64) < 0.5
        problem.masks = {"fc1.weight": keep.double()}
        problem.handles["fc1.weight"].data.mul_(keep)
    return problem


def one_lane(masked: bool = False) -> Problem:
    problem = small_problem(1, masked=masked)
    own = lane_of(problem, 0, problem.workspace)
    own.batch, own.masks = problem.batch, {name: mask[0] for name, mask in problem.masks.items()}
    return own


@pytest.mark.parametrize("chunked", [False, True])
def test_every_loss_and_true_gradient_has_smooth_labels_and_the_penalty(chunked: bool) -> None:
    problem = small_problem(2)
    inputs, labels = whole = problem.batch
    problem.label_smoothing, problem.l2 = 0.3, 0.05
    leaves = {name: value.detach().clone().requires_grad_() for name, value in problem.parameters.items()}
    logits = problem.model.logits(leaves, inputs)
    pairs = zip(logits, labels, strict=True)
    penalty = 0.025 * sum(leaf.square().flatten(1).sum(1) for leaf in leaves.values())
    losses = penalty + torch.stack([torch.nn.functional.cross_entropy(*pair, label_smoothing=0.3) for pair in pairs])
    losses.sum().backward()
    if chunked:
        lanes = torch.arange(2)[:, None]
        index = torch.arange(12).expand(2, -1)
        problem.batch = Chunks(lambda some: (inputs[lanes, some], labels[lanes, some]), index, 5)
    one_lane_each = problem.model.workspace(1, 12, torch.device("cpu"), torch.float64)
    for own in (problem, *(lane_of(problem, lane, one_lane_each) for lane in range(2))):
        one = [problem.seeds.index(seed) for seed in own.seeds]
        batch = problem.batch if own is problem else (inputs[one], labels[one])
        torch.testing.assert_close(own.loss(own.parameters, batch), losses[one].detach())
    torch.testing.assert_close(problem.closure(), losses.detach())
    for name, leaf in leaves.items():
        torch.testing.assert_close(problem.gradients[name], leaf.grad)
    ((x, g),) = problem.layer_statistics(whole)["fc2.weight"]
    torch.testing.assert_close(g.mT @ x, (leaves["fc2.weight"].grad - 0.05 * leaves["fc2.weight"]).detach())
    uniform = torch.zeros(labels.shape, dtype=torch.float64)  # the first class is drawn
    ((_, drawn),) = problem.layer_statistics(whole, uniform)["fc2.weight"]
    expected = (logits.softmax(2) - torch.eye(3, dtype=torch.float64)[0]) / 12
    torch.testing.assert_close(drawn, expected.detach())


@pytest.mark.parametrize("by_hand", [True, False])
def test_all_is_computed_at_what_the_loss_sees(by_hand: bool) -> None:
    """Weights behind `visible` are as zero for the loss and whatever follows from it, of all weights, and keep their
    values."""
    hidden, zeroed = small_problem(2), small_problem(2)
    for problem in () if by_hand else (hidden, zeroed):
        problem.workspace.linearise = lambda *_: None
    keep = torch.rand(hidden.handles["fc1.weight"].shape, generator=torch.Generator().manual_seed(1)) < 0.5
    hidden.visible = {"fc1.weight": keep.double()}
    before = {name: value.clone() for name, value in hidden.parameters.items()}
    zeroed.parameters["fc1.weight"].mul_(keep)
    torch.testing.assert_close(hidden.closure(), zeroed.closure())
    torch.testing.assert_close(hidden.gradients, zeroed.gradients)
    assert hidden.gradients["fc1.weight"][~keep].all()
    assert torch.equal(hidden.outputs(), zeroed.outputs())
    assert torch.equal(hidden.loss(hidden.parameters), zeroed.loss(zeroed.parameters))
    assert torch.equal(hidden.gradient(hidden.parameters), zeroed.gradient())
    torch.testing.assert_close(hidden.gradients, zeroed.gradients)
    along = {name: torch.ones_like(value) for name, value in before.items()}
    torch.testing.assert_close(hidden.gauss_newton()(along), zeroed.gauss_newton()(along))
    assert str(hidden.layer_statistics()) == str(zeroed.layer_statistics())
    assert all(torch.equal(value, hidden.parameters[name]) for name, value in before.items())


def flat(tensors: dict[str, Tensor], lane: int = 0) -> Tensor:
    return torch.cat([tensor[lane].detach().flatten() for tensor in tensors.values()])


def kept(problem: Problem, lane: int) -> Tensor:
    """1 where a parameter is not pruned, flat."""
    ones = {name: torch.ones_like(value) for name, value in problem.parameters.items()}
    shaped = {name: mask.view_as(ones[name]) for name, mask in problem.masks.items()}
    return flat(ones | shaped, lane)


def dense_gauss_newton(problem: Problem, lane: int = 0) -> Tensor:
    """J' H J of one lane from the whole Jacobian and H = diag(p) - p p' of every image, masked."""
    one = {name: value[lane : lane + 1].detach() for name, value in problem.parameters.items()}
    sizes, shapes = [value.numel() for value in one.values()], [value.shape for value in one.values()]
    inputs = problem.batch[0][lane : lane + 1]

    def logits(vector: Tensor) -> Tensor:
        parts = [part.view(shape) for part, shape in zip(vector.split(sizes), shapes, strict=True)]
        return problem.model.logits(dict(zip(one, parts, strict=True)), inputs)[0]

    vector = flat(one)
    jacobian, p = torch.autograd.functional.jacobian(logits, vector), logits(vector).softmax(1)
    total = sum(j.T @ (torch.diag(q) - torch.outer(q, q)) @ j for j, q in zip(jacobian, p, strict=True))
    keep = kept(problem, lane)
    return total / len(p) * torch.outer(keep, keep)


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize(("masked", "l2"), [(False, 0.0), (True, 0.0), (True, 0.3)])
def test_gauss_newton_products_are_those_of_the_dense_matrix(masked: bool, l2: float, by_hand: bool) -> None:
    """By the workspace, and by the plain path of models whose workspace has no derivatives along a direction."""
    problem = small_problem(2, masked=masked)
    problem.l2 = l2
    if not by_hand:
        problem.workspace.linearise = lambda *_: None
    product = problem.gauss_newton()
    generator = torch.Generator().manual_seed(2)
    for count in (1, 2):
        vector = {
            name: torch.randn(value.shape, generator=generator, dtype=value.dtype)
            for name, value in problem.parameters.items()
        }
        vector |= {name: vector[name] * mask for name, mask in problem.masks.items()}
        found = product(vector)
        for lane in (0, 1):
            along = flat(vector, lane)
            close(flat(found, lane), dense_gauss_newton(problem, lane) @ along + l2 * along, 1e-12)
        assert problem.sample_gradients == 12 * count


def test_a_loss_alone_is_counted_as_a_third_of_a_gradient() -> None:
    problem = small_problem(2)
    close(problem.loss(problem.parameters), problem.gradient(), 1e-12)
    assert problem.sample_gradients == 12 + 4


# ---- hessian_free -------------------------------------------------------------------------------------------------


class QuadraticProblem:
    """What a problem offers to Hessian-free steps, of a Quadratic; `lie` is added to every loss after the first."""

    masks: dict[str, Tensor] = {}  # noqa: RUF012

    def __init__(self, parameter: torch.nn.Parameter, lie: float = 0.0) -> None:
        self.names, self.closure, self.lie, self.losses = {parameter: "w"}, Quadratic(parameter), lie, 0

    def loss(self, parameters: dict[str, Tensor]) -> Tensor:
        self.losses += 1
        w = parameters["w"][0]
        return ((w - 2) ** 2 * CURVATURE.to(w) / 2).sum() + self.lie

    def gauss_newton(self) -> Any:
        return lambda vector: {"w": vector["w"] * CURVATURE.to(vector["w"])}


def quadratic(lie: float = 0.0, **options: Any) -> Any:
    parameter = weights(4, dtype=torch.float64)
    optimizer, problem = make("hessian_free", [parameter], **{"lr": 1.0, **options}), QuadraticProblem(parameter, lie)
    optimizer.bind(problem)
    return SimpleNamespace(parameter=parameter, optimizer=optimizer, problem=problem)


def test_one_hessian_free_step_solves_a_quadratic() -> None:
    made = quadratic(damping=1e-12)
    made.optimizer.step(made.problem.closure)
    close(made.parameter.detach(), torch.full((4,), 2.0), 1e-8)
    assert made.optimizer.state[made.parameter]["damping"] == pytest.approx(1e-12 * 2 / 3)
    assert made.problem.losses == 1


def test_a_damped_and_decayed_step_is_the_dense_solution() -> None:
    """(C + (wd + lambda) I) d = -(C (w - 2) + wd w), twice: CG of four iterations is exact from any start."""
    made = quadratic(damping=0.5, weight_decay=0.3, lr=0.7)
    w, damping = made.parameter.detach().clone(), 0.5
    for _ in range(2):
        c = CURVATURE.double()
        w = w - 0.7 * (c * (w - 2) + 0.3 * w) / (c + 0.3 + damping)
        made.optimizer.step(made.problem.closure)
        close(made.parameter.detach(), w, 1e-9)
        damping *= 2 / 3
        assert made.optimizer.state[made.parameter]["damping"] == pytest.approx(damping)


def test_a_step_that_raises_the_loss_is_halved_then_left_out_and_damping_grows() -> None:
    made = quadratic(lie=100.0)
    before = made.parameter.detach().clone()
    made.optimizer.step(made.problem.closure)
    assert torch.equal(made.parameter, before)
    assert made.optimizer.state[made.parameter]["damping"] == 1.5
    assert made.problem.losses == 9


@pytest.mark.parametrize("masked", [False, True])
def test_a_hessian_free_step_solves_the_damped_gauss_newton_equations(masked: bool) -> None:
    """So much damping that ten iterations solve them: against the dense matrix, pruned weights left out."""
    problem = one_lane(masked)
    optimizer = make("hessian_free", list(problem.handles.values()), 1.0, damping=1.0, weight_decay=0.1)
    optimizer.bind(problem)
    before, matrix, keep = flat(problem.parameters), dense_gauss_newton(problem), kept(problem, 0)
    problem.gradient()
    g = flat(problem.gradients) + 0.1 * before
    wanted = before - torch.linalg.solve(matrix + 1.1 * torch.eye(len(g), dtype=torch.float64), g)
    problem.sample_gradients = 0
    losses = [float(optimizer.step(problem.closure))]
    after = flat(problem.parameters)
    close(after, wanted, 1e-4)
    assert torch.all(after[keep == 0] == 0)
    products = (problem.sample_gradients - 12 - 4) / 12
    assert products == int(products)
    assert 3 <= products <= 20
    losses += [float(optimizer.step(problem.closure)) for _ in range(10)]
    assert losses[-1] < 0.7 * losses[0]
    assert torch.all(flat(problem.parameters)[keep == 0] == 0)


def test_hessian_free_needs_a_problem_and_one_group() -> None:
    parameter = weights(4)
    optimizer = make("hessian_free", [parameter], 1.0)
    with pytest.raises(UserError, match="problem"):
        optimizer.step(Quadratic(parameter))
    with pytest.raises(UserError, match="one group"):
        optimizer.add_param_group({"params": [weights(3)]})


@pytest.mark.parametrize(("option", "value"), [("damping", 0.0), ("cg_iterations", 0), ("decay", 1.5)])
def test_wrong_options_of_hessian_free(option: str, value: float) -> None:
    with pytest.raises(UserError, match=f"'{option}' is {value}"):
        make("hessian_free", [weights(2)], 0.1, **{option: value})


# ---- k_fac --------------------------------------------------------------------------------------------------------


def kfac(problem: Problem, rates: list[float], **options: Any) -> Any:
    rate = torch.tensor(rates, dtype=torch.float64)
    optimizer = make("k_fac", list(problem.handles.values()), rate, **{"fisher": "empirical", **options})
    optimizer.bind(problem)
    return optimizer


def test_the_factors_of_a_linear_layer_are_their_definition() -> None:
    """Of the output layer, whose g is softmax - one-hot; and of one image they are the layer's exact Fisher matrix."""
    for images in (12, 1):
        problem = small_problem(2, images)
        optimizer = kfac(problem, [0.0, 0.0])
        problem.closure()
        optimizer.step()
        labels = problem.batch[1]
        logits, uses = problem.outputs(), problem.layer_statistics()["fc2.weight"]
        for lane in (0, 1):
            a = torch.cat([uses[0][0][lane], torch.ones(images, 1, dtype=torch.float64)], 1)
            g = logits[lane].softmax(1) - torch.nn.functional.one_hot(labels[lane], 3)
            factors = optimizer.state[problem.handles["fc2.weight"]]["factors"]
            close(factors["a"][lane], sum(torch.outer(x, x) for x in a) / images, 1e-12)
            close(factors["g"][lane], sum(torch.outer(x, x) for x in g) / images, 1e-12)
        joint = torch.cat([problem.gradients["fc2.weight"][1], problem.gradients["fc2.bias"][1][:, None]], 1).flatten()
        exact = torch.outer(joint, joint)
        same = torch.allclose(torch.kron(factors["g"][1], factors["a"][1]), exact, atol=1e-12)
        assert same == (images == 1)


def test_the_factors_of_a_convolution_are_their_definition() -> None:
    """36 positions: the patches summed over them, the gradients of single images averaged over them."""
    problem = small_problem(1)
    optimizer = kfac(problem, [0.0])
    problem.closure()
    optimizer.step()
    factors = optimizer.state[problem.handles["conv1.weight"]]["factors"]
    inputs, labels = problem.batch
    a, g = torch.zeros(10, 10, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)
    for image in range(12):
        for row in range(6):
            for column in range(6):
                patch = inputs[0, image, 0, row : row + 3, column : column + 3].flatten()
                x = torch.cat([patch, torch.ones(1, dtype=torch.float64)])
                a += torch.outer(x, x) / 12
        ((_, own),) = problem.layer_statistics((inputs[:, [image]], labels[:, [image]]))["conv1.weight"]
        g += own[0].T @ own[0] / 36 / 12
    close(factors["a"][0], a, 1e-12)
    close(factors["g"][0], g, 1e-12)


def test_labels_are_drawn_from_the_predictions() -> None:
    problem = small_problem(2)
    uniform = torch.rand(2, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    p = problem.outputs().softmax(2)
    labels = torch.empty(2, 12, dtype=torch.int64)
    for lane in (0, 1):
        for image in range(12):
            sums = [float(p[lane, image, : c + 1].sum()) for c in range(3)]
            labels[lane, image] = next(c for c in range(3) if sums[c] > uniform[lane, image])
    assert len(labels.unique()) == 3
    found = problem.layer_statistics(uniform=uniform)
    for name, uses in problem.layer_statistics((problem.batch[0], labels)).items():
        assert torch.equal(found[name][0][1], uses[0][1])


@pytest.mark.parametrize("masked", [False, True])
def test_k_fac_steps_are_its_formula(masked: bool) -> None:
    """Five steps of two lanes, layer by layer, by the inverse of the whole Kronecker product."""
    problem, rates = small_problem(2, masked=masked), [0.1, 0.02]
    options = {"statistics_every": 2, "inverse_every": 4, "statistics_decay": 0.6, "kl_clip": None}
    optimizer = kfac(problem, rates, **options, damping=0.05, momentum=0.5, weight_decay=0.01)
    factors: dict[tuple[str, int], list[Tensor]] = {}
    inverses: dict[tuple[str, int], Tensor] = {}
    held: dict[tuple[str, int], Tensor] = {}
    for step, weight in enumerate([1.0, 0.5, 0.4, 0.4, None], start=1):
        problem.closure()
        wanted = {}
        for name, ((x, own),) in problem.layer_statistics().items():
            bias, shape = name.replace("weight", "bias"), problem.parameters[name].shape[1:]
            for key in ((name, 0), (name, 1)):
                lane = key[1]
                a = torch.cat([x[lane], torch.ones(len(x[lane]), 1, dtype=torch.float64)], 1)
                g = 12 * own[lane]
                new = [a.T @ a / 12, g.T @ g / len(g)]
                if weight is not None:
                    old = factors.get(key, new)
                    factors[key] = [(1 - weight) * o + weight * n for o, n in zip(old, new, strict=True)]
                if step <= 4:
                    a, g = factors[key]
                    pi = ((a.trace() / len(a)) / (g.trace() / len(g))).sqrt()
                    damped_a = a + pi * 0.06**0.5 * torch.eye(len(a), dtype=torch.float64)
                    damped_g = g + 0.06**0.5 / pi * torch.eye(len(g), dtype=torch.float64)
                    inverses[key] = torch.linalg.inv(torch.kron(damped_g, damped_a))
                u, w = (
                    torch.cat([part[name][lane].flatten(1), part[bias][lane][:, None]], 1)
                    for part in (problem.gradients, problem.parameters)
                )
                v = (inverses[key] @ (u + 0.01 * w).flatten()).view_as(w)
                held[key] = 0.5 * held.get(key, 0) + v
                if name in problem.masks:
                    held[key][:, :-1] *= problem.masks[name][lane].flatten(1)
                w = w - rates[lane] * held[key]
                wanted[key], wanted[bias, lane] = w[:, :-1].view(shape), w[:, -1]
        optimizer.step()
        problem.apply_masks(optimizer)
        for (name, lane), value in wanted.items():
            close(problem.parameters[name][lane], value, 1e-9)


def test_k_fac_bounds_its_step_and_lowers_the_loss() -> None:
    """Against the unbounded first step: shorter by nu, with nu^2 lr^2 sum of u v = kl_clip, where that is below 1."""
    rates = [0.5, 1e-4]
    moves = []
    for bound in (None, 1e-3):
        problem = small_problem(2)
        optimizer = kfac(problem, rates, kl_clip=bound, fisher="sampled")
        before, first = {name: value.clone() for name, value in problem.parameters.items()}, problem.closure().clone()
        optimizer.step()
        assert problem.sample_gradients == 2 * 12
        moves.append({name: before[name] - value for name, value in problem.parameters.items()})
    for lane, rate in enumerate(rates):
        free, bounded, u = (flat(part, lane) for part in (*moves, problem.gradients))
        total = rate * float(u @ free)  # lr^2 sum of u v
        assert (total > 1e-3) == (lane == 0)
        close(bounded, free * min(1, (1e-3 / total) ** 0.5), 1e-9)
    for _ in range(60):
        last = problem.closure()
        optimizer.step()
    assert last[0] < 0.8 * first[0]


def test_k_fac_needs_a_problem_and_one_group() -> None:
    parameter = weights(2, 3)
    optimizer = make("k_fac", [parameter], 1.0)
    parameter.grad = torch.ones(2, 3)
    with pytest.raises(UserError, match="problem"):
        optimizer.step()
    with pytest.raises(UserError, match="one group"):
        optimizer.add_param_group({"params": [weights(3)]})


@pytest.mark.parametrize(
    ("option", "value"),
    [("momentum", 1.0), ("damping", 0.0), ("statistics_every", 0), ("inverse_every", 1.5), ("kl_clip", 0.0)],
)
def test_wrong_options_of_k_fac(option: str, value: float) -> None:
    with pytest.raises(UserError, match=f"'{option}' is {value}"):
        make("k_fac", [weights(2)], 0.1, **{option: value})


def test_k_fac_knows_its_fisher_matrices() -> None:
    with pytest.raises(UserError, match=r"'fisher' is 'true'.*sampled, empirical"):
        make("k_fac", [weights(2)], 0.1, fisher="true")
