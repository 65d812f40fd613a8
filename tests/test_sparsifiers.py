"""Sparsifiers: one contract for all of them, each against its formula, and the selection against `winnow.masks`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from optimizer_checks import fitting, weights

from winnow import data as datasets
from winnow import lane_optimizers, masks, options, plugins, problem
from winnow.errors import UserError
from winnow.setting import Setting
from winnow.sparsity import PrunableWeights
from winnow.spec import TrainSpec
from winnow.train import Trainer
from winnow.training_job import Sparsify, TrainingJob

SPARSIFIERS = plugins.names("sparsifiers")
# Each with something of its own: nothing, running means, a zero that stays, evaluation at an average, steps that are
# dense where gradients are not, and one instance per lane with a closure and a memory of all weights together.
OPTIMIZERS = ("sgd", "adam", "eg", "averaged_sgd", "muon", "l_bfgs")


def taken(*optimizers: str) -> list[tuple[str, str]]:
    """Each sparsifier with each of these optimisers that it takes."""
    pairs = [(name, optimizer) for name in SPARSIFIERS for optimizer in optimizers]
    refused = {name: plugins.constant("sparsifiers", name, "REFUSES", ()) for name in SPARSIFIERS}
    return [(name, one) for name, one in pairs if not set(refused[name]) & plugins.load_class("optimizers", one).needs]


RECURRENT = ["rnn.weight_hh_l0", "rnn.weight_hh_l1"]
DENSITY = 0.3
LAST = 18  # iterations of the fixture `tiny`


def entry(name: str, **given: Any) -> dict[str, Any]:
    """Options under which everything happens within the 18 iterations of `tiny`."""
    moments = plugins.constant("sparsifiers", name, "MOMENTS", ())
    found: dict[str, Any] = {"name": name, "density": DENSITY, **dict(zip(reversed(moments), ["10it", "3it"]))}  # noqa: B905
    known = options.parameters("sparsifiers", name)
    found |= {option: value for option, value in {"every": "2it", "strength": 0.05}.items() if option in known}
    return options.check("sparsifiers", found | given)


def settled(sparsifier: dict[str, Any]) -> int:
    """The iteration after which the mask stays: from the start, or after the last of its moments."""
    moments = plugins.constant("sparsifiers", sparsifier["name"], "MOMENTS", ())
    return int(sparsifier[moments[-1]].removesuffix("it")) if moments else 0


def sparse_from(sparsifier: dict[str, Any]) -> int:
    """The iteration after which evaluations must have the density."""
    option = plugins.constant("sparsifiers", sparsifier["name"], "SPARSE_FROM")
    return int(sparsifier[option].removesuffix("it")) if option else 0


def make_job(
    tiny: dict[str, Any], digits: Path, sparsifier: dict[str, Any], seeds: list[int], scope: str = "global", **more: Any
) -> tuple[TrainingJob, datasets.Data]:
    setting = Setting.of(TrainSpec.read({**tiny, "seeds": seeds, "evaluate_every": "3it", **more}), digits)
    job = setting.job(setting.initialise("init"), None, setting.factor(tiny["schedule"]))
    sparsify = Sparsify(sparsifier, RECURRENT, scope, setting.iterations, setting.total)
    return dataclasses.replace(job, rewind=None, sparsify=sparsify), setting.data


def optimizer_of(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **fitting(name, momentum=0.9, **more)}


@pytest.mark.parametrize(("name", "optimizer"), taken(*OPTIMIZERS))
def test_no_evaluation_has_more_weights_than_allowed(
    tiny: dict[str, Any], digits: Path, name: str, optimizer: str
) -> None:
    """Counted in what is evaluated; and what the mask leaves out has no state."""
    sparsifier = entry(name)
    lr = {"eg": "0.5", "adam": "0.01"}.get(optimizer, "0.05")
    job, data = make_job(tiny, digits, sparsifier, [0, 1], optimizer=optimizer_of(optimizer), lr=lr)
    total = sum(job.start[tensor][0].size for tensor in RECURRENT)
    allowed, seen = masks.kept_count(DENSITY, total), []

    def check(trainer: Trainer) -> None:
        seen.append(trainer.iteration)
        evaluated = trainer._evaluated()
        for lane, row in enumerate(trainer.outcome.rows[-2:]):
            assert row["diverged_step"] is None
            count = sum(int(torch.count_nonzero(evaluated[tensor][lane])) for tensor in RECURRENT)
            assert 0 < count <= round(row["density"] * total)
            assert round(row["density"] * total) == sum(int(trainer.mask[tensor][lane].sum()) for tensor in RECURRENT)
            if trainer.iteration > sparse_from(sparsifier):
                assert round(row["density"] * total) == allowed
        for part in trainer.parts if trainer.iteration > settled(sparsifier) else ():
            for tensor in RECURRENT:
                own, off = part.problem.handles[tensor], torch.from_numpy(~trainer.mask[tensor])[part.lanes]
                held = [value for value in part.optimizer.state[own].values() if isinstance(value, torch.Tensor)]
                for value in [own.data, *(value for value in held if value.shape == own.shape)]:
                    assert (value[off.view_as(value)] == 0).all()

    outcome = Trainer(job, data).run(check)
    assert seen == list(range(3, LAST + 1, 3))
    assert masks.density(outcome.mask or {}).tolist() == [allowed / total] * 2
    assert all((outcome.final[tensor][~keep] == 0).all() for tensor, keep in (outcome.mask or {}).items())
    for moved in (outcome.final[tensor][keep] for tensor, keep in (outcome.mask or {}).items()):
        assert np.count_nonzero(moved)


def test_an_evaluation_of_weights_that_the_mask_leaves_out_ends_training(
    tiny: dict[str, Any], digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A projection that forgets a weight."""

    def forgetful(self: PrunableWeights) -> None:
        for tensor in self.tensors():
            tensor.add_(1.0)

    job, data = make_job(tiny, digits, entry("iterative_hard_thresholding"), [0, 1])
    monkeypatch.setattr(PrunableWeights, "apply", forgetful)
    with pytest.raises(RuntimeError, match="has weights at iteration 3 that its mask leaves out"):
        Trainer(job, data).run()


