"""Images of a packed data set by their number, what networks make of them, and one image of every class.

Images count from 1: first the training images, then the test images, in the order of the published files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from winnow import plugins
from winnow.data import Data
from winnow.errors import UserError
from winnow.scratch.network import Network
from winnow.scratch_run import probabilities


def image(data: Data, number: int) -> tuple[np.ndarray, int]:
    """(image, label) number `number`. UserError unless there is one."""
    train, test = len(data.train_labels), len(data.test_labels)
    if not 1 <= number <= train + test:
        raise UserError(
            f"The image {number} is not valid; {data.name} has the training images 1 to {train} and the test images "
            f"{train + 1} to {train + test}."
        )
    if number <= train:
        return data.train_images[number - 1], int(data.train_labels[number - 1])
    return data.test_images[number - train - 1], int(data.test_labels[number - train - 1])


def diverged(network: Network) -> bool:
    """Whether the training of a network ended without one: a parameter is no finite number."""
    return not bool(np.isfinite(network.parameters).all())


def class_names(data: Data) -> tuple[str, ...]:
    """Names of the classes."""
    return tuple(plugins.constant("datasets", data.name, "CLASS_NAMES"))


def probability_rows(data: Data, number: int, networks: Iterable[tuple[str, int, Network]]) -> Iterator[dict[str, Any]]:
    """Rows of the table `probabilities`, class by class for every (sweep, seed, network)."""
    pixels, label = image(data, number)
    names = class_names(data)
    for sweep, seed, network in networks:
        found = probabilities(network, pixels[None])[0]
        for index, name in enumerate(names):
            yield {
                "image": number, "true": names[label], "sweep": sweep, "seed": seed, "class": name,
                "probability": float(found[index]), "predicted": index == int(found.argmax()),
            }  # fmt: skip


def sample_rows(data: Data, number: int) -> Iterator[dict[str, Any]]:
    """Rows of the table `samples`: the first image of every class, and number `number`; colours as their mean."""
    names, labels = class_names(data), np.asarray(data.train_labels)
    firsts = [int(np.flatnonzero(labels == label)[0]) + 1 for label in range(len(names)) if (labels == label).any()]
    for shown in dict.fromkeys([*firsts, number]):
        pixels, label = image(data, shown)
        grey = pixels.reshape(data.shape).mean(axis=0) / 255
        for (row, column), value in np.ndenumerate(grey):
            yield {
                "class": label, "name": names[label], "image": shown, "row": row, "column": column,
                "value": float(value),
            }  # fmt: skip
