"""What a tracker is told, whichever it is: the trainings under a results root as runs with settings, curves, pictures.

A lane of a training job is a run of its own, and so is a trial of a sweep or of a tuning; the figures of a study are
one. Curves are columns of `metrics.csv` as they stand there, `train_loss` by the name `loss/train`; empty cells are not
told. All of it is read from finished runs: those that have a `run.json`.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winnow import io
from winnow.numpy_options import run_name
from winnow.report.captions import caption
from winnow.schemas import SETTINGS
from winnow.scratch.settings import Settings
from winnow.trackers.places import Place

if TYPE_CHECKING:
    import pandas

MEASURED = ("loss", "accuracy")


@dataclass(frozen=True)
class Tracked:
    """One run. `name`: a path that no other run has; `title`: what lists show; `group`: what its lanes or trials share.

    config: nested settings. points: in order, each with the value of `step` ('iteration' or 'epoch'). images: caption
    and file by name. confusion: (true class, predicted class, count). source: the file or folder that all this is from.
    root: the name of its results root; '' for a run by itself, which is named by host and path.
    """

    name: str
    title: str
    group: str
    tags: dict[str, str]
    source: Path
    config: dict[str, Any] = field(default_factory=dict)
    step: str = "iteration"
    points: list[dict[str, float]] = field(default_factory=list)
    images: dict[str, tuple[str, Path]] = field(default_factory=dict)
    confusion: list[tuple[str, str, int]] = field(default_factory=list)
    root: str = ""

    @property
    def id(self) -> str:
        """The same for the same run of the same results root: what an export again replaces."""
        root = self.root or f"{platform.node()}:{self.source.resolve()}"
        return hashlib.sha256(f"{root}|{self.name}".encode()).hexdigest()[:16]

    @property
    def digest(self) -> str:
        """Of all that is told."""
        told = {**asdict(self), "source": None, "images": {}}
        for name, (text, path) in self.images.items():
            told["images"][name] = [text, hashlib.sha256(path.read_bytes()).hexdigest()]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def time(self) -> float:
        """When its results were written, in seconds since 1970."""
        return self.source.stat().st_mtime


def told(place: Place) -> Iterator[Tracked]:
    """The runs that the file of a place holds. UserError: a file that belongs to it is missing or broken."""
    return {"metrics.csv": lanes, "trials.csv": trials, "figures": figures}[place.path.name](place)


def lanes(place: Place) -> Iterator[Tracked]:
    """A run per lane of a training job."""
    folder = place.path.parent
    record = io.read_json(folder / "run.json")
    table = io.read_table(place.path, "metrics")
    common = _scratch(folder) if (folder / "config.json").is_file() else _settings(record)
    common["job"] = {key: x for key, x in record.items() if key != "lane_key" and _plain(x)}
    confusion: dict[int, list[tuple[str, str, int]]] = {}
    if (folder / "confusion.csv").is_file():
        for row in io.read_table(folder / "confusion.csv", "run_confusion").to_dict("records"):
            confusion.setdefault(row["seed"], []).append((row["true"], row["predicted"], int(row["count"])))
    for key, rows in table.groupby("seed", sort=False):
        seed = int(str(key))
        tags = {**place.tags, "seed": str(seed)}
        stopped = rows["diverged_step"].dropna()
        config = {**_typed(tags), **common, **({"diverged_step": int(stopped.iloc[0])} if len(stopped) else {})}
        rows = rows.drop(columns=["seed", "diverged_step"]).sort_values("iteration", kind="stable")
        rows["lr"] = rows["lr"].astype(float)  # tables have it as text
        parts = place.parts if place.parts[-1:] == (f"seed{seed}",) else (*place.parts, f"seed{seed}")
        yield Tracked(
            "/".join((place.study, *parts)), "/".join(parts), "/".join((place.study, *parts[:-1])), tags, place.path,
            config, points=_points(rows), confusion=confusion.get(seed, []), root=place.root,
        )  # fmt: skip


def by_hand(folder: Path) -> Tracked:
    """The one run of a folder that train_numpy.py wrote."""
    values = io.read_json(folder / "config.json")
    name = run_name(Settings.of(values))
    (run,) = lanes(Place(values["dataset"], (name,), {"dataset": values["dataset"]}, folder / "metrics.csv"))
    return Tracked(**{**vars(run), "title": name, "group": values["dataset"]})


def trials(place: Place) -> Iterator[Tracked]:
    """A run per trial: of a sweep with its epochs, named as in the seed study; of a tuning with what it ended with."""
    epochs = place.path.with_name("epochs.csv")
    sweep = "sweep" in place.tags
    table = io.read_table(place.path, "trials" if sweep else "tuning_trials")
    courses = dict(iter(io.read_table(epochs, "trial_epochs").groupby("trial"))) if sweep else {}
    group = "/".join((place.study, *place.parts))
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        number = int(row["trial"])
        kind = row["state"] if sweep else row["stage"]
        tags = {**place.tags, "state" if sweep else "stage": kind}
        config = {**tags, "trial": number, "job": {"seconds": row["seconds"]}}
        if sweep:
            label, course = row["name"], courses[number].drop(columns=["sweep", "trial"])
            config["training"] = {option: row[option] for option in SETTINGS if row[option] is not None}
        else:
            label, course = kind, table[table["trial"] == number].filter(["validation_loss", "validation_accuracy"])
            course = course.assign(epoch=row["epochs"])
            tuned = json.loads(row["settings"])
            config["training"] = {"epochs": row["epochs"], "lr": float(row["lr"]), **tuned}
        title = label if sweep else "/".join((*place.parts, f"trial{number}"))
        name = f"{group}/trial{number:04}_{label}"
        points = _points(course)
        yield Tracked(name, title, group, tags, place.path, config, step="epoch", points=points, root=place.root)


def figures(place: Place) -> Iterator[Tracked]:
    """One run that has all figures of a study."""
    images = {path.stem: (caption("figures", path.stem), path) for path in sorted(place.path.glob("*.png"))}
    name = f"{place.study}/figures"
    yield Tracked(name, name, place.study, place.tags, place.path, {**place.tags}, images=images, root=place.root)


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    """A nested config as {"training.lr": value}; lists as JSON text, without what is None."""
    found: dict[str, bool | int | float | str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            found[f"{prefix}{key}"] = value if isinstance(value, bool | int | float | str) else json.dumps(value)
    return found


def _scratch(folder: Path) -> dict[str, Any]:
    values = io.read_json(folder / "config.json")
    return {"training": {key: value for key, value in values.items() if key != "seed"}}


def _settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a training job was told, with the learning rate that it took; `pruning` is what a round's spec adds."""
    spec = record["spec"]
    training = {**spec.get("training", spec), "lr": float(record["lr"])}
    training.pop("seeds", None)
    rest = {key: value for key, value in spec.items() if key != "training"} if "training" in spec else {}
    return {"training": training, **({"pruning": rest} if rest else {})}


def _points(rows: pandas.DataFrame) -> list[dict[str, float]]:
    return [
        {_named(str(column)): value for column, value in row.items() if value == value}  # NaN: an empty cell
        for row in rows.to_dict("records")
    ]


def _named(column: str) -> str:
    """`validation_loss` -> `loss/validation`, so that curves that belong together stand together."""
    part, _, measured = column.rpartition("_")
    return f"{measured}/{part}" if measured in MEASURED else column


def _typed(tags: Mapping[str, str]) -> dict[str, Any]:
    return {key: int(value) if key in ("seed", "round") else value for key, value in tags.items()}


def _plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str)
