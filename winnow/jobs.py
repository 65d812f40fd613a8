"""What a job of the workflow is: what it reads and makes, from which spec and sources, under which key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winnow import atomic, provenance
from winnow.fields import BEST

DATA_FILES = ("train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy", "dataset.json")
STATES = ("init.safetensors", "rewind.safetensors", "final.safetensors")
DENSE_FILES = ("metrics.csv", *STATES, "run.json")
TICKET_FILES = ("mask.safetensors", "final.safetensors", "metrics.csv")
PREVIOUS_FILES = ("mask.safetensors", "final.safetensors", "run.json")  # what the next round reads
ROUND_FILES = (*TICKET_FILES, "run.json")
GRAPH_FILES, WEIGHT_FILES = ("graph.csv", "nodes.csv"), ("weights.csv", "histograms.csv")
SWEEP_FILES = ("trials.csv", "epochs.csv", "best.json")
SCRATCH_FILES = ("metrics.csv", "final.safetensors", "config.json", "confusion.csv", "run.json")
TUNING_FILES, FINAL_FILES = (
    ("trials.csv", "best.json"),
    ("metrics.csv", "steps.csv", "mask.safetensors", "final.safetensors", "run.json"),
)
CLASSIFY_FILES = ("probabilities.csv", "samples.csv")
WILDCARDS: dict[str, tuple[str, ...]] = {
    "download": ("dataset",),
    "fuse": ("study", "arm"),
    "dense": ("study", "arm", "train_on", "rate", "seeds"),
    "measure_dense": ("study", "arm", "train_on", "rate", "seeds"),
    "select": ("study", "arm"),
    "prune": ("study", "arm", "recipe", "seeds", "round"),
    "prune_in_run": ("study", "arm", "recipe", "seeds", "round"),
    "export_edges": ("study", "arm", "recipe", "seeds", "round"),
    "instability": ("study", "arm", "recipe", "seeds", "round"),
    "export_rounds": ("study", "arm", "recipe", "seeds", "seed"),
    "measure": ("study", "arm", "recipe", "seeds", "round"),
    "sweep": ("study", "sweep", "worker"),
    "trials": ("study", "sweep"),
    "train_from_scratch": ("study", "group", "run"),
    "finalists": ("study", "sweep"),
    "classify": ("study",),
    "tune": ("study", "arm", "scenario"),
    "train_scenario": ("study", "arm", "scenario", "seeds"),
    "table": ("study", "table"),
    "figure": ("study", "figure", "format"),
    "report": (),
}
AFTER = "after"  # the name of inputs that are waited for and not read
LONGEST_ARGUMENT = 60_000  # Linux takes 128 KiB, and the whole shell command is one argument of bash
Plugins = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Job:
    """One job: `inputs` by name, its own `outputs`; `ledger` is where its program records success.

    Inputs called AFTER are not read: the job waits for them, and does not depend on what they hold.
    """

    rule: str
    wildcards: dict[str, str]
    inputs: dict[str, list[str]]
    outputs: list[str]
    spec: dict[str, Any]
    sources: dict[str, str]
    parents: tuple[str, ...]
    key: str
    ledger: str

    @property
    def current(self) -> bool:
        """Whether the ledger says that the outputs were made under this key (download has no ledger)."""
        return self.rule == "download" or provenance.is_current(self.ledger, self.key)

    def arguments(self) -> list[str]:
        """What a program is told about its job; a spec too long for a command line goes through a file."""
        spec = provenance.canonical(self.spec)
        if len(spec) > LONGEST_ARGUMENT:
            file = Path(self.ledger).parents[len(self.wildcards)] / "specs" / f"{self.key}.json"
            atomic.write(file, spec.encode())
            spec = f"@{file}"
        sources = provenance.canonical(self.sources)
        return ["--spec", spec, "--key", self.key, "--sources", sources, "--ledger", self.ledger]

    @property
    def all_inputs(self) -> list[str]:
        """Every file that it reads."""
        return [path for name, paths in self.inputs.items() if name != AFTER for path in paths]

    def __str__(self) -> str:
        return " ".join([self.rule, *self.wildcards.values()])


def seeds_name(seeds: list[int]) -> str:
    """`seeds0`, `seeds0-2` where contiguous, else `seeds0,3`."""
    if len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds{seeds[0]}-{seeds[-1]}"
    return "seeds" + ",".join(map(str, seeds))


def rate_name(rate: str) -> str:
    """`lr0.022`, or `best`."""
    return rate if rate == BEST else f"lr{rate}"
