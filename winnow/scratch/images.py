"""Images as rows, with their labels, checked once; batches of them are gathered by index into given memory.

As a batch is gathered, its pixels x, bytes or numbers, become the network's inputs (inputs.py).
"""

from __future__ import annotations

import numpy as np

from winnow.errors import UserError
from winnow.scratch.network import Workspace


class Images:
    """Images [N, ...] of bytes or real numbers, and their labels [N], whole numbers in [0, classes).

    UserError for empty or unequal arrays, other labels, and for a NaN or an infinity in the images.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, classes: int, name: str = "the data") -> None:
        images, labels = np.asarray(images), np.asarray(labels)
        if labels.ndim != 1 or len(labels) == 0 or images.ndim < 2 or len(images) != len(labels):
            raise UserError(
                f"{name}: images of shape {images.shape} and labels of shape {labels.shape} do not fit. Valid: images "
                "[N, ...] and labels [N], with N at least 1."
            )
        if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= classes:
            found = np.unique(labels)
            wrong = found[~np.isin(found, np.arange(classes))] if found.dtype.kind in "iufb" else found
            wrong = wrong if len(wrong) else found  # whole numbers of another type
            raise UserError(
                f"{name}: the labels have the value {wrong[0]} (of type {labels.dtype}), but the network has {classes} "
                f"classes. Valid: whole numbers from 0 to {classes - 1}."
            )
        self.rows = images.reshape(len(images), -1)  # [N, pixels]
        self.bytes = images.dtype == np.uint8
        if not self.bytes and not (images.dtype.kind in "iuf" and np.isfinite(self.rows).all()):
            raise UserError(
                f"{name}: an image has a NaN or an infinity, or no real numbers. Valid: finite real numbers."
            )
        self.labels = labels.astype(np.int64)
        self.classes = classes


class Gather:
    """Gathers batches from `images` into the inputs of `workspace`, and their labels. UserError for another width."""

    def __init__(self, images: Images, workspace: Workspace) -> None:
        pixels, self.inputs, self.network = images.rows.shape[1], workspace.inputs, workspace.network
        if self.inputs.shape[1] != pixels:
            raise UserError(f"The network has {self.inputs.shape[1]} inputs, but an image has {pixels} pixels.")
        self.images = images
        self.rooted, self.shifted = self.network.power[0] == 0.5, bool(self.network.shift.any())
        self.taken = np.empty(self.inputs.shape, images.rows.dtype)

    def __call__(self, index: np.ndarray) -> np.ndarray:
        """Fill the inputs with the images of `index` [rows]; their labels [rows]."""
        np.take(self.images.rows, index, axis=0, out=self.taken, mode="clip")  # "raise" would go by way of a copy
        self.inputs[...] = self.taken
        if self.rooted:
            np.sqrt(self.inputs, out=self.inputs)
        if self.shifted:
            self.inputs -= self.network.shift
        self.inputs *= self.network.scale
        return self.images.labels.take(index)
