"""Precision, recall and F1 of each class, from a confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassScore:
    """Of one class; a share of nothing is None."""

    precision: float | None
    recall: float | None
    f1: float | None
    images: int


def per_class(matrix: np.ndarray) -> list[ClassScore]:
    """Scores of a matrix of counts: rows are true classes, columns predicted ones, in the same order.

    precision = right / predicted so, recall = right / images of the class, F1 = their harmonic mean
    = 2 right / (predicted so + images of the class).
    """
    right, predicted, images = matrix.diagonal().tolist(), matrix.sum(axis=0).tolist(), matrix.sum(axis=1).tolist()
    return [
        ClassScore(
            precision=hits / columns if columns else None,
            recall=hits / rows if rows else None,
            f1=2 * hits / (columns + rows) if columns + rows else None,
            images=rows,
        )
        for hits, columns, rows in zip(right, predicted, images, strict=True)
    ]
