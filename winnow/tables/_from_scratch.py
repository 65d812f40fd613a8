"""Trainings of the network from scratch, as the joint tables see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from winnow import io, scratch_space
from winnow.scratch.settings import Settings
from winnow.tables._runs import Run

REACHED = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
TESTED = ("test_loss", "test_accuracy")


def settings(run: Run) -> dict[str, Any]:
    """The columns that say what was trained."""
    return scratch_space.columns(Settings.of(io.read_json(Path(run.folder, "config.json"))))


def last(run: Run, *columns: str) -> dict[str, Any]:
    """These columns of the last row of the run's metrics; losses and accuracies are empty if the training diverged."""
    row = run.read("metrics.csv", "metrics").iloc[-1]
    found = {column: row[column] for column in columns}
    if np.isfinite(row["diverged_step"]):
        found |= {column: None for column in (*REACHED, *TESTED) if column in found}
    return found
