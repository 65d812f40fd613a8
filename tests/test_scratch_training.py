"""Training from scratch: what it learns, its rows, its memory, and what it refuses."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from winnow import data
from winnow.errors import UserError
from winnow.schemas import SCHEMAS
from winnow.scratch import training
from winnow.scratch.evaluation import Evaluator
from winnow.scratch.images import Images
from winnow.scratch.optimizers import OPTIMIZERS
from winnow.scratch.settings import Settings
from winnow.scratch.training import Training

SMALL = Settings(layers=(16,), epochs=2, batch_size=200)


@pytest.fixture(scope="module")
def held(digits: Path) -> data.Data:
    return data.load(digits)


def random_images(count: int = 50, pixels: int = 12, classes: int = 3) -> Images:
    generator = np.random.default_rng(0)
    return Images(generator.normal(size=(count, pixels)), generator.integers(0, classes, count), classes)


@pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error"])
def test_digits_are_learned(held: data.Data, loss: str) -> None:
    rows = list(training.on(Settings(epochs=10, loss=loss), held).epochs())
    assert [row["epoch"] for row in rows] == list(range(1, 11))
    assert rows[-1]["iteration"] == 10 * 43  # 1,350 images by 32
    assert rows[0]["train_loss"] > 4 * rows[-1]["train_loss"]
    assert min(rows[-1][f"{part}_accuracy"] for part in ("validation", "test")) > 0.94
    assert rows[-1]["train_accuracy"] > 0.98


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_lowers_the_loss(held: data.Data, optimizer: str) -> None:
    rate = 1e-3 if optimizer in ("rmsprop", "adam", "nadam") else 0.1
    settings = Settings(layers=(32,), epochs=4, optimizer=optimizer, learning_rate=rate, weight_decay=1e-4)
    rows = list(training.on(settings, held).epochs())
    assert rows[-1]["train_loss"] < 0.6
    assert rows[-1]["validation_accuracy"] > 0.8


def test_rows_are_those_of_the_metrics_table(held: data.Data) -> None:
    ticks: list[int] = []
    made = training.on(SMALL, held, test=False)
    rows = list(made.epochs(ticks.append))
    assert list(rows[0]) == list(SCHEMAS["metrics"])
    assert ticks == list(range(1, 2 * made.per_epoch + 1))
    assert rows[0]["test_accuracy"] is None
    assert rows[0]["diverged_step"] is None
    assert [row["sample_gradients"] for row in rows] == [len(made.train), 2 * len(made.train)]


def test_same_seed_same_bits_other_seed_others(held: data.Data) -> None:
    def trained(seed: int) -> tuple[list[dict[str, Any]], bytes]:
        made = training.on(dataclasses.replace(SMALL, seed=seed), held)
        return list(made.epochs()), made.network.parameters.tobytes()

    assert trained(0) == trained(0)
    assert trained(0)[1] != trained(1)[1]


def test_an_epoch_equals_the_plain_loop() -> None:
    """Two hidden layers, cross-entropy, SGD and a smaller last batch, in float64 with nothing shared."""
    images = random_images()
    settings = Settings(layers=(8, 5), activation="tanh", optimizer="sgd", learning_rate=0.2, batch_size=16, epochs=1)
    made = Training(settings, images, np.arange(50), {})
    weights = [weight.astype(np.float64) for weight in made.network.weights]
    biases = [bias.astype(np.float64) for bias in made.network.biases]
    drawn, losses = data.order(0, 0, np.arange(50)), []
    for start in range(0, 50, 16):
        index = drawn[start : start + 16]
        a = [images.rows[index]]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            a.append(np.tanh(a[-1] @ weight + bias))
        z = a[-1] @ weights[-1] + biases[-1]
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        losses += list(-np.log(p[np.arange(len(index)), images.labels[index]]))
        delta = (p - np.eye(3)[images.labels[index]]) / len(index)
        for layer in (2, 1, 0):
            step = a[layer].T @ delta, delta.sum(axis=0)
            delta = (delta @ weights[layer].T) * (1 - a[layer] ** 2)
            weights[layer] -= 0.2 * step[0]
            biases[layer] -= 0.2 * step[1]
    (row,) = made.epochs()
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    for mine, expected in zip([*made.network.weights, *made.network.biases], [*weights, *biases], strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-6)


def test_bytes_are_scaled_to_one() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 1, 3, 3), dtype=np.uint8)
    labels = np.arange(20) % 2
    found = [
        next(Training(Settings((4,)), Images(images, labels, 2), np.arange(20), {}).epochs())["train_loss"]
        for images in (pixels, pixels / 255)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_inputs_by_definition() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3000, 1, 3, 3), dtype=np.uint8)
    images, train = Images(pixels, np.arange(3000) % 2, 2), np.arange(0, 3000, 2)
    rows = pixels.reshape(3000, 9) / 255
    mean = rows[train].mean(axis=0)  # not of the others
    expected = {"unit": rows, "centred": rows - mean, "standardised": (rows - mean) / (rows[train] - mean).std()}
    roots = np.sqrt(rows) - np.sqrt(rows)[train].mean(axis=0)
    expected["roots"] = roots / roots[train].std()
    for name, values in expected.items():
        made = Training(Settings((4,), inputs=name, batch_size=5), images, train, {"validation": (images, None)})
        workspace = made.workspaces[5]
        made.gathers[5](np.array([7, 2999, 0, 1, 2]))
        np.testing.assert_allclose(workspace.inputs, values[[7, 2999, 0, 1, 2]], atol=1e-6)
        evaluated = made.evaluators["validation"].workspaces[500]
        list(made.epochs())
        np.testing.assert_allclose(evaluated.inputs, values[-500:], atol=1e-6)  # training, too, sees the same
    numbers = Images(rows, images.labels, 2)
    for name, values in expected.items():  # what is no byte is not divided by 255
        made = Training(Settings((4,), inputs=name, batch_size=5), numbers, train, {})
        made.gathers[5](np.array([7, 2999, 0, 1, 2]))
        np.testing.assert_allclose(made.workspaces[5].inputs, values[[7, 2999, 0, 1, 2]], atol=1e-6)


def test_images_that_are_all_alike_can_be_standardised() -> None:
    images = Images(np.full((20, 9), 3, np.uint8), np.arange(20) % 2, 2)
    (row,) = Training(Settings((4,), inputs="standardised", epochs=1), images, np.arange(20), {}).epochs()
    assert np.isfinite(row["train_loss"])


def test_all_training_images_train_where_none_validate(held: data.Data) -> None:
    made = training.on(dataclasses.replace(SMALL, train_on="all"), held)
    assert sorted(made.train) == list(range(len(held.train_labels)))
    (*_, row) = made.epochs()
    assert row["validation_accuracy"] is row["validation_loss"] is None
    assert row["test_accuracy"] > 0.3
    assert row["sample_gradients"] == 2 * len(held.train_labels)


def test_evaluation_in_parts_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    images = random_images()
    network = Training(Settings((4,)), images, np.arange(50), {}).network
    whole = Evaluator(network, "cross_entropy", images)
    monkeypatch.setattr("winnow.scratch.evaluation.ROWS", 16)
    parts = Evaluator(network, "cross_entropy", images)
    assert parts() == pytest.approx(whole())
    probabilities = parts.probabilities()
    np.testing.assert_allclose(probabilities, whole.probabilities(), rtol=1e-5)
    assert whole()[1] == np.mean(probabilities.argmax(axis=1) == images.labels)
    some = Evaluator(network, "cross_entropy", images, np.array([7, 3]))
    np.testing.assert_allclose(some.probabilities(), probabilities[[7, 3]], rtol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_allocates_nothing_large(held: data.Data, optimizer: str) -> None:
    made = training.on(Settings((512, 512), optimizer=optimizer, weight_decay=0.1, loss="mean_squared_error"), held)
    index = np.arange(32)
    made.step(index)
    tracemalloc.start()
    made.step(index)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    workspace = made.workspaces[32]
    assert min(part.nbytes for part in (workspace.inputs, *workspace.deltas[:-1], made.network.parameters)) == 65_536
    assert 0 < peak < 40_000  # to broadcast a bias, NumPy itself takes a buffer of 8,192 numbers


def test_divergence_ends_the_training() -> None:
    settings = Settings((8, 8), "identity", optimizer="sgd", learning_rate=1e30, batch_size=10, epochs=5)
    images = random_images()
    (row,) = Training(settings, images, np.arange(50), {"validation": (images, None)}).epochs()
    assert 1 < row["diverged_step"] < 6
    assert np.isnan(row["train_loss"])
    assert row["validation_accuracy"] is None


def test_an_update_that_leaves_no_finite_parameters_is_told(held: data.Data) -> None:
    made = training.on(Settings(layers=(4,), epochs=2, batch_size=len(held.train_labels)), held)
    step = made.optimizer.step

    def explode() -> None:
        step()
        made.network.parameters[0] = np.inf

    made.optimizer.step = explode  # type: ignore[method-assign]
    (row,) = made.epochs()
    assert np.isfinite(row["train_loss"])
    assert row["diverged_step"] == 1
    assert row["validation_accuracy"] is None


NAN = np.where(np.arange(12) == 5, np.nan, 1.0).reshape(3, 4)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (NAN, [0, 1, 2], "fruit: an image has a NaN"),
        (np.full((3, 4), np.inf), [0, 1, 2], "infinity"),
        (np.full((3, 4), "x"), [0, 1, 2], "no real numbers"),
        (np.ones((3, 4)), [0, 1, 3], "labels have the value 3 .* 3 classes. Valid: whole numbers from 0 to 2"),
        (np.ones((3, 4)), [0, -1, 2], "the value -1"),
        (np.ones((3, 4)), [0.0, 1.5, 2.0], "the value 1.5 .of type float64"),
        (np.ones((3, 4)), [0, 1], r"shape \(3, 4\) and labels of shape \(2,\) do not fit"),
        (np.ones(3), [0, 1, 2], r"shape \(3,\)"),
        (np.ones((0, 4)), [], "N at least 1"),
    ],
)
def test_wrong_data(images: np.ndarray, labels: list[Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Images(images, np.array(labels), 3, "fruit")


def test_wrong_width() -> None:
    network = Training(Settings((4,)), random_images(), np.arange(50), {}).network
    with pytest.raises(UserError, match="network has 12 inputs, but an image has 9 pixels"):
        Evaluator(network, "cross_entropy", random_images(pixels=9))


def test_nothing_to_train_on() -> None:
    with pytest.raises(UserError, match="no training images"):
        Training(SMALL, random_images(), np.array([], np.int64), {})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"activation": "softplus"}, "no activation 'softplus'.*Valid names: identity, relu, sigmoid, tanh"),
        ({"loss": "cross"}, "no loss 'cross'"),
        ({"inputs": "centered"}, "no form of the inputs 'centered'. Did you mean 'centred'"),
        ({"train_on": "some"}, "no part of the training images 'some'.*all, holdout"),
        ({"weight_init": "zero"}, "no weight initialisation 'zero'"),
        ({"optimizer": "lion"}, "no optimiser 'lion'"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"beta2": 1.0}, "beta2 is 1.0"),
        ({"layers": 12}, "layers is 12, but must be a list"),
        ({"layers": (12, 0)}, "layers has the value 0"),
        ({"layers": (12.0,)}, "layers has the value 12.0"),
        ({"batch_size": 0}, "batch_size has the value 0"),
        ({"epochs": -1}, "epochs has the value -1"),
        ({"seed": -1}, "seed has the value -1.* at least 0"),
    ],
)
def test_wrong_settings(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Settings(**given)


def test_names_as_people_spell_them() -> None:
    settings = Settings(activation="ReLU", weight_init="Xavier", optimizer="nesterov", loss="mean-squared-error")
    assert settings == Settings(activation="relu", weight_init="xavier", optimizer="nag", loss="mean_squared_error")
