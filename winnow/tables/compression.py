"""What pruning saves: compression and theoretical speed-up, beside the measured speed of masked dense training.

The two ratios of Blalock et al. (2020, arXiv 2003.03033): compression = parameters of the unpruned network / parameters
left; theoretical speed-up = its multiply-adds / multiply-adds left. Both are counted from each lane's own mask over the
whole network: parameters are all weights and biases, prunable or not; multiply-adds are those of one image's forward
pass, each kept weight times its uses (`multiply_adds` of the model), without biases, activations and pooling.

The measured speed-up is the training job's images per second over those of the dense run of the same seeds. Training
masks dense matrices, so it is about 1 at any density: it says what this program gains from pruning, not what sparse
kernels could. Evaluations, start-up and whatever else the machine did are in it: of jobs of seconds, or beside other
work, it is noise. It is empty where the two ran on different machines, or beside
other lanes (a fused sweep). An in-run recipe has neither it nor images per
second: its one speed is that of several densities.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow import io
from winnow.tables._runs import Run

GROUPS = ("dense", "rounds", "in_run")
FILES = ("metrics.csv", "mask.safetensors", "run.json")
ALIKE = ("device", "accelerator", "cpu", "matmul", "lanes")  # keys of run.json


def rows(runs: list[Run], spec: dict[str, Any]) -> Iterator[dict[str, object]]:
    """One row per lane and ticket, and one per lane of a dense run; without lanes that diverged."""
    records = [io.read_json(Path(run.folder, "run.json")) for run in runs]
    dense = {_job(run): record for run, record in zip(runs, records, strict=True) if run.group == "dense"}
    for run, record in zip(runs, records, strict=True):
        one_density = run.group != "in_run"
        sizes, uses = record["parameters"], record["multiply_adds"]
        parameters, multiply_adds = sum(sizes.values()), sum(uses[name] * sizes[name] for name in uses)
        masks = {} if run.group == "dense" else run.masks()
        for seed, ticket in run.tickets().items():
            gone = {name: mask.size - int(mask.sum()) for name, mask in masks.get(seed, {}).items()}
            parameters_left = parameters - sum(gone.values())
            multiply_adds_left = multiply_adds - sum(uses.get(name, 0) * number for name, number in gone.items())
            yield {
                **ticket,
                "parameters": parameters_left,
                "compression": parameters / parameters_left,
                "multiply_adds": multiply_adds_left,
                "theoretical_speedup": multiply_adds / multiply_adds_left if multiply_adds_left else None,
                "images_per_second": record["images_per_second"] if one_density else None,
                "measured_speedup": _speedup(record, dense.get(_job(run))) if one_density else None,
            }


def _job(run: Run) -> tuple[str, tuple[int, ...]]:
    return run.arm, tuple(run.seeds)


def _speedup(record: dict[str, Any], dense: dict[str, Any] | None) -> float | None:
    if dense is None or any(record.get(key) != dense.get(key) for key in ALIKE):
        return None
    return float(record["images_per_second"] / dense["images_per_second"])
