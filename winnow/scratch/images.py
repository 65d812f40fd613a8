"""Images as rows, with their labels, checked once; batches of them are gathered by index into given memory.

Bytes 0 ... 255 become x / 255 in [0, 1] as a batch is gathered; numbers are taken as they are.
"""

from __future__ import annotations

import numpy as np

from winnow.errors import UserError

SCALE = 1 / 255


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
    """Gathers batches from `images` into `inputs` [rows, pixels], and their labels. UserError for another width."""

    def __init__(self, images: Images, inputs: np.ndarray) -> None:
        pixels = images.rows.shape[1]
        if inputs.shape[1] != pixels:
            raise UserError(f"The network has {inputs.shape[1]} inputs, but an image has {pixels} pixels.")
        self.images, self.inputs = images, inputs
        self.taken = np.empty(inputs.shape, images.rows.dtype)

    def __call__(self, index: np.ndarray) -> np.ndarray:
        """Fill the inputs with the images of `index` [rows]; their labels [rows]."""
        np.take(self.images.rows, index, axis=0, out=self.taken, mode="clip")  # "raise" would go by way of a copy
        self.inputs[...] = self.taken
        if self.images.bytes:
            self.inputs *= SCALE
        return self.images.labels.take(index)
