"""One training of the network from scratch as a folder of files, and the trained network read back from there."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from winnow import io, plugins, progress, provenance, scratch_space, search_space, store
from winnow.data import Data
from winnow.errors import UserError
from winnow.schemas import SCHEMAS
from winnow.scratch import training
from winnow.scratch.evaluation import Evaluator
from winnow.scratch.images import Images
from winnow.scratch.network import Network
from winnow.scratch.settings import Settings
from winnow.scratch.training import Training
from winnow.seeds import stream
from winnow.timeline import Timeline

FILES = ("metrics.csv", "final.safetensors", "config.json", "confusion.csv", "run.json")


def train(
    settings: Settings, data: Data, folder: Path, values: Mapping[str, Any], shown: TextIO, show_in: Path | None = None
) -> dict[str, Any]:
    """Train, and write into `folder` what docs/files.md says of such a run; the last row of its metrics.

    values: for config.json, which train_numpy.py --config takes. Progress goes to the stream `shown`, and as
    progress.json to the folder `show_in` (that of the run if None).
    """
    made = training.on(settings, data)
    io.write_json(folder / "config.json", dict(values))
    timeline = Timeline(len(made.train), {0: settings.batch_size})
    bar = progress.Progress(show_in or folder, 0, timeline.start(settings.epochs), timeline, 1, shown)
    began = time.monotonic()
    rows: list[dict[str, Any]] = []
    for row in made.epochs(bar.tick):
        rows.append(finite(row))
        io.write_table(folder / "metrics.csv", "metrics", rows)
        bar.row(made.iteration, rows[-1:])
    io.write_tensors(folder / "final.safetensors", made.network.named())
    diverged = rows[-1]["diverged_step"] is not None  # then there is no network to classify with
    io.write_table(folder / "confusion.csv", "run_confusion", [] if diverged else _confusion(made, data))
    cost = {"parameters": len(made.network.parameters), "train_seconds": time.monotonic() - began}
    io.write_json(folder / "run.json", {**cost, "numpy": np.__version__})
    return rows[-1]


def finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with None for a loss that is no finite number, as files have it."""
    return {key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in row.items()}


def _confusion(made: Training, data: Data) -> list[dict[str, Any]]:
    """How many test images of a class (`true`) are classified as which."""
    names = plugins.constant("datasets", data.name, "CLASS_NAMES")
    predicted = made.evaluators["test"].probabilities().argmax(axis=1)
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (data.test_labels, predicted), 1)
    return [
        {"seed": made.settings.seed, "true": true, "predicted": name, "count": int(counts[i, j])}
        for i, true in enumerate(names)
        for j, name in enumerate(names)
    ]


def stored(settings: Settings, data: Data, packed: Path, out: Path, place: Path, limit: int, shown: TextIO) -> None:
    """As `train`, by way of the store `place`: what was trained there before is linked into `out`."""
    values = {"dataset": data.name, **vars(settings)}
    columns = [list(SCHEMAS[table]) for table in ("metrics", "run_confusion")]
    used, dataset = [("datasets", data.name)], io.read_json(packed / "dataset.json")
    key = provenance.result_key({**values, "columns": columns}, "winnow/scratch_run.py", used, dataset)
    store.claim(out, key)
    with store.locked(place, key) as entry:

        def write(folder: Path) -> None:
            train(settings, data, folder, values, shown, out)

        entry.link(entry.whole() or entry.finish(write), out)
    store.shrink(place, limit)


def settings_of(spec: Mapping[str, Any], best: Path | None) -> Settings:
    """What a job is to train: the configuration of rank `rank` in a best.json, or the draw number `pair` of a `space`.

    spec: one of these and `seed`; with a draw `loss`, with a rank perhaps `train_on`. UserError unless there is such a
    configuration.
    """
    if "rank" not in spec:
        drawn = search_space.draw(spec["space"], stream(1, "drawing", spec["pair"]))  # seed 0 draws in searches
        return scratch_space.settings(drawn, loss=spec["loss"], seed=spec["seed"])
    configurations = io.read_json(best)["configurations"] if best else []
    if len(configurations) < spec["rank"]:
        raise UserError(
            f"{best} has {len(configurations)} configurations whose training was complete, but number {spec['rank']} "
            "is asked for: the sweep needs more trials, or not to stop so many (stop_hopeless: false), or config is to "
            "ask for fewer (finalists: configurations, carry_over: configurations)."
        )
    settings = configurations[spec["rank"] - 1]["settings"]
    return Settings.of({**settings, "seed": spec["seed"], "train_on": spec.get("train_on", "holdout")})


def read(folder: Path) -> tuple[Settings, str, Network]:
    """(settings, data set, trained network) of a run's folder. UserError where its files do not fit each other."""
    values = io.read_json(folder / "config.json")
    tensors, _ = io.read_tensors(folder / "final.safetensors")
    settings = Settings.of(values)
    weights = [value for name, value in tensors.items() if name.endswith("weight")]
    sizes = [weights[0].shape[0], *settings.layers, weights[-1].shape[1]] if weights else []
    network = Network(sizes, settings.activation)
    mine = network.named()
    if {name: value.shape for name, value in mine.items()} != {name: value.shape for name, value in tensors.items()}:
        raise UserError(f"{folder}: config.json and final.safetensors are not of the same training.")
    for name, value in tensors.items():
        mine[name][...] = value
    return settings, values["dataset"], network


def probabilities(network: Network, images: np.ndarray) -> np.ndarray:
    """Class probabilities [N, classes] of images [N, ...]."""
    labels = np.zeros(len(images), int)  # not looked at
    return Evaluator(network, "cross_entropy", Images(images, labels, network.sizes[-1])).probabilities()