@pytest.mark.parametrize("name", SPARSIFIERS)
def test_an_evaluation_of_more_weights_than_allowed_ends_training(
    tiny: dict[str, Any], digits: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A selection that keeps one too many."""
    original = PrunableWeights.highest
    monkeypatch.setattr(
        PrunableWeights, "highest", lambda self, scores, counts: original(self, scores, [n + 1 for n in counts])
    )
    job, data = make_job(tiny, digits, entry(name), [0, 1])
    with pytest.raises(RuntimeError, match=r"weights are left at iteration \d+, but \d+ are allowed"):
        Trainer(job, data).run()


@pytest.mark.parametrize(("name", "optimizer"), taken("adam", "eg", "l_bfgs"))
def test_resume_ends_with_the_same_bits(tiny: dict[str, Any], digits: Path, name: str, optimizer: str) -> None:
    job, data = make_job(tiny, digits, entry(name), [0, 1], optimizer=optimizer_of(optimizer), lr="0.05")
    states: list[Any] = []
    whole = Trainer(job, data).run(lambda trainer: states.append(trainer.state()))
    for state in (states[0], states[2], states[3]):  # at the first moment, and just before and after the last
        resumed = Trainer(job, data)
        resumed.restore(*state)
        again = resumed.run()
        assert again.rows == whole.rows
        assert again.sample_gradients == whole.sample_gradients
        for part in ("final", "mask"):
            for tensor, value in getattr(whole, part).items():
                np.testing.assert_array_equal(value, getattr(again, part)[tensor], err_msg=tensor)


@pytest.mark.parametrize(("name", "optimizer"), taken("adam", "l_bfgs"))
def test_a_lane_does_not_depend_on_its_companions(
    tiny: dict[str, Any], digits: Path, name: str, optimizer: str
) -> None:
    runs = [
        Trainer(*make_job(tiny, digits, entry(name), [0, other], optimizer=optimizer_of(optimizer), lr="0.02")).run()
        for other in (1, 7)
    ]
    for tensor, value in runs[0].final.items():
        np.testing.assert_array_equal(value[0], runs[1].final[tensor][0], err_msg=tensor)
        assert not np.array_equal(value[1], runs[1].final[tensor][1])


@pytest.mark.parametrize("name", SPARSIFIERS)
def test_a_lane_that_diverges_keeps_to_the_density_and_out_of_the_others(
    tiny: dict[str, Any], digits: Path, name: str
) -> None:
    job, data = make_job(tiny, digits, entry(name), [0, 1])
    broken = {tensor: value.copy() for tensor, value in job.start.items()}
    broken["output.bias"][1, 0] = np.inf
    outcome = Trainer(dataclasses.replace(job, start=broken), data).run()
    assert outcome.diverged[0] is None
    assert outcome.diverged[1] is not None
    healthy = Trainer(job, data).run()
    assert [row for row in outcome.rows if row["seed"] == 0] == [row for row in healthy.rows if row["seed"] == 0]
    kept = sum(np.count_nonzero(outcome.final[tensor][1]) for tensor in RECURRENT)
    assert kept <= masks.kept_count(DENSITY, 128)


@pytest.mark.parametrize("name", SPARSIFIERS)
def test_layerwise_counts_within_each_tensor(tiny: dict[str, Any], digits: Path, name: str) -> None:
    outcome = Trainer(*make_job(tiny, digits, entry(name), [0, 1], scope="layerwise")).run()
    for keep in (outcome.mask or {}).values():
        assert keep.reshape(2, -1).sum(1).tolist() == [masks.kept_count(DENSITY, keep[0].size)] * 2


@pytest.mark.parametrize("name", SPARSIFIERS)
def test_impossible_settings_are_refused_before_training(tiny: dict[str, Any], digits: Path, name: str) -> None:
    for option, value in (("density", 0), ("density", 1.0), ("every", "0it"), ("strength", -1.0)):
        if option in options.parameters("sparsifiers", name):
            with pytest.raises(UserError, match=rf"option {option} of {name} is .*valid is"):
                Trainer(*make_job(tiny, digits, {**entry(name), option: value}, [0]))
    for option in plugins.constant("sparsifiers", name, "MOMENTS", ()):
        with pytest.raises(UserError, match=rf"option {option} of {name} is 3ep, iteration 18; valid is .* to 17"):
            Trainer(*make_job(tiny, digits, entry(name, **{option: "3ep"}), [0]))


@pytest.mark.parametrize("name", SPARSIFIERS)
def test_ranges_state_every_option(name: str) -> None:
    assert set(plugins.constant("sparsifiers", name, "RANGES")) == set(options.parameters("sparsifiers", name))


def prunable(*tensors: torch.Tensor, scope: str = "global", optimizer: str = "sgd", **more: Any) -> PrunableWeights:
    """Tensors [L, ...] named a, b, ..., as a sparsifier gets them."""
    names = [chr(ord("a") + i) for i in range(len(tensors))]
    model: Any = SimpleNamespace(roles={}, fan_in={}, zero_initialised=frozenset())
    start = dict(zip(names, tensors, strict=True))
    whole = problem.stacked(model, start, list(range(len(tensors[0]))), None, None)
    rates = torch.full((len(tensors[0]),), 0.1)
    plugin = plugins.load_class("optimizers", optimizer)(list(whole.handles.values()), lr=rates, **more)
    parts = [lane_optimizers.Part(plugin, whole, slice(None), rates.double(), 0.1)]
    sparsify = Sparsify({"name": "test"}, names, scope, lambda text: int(text.removesuffix("it")), 100)
    return PrunableWeights(sparsify, whole, parts)


@pytest.mark.parametrize("scope", ["global", "layerwise"])
@pytest.mark.parametrize("density", [0.0, 0.02, 0.145, 0.5, 0.6, 1.0])
def test_selection_is_that_of_masks(scope: str, density: float) -> None:
    """With many ties, and without."""
    generator = np.random.default_rng(0)
    for scores in (generator.integers(0, 6, (3, 7, 30)), generator.normal(0, 1, (3, 7, 30)), np.zeros((3, 7, 30))):
        arrays = {"a": np.abs(scores[:, :, :10]).astype(np.float32), "b": np.abs(scores[:, :, 10:]).astype(np.float32)}
        expected = masks.select(arrays, density, scope)
        held = prunable(*(torch.from_numpy(value) for value in arrays.values()), scope=scope)
        held.mask.copy_(held.highest(held.magnitudes(), held.counts(density)))
        for name, found in held.arrays().items():
            np.testing.assert_array_equal(found, expected[name], err_msg=name)


@pytest.mark.parametrize("count", [1, 2, 100, 4080, 24480, 40799, 40800])
def test_selection_from_many_weights(count: int) -> None:
    """As many as in LeNet-5, of any order, with ties at zero as a projection leaves them."""
    generator = np.random.default_rng(count)
    rows = generator.normal(0, 1, (5, 40800)).astype(np.float32)
    rows[1] = np.sort(rows[1])
    rows[2, 5000:] = 0
    rows[3] = np.round(rows[3], 1)
    rows[4] = np.tile(rows[4, :16], 2550)  # the sample sees one value of 16
    held = prunable(torch.from_numpy(rows))
    found = held.highest(held.magnitudes(), [count])
    expected = masks.select({"a": np.abs(rows)}, count / 40800)["a"]
    np.testing.assert_array_equal(found.numpy() > 0, expected)


def test_values_that_are_not_finite_never_add_to_the_count() -> None:
    values = torch.tensor([[1.0, torch.nan, 3.0, torch.inf, 2.0], [torch.nan] * 5, [torch.inf] * 5])
    held = prunable(values)
    found = held.highest(held.magnitudes(), [2])
    assert found.tolist() == [[0, 0, 1, 1, 0], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0]]


@pytest.mark.parametrize("name", plugins.names("optimizers"))
def test_absorbing_zeros_says_whether_a_zero_moves(name: str) -> None:
    plugin = plugins.load_class("optimizers", name)
    if plugin.needs:
        pytest.skip("its gradients are its own")
    parameter = weights(2, 2)
    parameter.data[0, 0] = 0
    parameter.grad = torch.ones_like(parameter)
    plugin([parameter], lr=0.1).step()
    assert bool(parameter.data[0, 0] == 0) == plugin.absorbing_zeros


def test_hard_thresholding_keeps_the_largest_after_every_step(tiny: dict[str, Any], digits: Path) -> None:
    """Against projecting by hand what the same step made of the same weights."""
    job, data = make_job(tiny, digits, entry("iterative_hard_thresholding", every="1it"), [0, 1], lr="5.0")
    sparse, dense = Trainer(job, data), Trainer(dataclasses.replace(job, sparsify=None), data)
    came_back = 0
    for _ in range(5):
        before = {tensor: sparse.problem.parameters[tensor] != 0 for tensor in RECURRENT}
        sparse._step()
        dense._step()
        arrays = dense.weights()
        keep = masks.select({tensor: np.abs(arrays[tensor]) for tensor in RECURRENT}, DENSITY)
        for tensor, value in masks.apply(arrays, keep).items():
            np.testing.assert_array_equal(sparse.weights()[tensor], value)
            dense.problem.parameters[tensor].copy_(torch.from_numpy(value))
        for tensor, kept in keep.items():
            state = dense.parts[0].optimizer.state[dense.problem.handles[tensor]]
            state["momentum_buffer"].mul_(torch.from_numpy(kept))
            came_back += int((torch.from_numpy(kept) & ~before[tensor]).sum())
    assert came_back, "gradients are dense"


@pytest.mark.parametrize("optimizer", ["sgd", "eg", "muon"])
def test_feedback_moves_all_weights_by_the_gradient_at_those_in_the_network(
    tiny: dict[str, Any], digits: Path, optimizer: str
) -> None:
    """Against the same by hand, with a mask for two steps each, up to the moment at which it is for good."""
    sparsifier = entry("pruning_with_feedback", every="2it")
    job, data = make_job(tiny, digits, sparsifier, [0, 1], optimizer=optimizer_of(optimizer), lr="0.5")
    sparse, dense = Trainer(job, data), Trainer(dataclasses.replace(job, sparsify=None), data)
    keep: dict[str, Any] = {}
    came_back = 0
    for step in range(10):
        whole, before = dense.weights(), keep
        if step % 2 == 0:
            keep = masks.select({tensor: np.abs(whole[tensor]) for tensor in RECURRENT}, DENSITY)
            came_back += sum(int((keep[tensor] & ~before[tensor]).sum()) for tensor in before)
        for tensor, value in masks.apply(whole, keep).items():
            dense.problem.parameters[tensor].copy_(torch.from_numpy(value))
        dense.problem.batch = dense.batches.at(step)
        dense.problem.closure()
        for tensor, value in whole.items():
            dense.problem.parameters[tensor].copy_(torch.from_numpy(value))
        dense.parts[0].set_rate(dense._factor(step))
        dense.parts[0].step()
        sparse._step()
        sparse.sparsifier.enforce()
        for tensor, value in dense.weights().items():
            np.testing.assert_array_equal(sparse.weights()[tensor], value)
            evaluated = np.where(keep[tensor], value, 0) if tensor in keep else value
            np.testing.assert_array_equal(sparse._evaluated()[tensor].numpy(), evaluated)
    assert came_back
    state = sparse.state()  # taken before the last choice, which is to see what is outside and its momentum
    resumed = Trainer(job, data)
    resumed.restore(*state)
    final = masks.select({tensor: np.abs(dense.weights()[tensor]) for tensor in RECURRENT}, DENSITY)
    for trainer in (sparse, resumed):
        trainer._step()
        for tensor, value in sparse.weights().items():
            np.testing.assert_array_equal(trainer.weights()[tensor], value)
    for tensor, mask in final.items():
        assert not sparse.weights()[tensor][~mask].any(), "from the moment `end` on nothing is outside"


def test_feedback_of_a_lane_that_diverges_before_the_last_choice(tiny: dict[str, Any], digits: Path) -> None:
    """It goes back to weights that were outside, too, and has none of them after the last choice."""
    job, data = make_job(tiny, digits, entry("pruning_with_feedback"), [0, 1])
    trainer = Trainer(job, data)

    def spoil(trainer: Trainer) -> None:
        if trainer.iteration == 6:
            trainer.problem.parameters["output.bias"][1, 0] = torch.inf

    outcome = trainer.run(spoil)
    assert outcome.diverged == [None, 7]
    for tensor in RECURRENT:
        assert np.isfinite(trainer.weights()[tensor]).all()
        assert not trainer.weights()[tensor][~outcome.mask[tensor]].any()


def test_feedback_reaches_optimisers_of_one_lane(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job(tiny, digits, entry("iterative_hard_thresholding"), [0, 1], optimizer={"name": "l_bfgs"})
    trainer = Trainer(job, data)
    weights = trainer.sparsifier.weights
    weights.hide(weights.highest(weights.magnitudes(), [38]))
    for tensor, value in trainer._evaluated().items():
        for part in trainer.parts:
            torch.testing.assert_close(part.problem.seen()[tensor][0], value[part.lanes][0])
    assert sum(int(torch.count_nonzero(trainer.parts[1].problem.seen()[tensor])) for tensor in RECURRENT) == 38


@pytest.mark.parametrize("optimizer", ["l_bfgs", "hessian_free"])
def test_feedback_refuses_optimisers_that_compare_losses(tiny: dict[str, Any], digits: Path, optimizer: str) -> None:
    with pytest.raises(UserError, match=r"pruning_with_feedback does not take the optimiser \w+, which computes"):
        Trainer(*make_job(tiny, digits, entry("pruning_with_feedback"), [0], optimizer={"name": optimizer}))


def test_gradual_pruning_follows_the_cubic_schedule(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job(tiny, digits, entry("gradual_magnitude", every="3it"), [0], evaluate_every="1it")
    trainer = Trainer(job, data)
    rows = trainer.run().rows
    expected = [1.0] * 6  # evaluations come before the change: that at iteration 6 shows in row 7
    for moment, count in ((6, 3), (9, 1), (10, 8)):
        density = 0.3 + 0.7 * (1 - (moment - 3) / 7) ** 3
        expected += [masks.kept_count(density, 128) / 128] * count
    assert [row["density"] for row in rows] == expected


def test_rigl_replaces_the_smallest_by_the_largest_gradients(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job(tiny, digits, entry("dynamic_sparse", every="4it", fraction=0.5), [0, 1])
    trainer = Trainer(job, data)
    total, kept = 128, masks.kept_count(DENSITY, 128)
    for _ in range(4):
        trainer._step()
    assert trainer.problem.sample_gradients == 800
    before, mask = trainer.weights(), trainer.sparsifier.weights.arrays()
    trainer.problem.batch = trainer.batches.at(4)
    gradient = trainer.sparsifier.weights.dense_gradient().numpy()
    trainer.problem.sample_gradients = 800
    trainer.sparsifier.before_step(4)
    assert trainer.problem.sample_gradients == 1000, "the dense gradient counts"
    number = int(0.25 * (1 + np.cos(np.pi * 4 / 10)) * kept)
    after, grown = trainer.weights(), trainer.sparsifier.weights.arrays()
    for lane in range(2):
        flat = np.concatenate([before[tensor][lane].ravel() for tensor in RECURRENT])
        old = np.concatenate([mask[tensor][lane].ravel() for tensor in RECURRENT])
        new = np.concatenate([grown[tensor][lane].ravel() for tensor in RECURRENT])
        stay = set(sorted(np.flatnonzero(old), key=lambda i: -abs(flat[i]))[: kept - number])
        others = [i for i in range(total) if i not in stay]
        expected = stay | set(sorted(others, key=lambda i: -abs(gradient[lane, i]))[:number])
        assert set(np.flatnonzero(new)) == expected
        ended = np.concatenate([after[tensor][lane].ravel() for tensor in RECURRENT])
        np.testing.assert_array_equal(ended, np.where(new & old, flat, 0))
    trainer.sparsifier.before_step = lambda iteration: None  # it is done
    trainer._step()
    moved = trainer.weights()
    born = [moved[tensor][grown[tensor] & ~mask[tensor]] for tensor in RECURRENT]
    assert np.concatenate(born).all(), "what was grown trains"


@pytest.mark.parametrize("growth", ["gradient", "random"])
def test_growth_under_eg_starts_off_zero(tiny: dict[str, Any], digits: Path, growth: str) -> None:
    sparsifier = entry("dynamic_sparse", every="4it", fraction=0.5, growth=growth)
    job, data = make_job(tiny, digits, sparsifier, [0, 1], optimizer={"name": "eg"})
    trainer = Trainer(job, data)
    for _ in range(4):
        trainer._step()
    held = trainer.sparsifier.weights
    before = held.mask.clone()
    trainer.problem.batch = trainer.batches.at(4)
    gradient = held.dense_gradient()
    trainer.sparsifier.before_step(4)
    values = torch.cat([tensor.flatten(1) for tensor in held.tensors()], 1)
    born = (held.mask > 0) & (before == 0)
    for lane in range(2):
        others = values[lane][(held.mask[lane] > 0) & (before[lane] > 0)].abs()
        sizes = values[lane][born[lane]].abs()
        assert len(sizes)
        assert len(sizes.unique()) == 1
        assert sizes[0] >= others.min()
        if growth == "gradient":
            assert (values[lane][born[lane]].sign() == -gradient[lane][born[lane]].sign()).all()
        else:
            assert len(values[lane][born[lane]].sign().unique()) == 2


def test_random_growth_costs_no_gradient(tiny: dict[str, Any], digits: Path) -> None:
    costs = {
        growth: Trainer(*make_job(tiny, digits, entry("dynamic_sparse", growth=growth), [0])).run().sample_gradients
        for growth in ("gradient", "random")
    }
    assert costs == {"gradient": [3600 + 4 * 200], "random": [3600]}  # at iterations 2, 4, 6, 8


def test_the_soft_threshold_scales_with_the_rate_and_ends(tiny: dict[str, Any], digits: Path) -> None:
    job, data = make_job(tiny, digits, entry("l1_proximal", strength=0.3), [0, 1])
    sparse, dense = Trainer(job, data), Trainer(dataclasses.replace(job, sparsify=None), data)
    sparse._step()
    dense._step()
    for tensor, value in dense.weights().items():
        expected = np.sign(value) * np.maximum(np.abs(value) - 0.1 * 0.3, 0) if tensor in RECURRENT else value
        np.testing.assert_allclose(sparse.weights()[tensor], expected, atol=1e-7)
    outcome = Trainer(job, data).run()
    assert [row["density"] < 1 for row in outcome.rows[:2]] == [True, True], "zeros of the threshold are counted"
    allowed = masks.kept_count(DENSITY, 128) / 128
    assert [row["density"] for row in outcome.rows if row["iteration"] > 10] == [allowed] * 6
