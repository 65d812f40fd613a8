"""What a study compares, in words: its arms, recipes and scenarios, from the specs of its runs and from docstrings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from winnow import io
from winnow.report import ran, recipes, words
from winnow.report.captions import sentence
from winnow.schemas import SETTINGS

Runs = list[tuple[Path, dict[str, Any]]]
SHARED = {
    "model": "network", "dataset": "data set", "length": "length", "batch_size": "batch size",
    "batch_schedule": "schedule of the batch size", "schedule": "schedule of the rate", "precision": "precision",
    "inputs": "pixel values", "augmentation": "augmentation", "label_smoothing": "label smoothing", "l2": "L2 penalty",
    "clip": "gradients clipped at norm",
}  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """`arms`: the training spec of each; `shared`: what all of them have in common; (name, text) pairs of the rest."""

    arms: dict[str, dict[str, Any]] = field(default_factory=dict)
    shared: str = ""
    told: list[tuple[str, str]] = field(default_factory=list)
    recipes: list[tuple[str, str]] = field(default_factory=list)
    scenarios: list[tuple[str, str]] = field(default_factory=list)
    sweeps: list[tuple[str, str]] = field(default_factory=list)

    @property
    def lists(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What the page shows of it, by title."""
        named = {"Arms": self.told, "Recipes": self.recipes, "Scenarios": self.scenarios, "Sweeps": self.sweeps}
        return [(title, pairs) for title, pairs in named.items() if pairs]

    def name(self, arm: str) -> str:
        """The arm, with its optimiser unless it has its name: 'eg', 'lenet_300_100 (adam)'."""
        optimizer = self.arms.get(arm, {}).get("optimizer", {}).get("name", arm)
        return arm if optimizer == arm else f"{arm} ({optimizer})"

    def meanings(self, arms: list[str]) -> list[str]:
        """The optimisers of these arms in words, if they are known."""
        names = dict.fromkeys(self.arms[arm]["optimizer"]["name"] for arm in arms if arm in self.arms)
        return [f"Optimiser {name}: {sentence('optimizers', name)}" for name in names]

    def other(self, a: str, b: str) -> list[str]:
        """What two arms differ in beside their optimiser and what belongs to it."""
        one, two = self.arms.get(a, {}), self.arms.get(b, {})
        told = ("model", "dataset", "length", "batch_size", "precision", "inputs")
        return [SHARED[key] for key in told if one.get(key) != two.get(key)] if one and two else []


NOTHING = Compared()


def collect(folder: Path, runs: Runs, tables: dict[str, pandas.DataFrame]) -> Compared:
    """Of the runs and joint tables of a study's folder; in the order of the tables."""

    def order(table: str, column: str) -> list[str]:
        return list(dict.fromkeys(tables[table][column])) if table in tables else []

    specs = ran.trainings(folder, runs)
    arms = {arm: specs[arm] for arm in order("summary", "arm") + order("outcomes", "arm") if arm in specs}
    shared = [key for key in SHARED if len({repr(spec.get(key)) for spec in arms.values()}) == 1]
    pruned, scenarios = recipes.told(folder, runs), _scenarios(folder, runs, order("tuning", "scenario"))
    text = _options(next(iter(arms.values()), {}), shared)
    return Compared(
        arms, f"All arms: {text}." if text else _dataset(folder),
        [(arm, _arm(spec, shared)) for arm, spec in arms.items()],
        [(name, pruned[name]) for name in order("summary", "recipe") if name in pruned],
        [(name, scenarios[name]) for name in order("outcomes", "scenario") if name in scenarios],
        spaces(tables["trials"]) if "trials" in tables else [],
    )  # fmt: skip


def _dataset(folder: Path) -> str:
    """What a network from scratch was trained on: its specs hold it beside its settings."""
    names = {io.read_json(path).get("dataset") for path in sorted(folder.glob("runs/**/config.json"))} - {None}
    return f"Data set {words.listing(sorted(names))}." if names else ""


def spaces(trials: pandas.DataFrame) -> list[tuple[str, str]]:
    """What each sweep varied, as its trials have it."""
    found = []
    for sweep, mine in trials.groupby("sweep", sort=False):
        parts = [f"{name.replace('_', ' ')} {_range(mine[name])}" for name in SETTINGS if mine[name].nunique() > 1]
        found.append((str(sweep), f"{words.count(len(mine), 'trial')} over {'; '.join(parts)}."))
    return found


def _range(values: pandas.Series[Any]) -> str:
    distinct = sorted(values.dropna().unique())
    texts = [f"{value:g}" if isinstance(value, (int, float, np.number)) else str(value) for value in distinct]
    return f"{texts[0]} to {texts[-1]}" if len(texts) > 8 else words.listing(texts)


def _arm(spec: dict[str, Any], shared: list[str]) -> str:
    own = _options(spec, [key for key in SHARED if key not in shared])
    text = f"optimiser {words.options(spec['optimizer'])}, rate {spec.get('lr')}" + (f", {own}" if own else "")
    return f"{text}. {sentence('optimizers', spec['optimizer']['name'])}"


def _options(spec: dict[str, Any], keys: list[str]) -> str:
    """'network rnn (hidden 256), length 20 epochs', without what is not there."""
    nothing = (None, "", 0, {"name": "none"}, {"name": "constant"})
    parts = [(key, spec.get(key)) for key in keys if spec.get(key) not in nothing or key == "schedule"]
    return ", ".join(
        f"{SHARED[key]} {words.length(value) if key == 'length' else words.options(value)}"
        for key, value in parts
        if value is not None
    )


def _scenarios(folder: Path, runs: Runs, tuned: list[str]) -> dict[str, str]:
    """Each as what differs from the first one that was tuned, in an arm that has both."""
    specs: dict[str, dict[str, dict[str, Any]]] = {}
    for path, run in runs:
        parts, spec = path.relative_to(folder).parts, run.get("spec") or {}
        if len(parts) == 5 and parts[2] == "final" and "training" in spec:
            specs.setdefault(parts[1], {})[parts[0]] = spec
    base = next((name for name in [*tuned, *specs] if name in specs), "")
    found = {}
    for name, mine in specs.items():
        pairs = [(spec, specs[base][arm]) for arm, spec in mine.items() if arm in specs[base]]
        text = _scenario(pairs) if name != base else "Every arm by itself, with nothing added."
        own = "Tuned for it." if name in tuned else "With settings tuned in another scenario."
        found[name] = f"{text} {own}".strip()
    return found


def _scenario(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    """What the first of a pair of specs has that the second has not."""
    said: list[str] = []
    for mine, base in pairs:
        one, two = mine["training"], base["training"]
        text = _options(one, [key for key in SHARED if one.get(key) != two.get(key)])
        said += [f"{text[:1].upper()}{text[1:]}."] if text else []
        if (augmentation := one.get("augmentation")) != two.get("augmentation") and augmentation:
            said.append(sentence("augmentations", augmentation["name"]))
        if sparsify := mine.get("sparsify"):
            said.append(f"At most {words.density(sparsify['density'])} of the prunable weights are not zero.")
            said.append(sentence("sparsifiers", sparsify["name"]))
        said += [f"With {name.replace('_', ' ')}." for name in one["optimizer"] if name not in two["optimizer"]]
    return " ".join(dict.fromkeys(said))
