"""Shared fixtures: the packed digits data set and a tiny training spec on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from winnow import download

# Tests run side by side on few cores: threads that wait for each other would cost more than they bring.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the packed digits data set (1,500 training images)."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    download.pack("digits", folder)
    return folder


@pytest.fixture
def tiny() -> dict[str, Any]:
    """A TrainSpec of a second or less: 3 epochs of 6 iterations on digits, two lanes."""
    return {
        "dataset": "digits",
        "validation": 300,
        "train_on": "holdout",
        "model": {"name": "rnn", "hidden": 8, "layers": 2},
        "optimizer": {"name": "gd", "momentum": 0.9, "weight_decay": 1e-6},
        "lr": "0.1",
        "schedule": {"name": "step", "every": "1ep", "gamma": 0.9},
        "length": "3ep",
        "rewind": "1ep",
        "evaluate_every": "1ep",
        "test_every": None,
        "batch_size": 200,
        "batch_schedule": {"name": "constant"},
        "clip": 1.0,
        "precision": "fp32",
        "inputs": "standardised",
        "label_smoothing": 0.0,
        "l2": 0.0,
        "augmentation": {"name": "none"},
        "step_losses": False,
        "seeds": [0, 1],
        "device": "cpu",
        "threads": 1,
        "deterministic": False,
    }
