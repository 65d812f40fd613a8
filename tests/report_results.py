"""A results folder with all three kinds of study, made of synthetic tables; names hold HTML, as a test of the page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from synthetic_finals import Finals
from synthetic_tables import Study

from winnow import io
from winnow.report.sections import benchmark, pruning, sweep

HOSTILE = "<img src=x onerror=alert(1)>"
ARMS = ("gd", HOSTILE)
KINDS = {f"prune {HOSTILE}": pruning, "search": sweep, "methods": benchmark}
METHODS = ("muon", "nesterov", "sgd")
TENSORS = {"hidden": (12, 12), "output": (3, 12)}


def make(root: Path, seeds: tuple[int, ...] = (0, 1, 2), arms: tuple[str, ...] = ARMS) -> Path:
    """Tables, runs, masks and a figure under `root`; returns it."""
    study = Study(arms=arms, seeds=seeds, rounds=3, units=12, weights_per_part=50)
    study.finals = Finals((*METHODS, arms[-1]), ("plain", "density10"), seeds, ("sgd",))
    source = study.tables(root / "all")
    for name, kind in KINDS.items():
        for table in [name for name in kind.READS if name in source]:
            io.write_table(root / name / f"tables/{table}.csv", table, _plain(source[table]))
    folder = root / next(iter(KINDS))
    random = np.random.default_rng(0)
    for k, arm in enumerate(arms):
        for number in (1, 2, 3):
            masks = {name: random.random((len(seeds), *shape)) < 0.8**number for name, shape in TENSORS.items()}
            round_ = folder / arm / "winning_ticket/seeds0-2" / f"round{number}"
            io.write_tensors(round_ / "mask.safetensors", masks, {"seeds": json.dumps(list(seeds))})
        spec = {"model": {"name": "rnn", "hidden": 12}, "optimizer": {"name": arm}, "lr": "0.1", "seeds": list(seeds)}
        run = {
            "spec": spec,
            "lr": "0.1",
            "seeds": list(seeds),
            "train_seconds": 5.0 + k,
            "commit": "<b>abc</b>",
            "cpu": "X",
        }
        io.write_json(folder / arm / "dense/all/lr0.1/seeds0-2/run.json", run)
    for name in ("accuracy_vs_density", "not_a_figure"):
        (folder / "figures").mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 255, (60, 90, 3), dtype=np.uint8)).save(folder / f"figures/{name}.png")
    return root


def _plain(table):
    return table.astype(object).where(table.notna(), None).to_dict("records")
