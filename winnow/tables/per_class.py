"""How well each class is recognised: precision, recall and F1 on the test images, per retrained best run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from winnow.confusion import per_class
from winnow.tables._runs import Run

GROUPS = ("best",)
FILES = ("confusion.csv",)


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Per run, seed and class, in the order of the confusion table."""
    for run in runs:
        table = run.read("confusion.csv", "run_confusion").astype({"true": str, "predicted": str})
        for seed, mine in table.groupby("seed"):
            classes = list(dict.fromkeys(mine["true"]))
            counts = mine.pivot(index="true", columns="predicted", values="count")
            matrix = counts.reindex(index=classes, columns=classes).fillna(0).to_numpy(dtype=int)
            for name, found in zip(classes, per_class(matrix), strict=True):
                yield {
                    "sweep": run.arm,
                    "class": name,
                    "seed": int(str(seed)),
                    "precision": found.precision,
                    "recall": found.recall,
                    "f1": found.f1,
                    "images": found.images,
                }
