"""Synthetic run folders (tiny, hand-checkable) and synthetic tables of a study (shaped like real ones, for figures)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from synthetic_finals import Finals
from synthetic_trials import Sweeps

from winnow import io
from winnow.distributions import BINS, Sample, histograms
from winnow.measures import fits
from winnow.schemas import SCHEMAS
from winnow.tables._runs import Run
from winnow.tables.summary import summarise

EPOCH = {name: None for name in SCHEMAS["metrics"]}


def metrics(seed: int, accuracies: Sequence[float], start: int = 1, **columns: Any) -> list[dict[str, Any]]:
    """Metrics rows of one lane, one per epoch; a column given as a list has one value per row."""
    rows = []
    for i, accuracy in enumerate(accuracies):
        row = {
            **EPOCH,
            "seed": seed,
            "epoch": start + i,
            "iteration": 10 * (start + i),
            "lr": 0.1,
            "density": 1.0,
            "train_loss": 1.0 - accuracy,
            "train_accuracy": accuracy,
            "test_loss": 1.1 - accuracy,
            "test_accuracy": accuracy,
            "clipped_share": 0.5,
        }
        rows.append(row | {k: v[i] if isinstance(v, list) else v for k, v in columns.items()})
    return rows


def run(
    root: Path,
    rows: Iterable[Mapping[str, object]],
    *,
    group: str = "rounds",
    arm: str = "gd",
    recipe: str = "main",
    number: int = 1,
    rate: str = "lr0.1",
    masks: Mapping[str, np.ndarray] | None = None,
    tables: Mapping[str, list[dict[str, Any]]] | None = None,
    record: Mapping[str, Any] | None = None,
) -> Run:
    """Write a run folder where the workflow puts it and return its Run.

    tables: {schema: rows} beside the metrics; record: the contents of run.json.
    """
    rows = list(rows)
    seeds = sorted({int(str(row["seed"])) for row in rows})
    block = "seeds" + ",".join(map(str, seeds))
    train_on = "holdout" if group == "sweep" else "all"
    plain = group in ("sweep", "dense")
    recipe, number = ("dense", 0) if plain else (recipe, number)
    folder = root / arm / ("dense" if plain else recipe)
    folder = folder / train_on / rate / block if plain else folder / block / f"round{number}"
    io.write_table(folder / "metrics.csv", "metrics", rows)
    if masks is not None:
        io.write_tensors(folder / "mask.safetensors", masks, {"seeds": json.dumps(seeds)})
    if record is not None:
        io.write_json(folder / "run.json", record)
    for schema, more in (tables or {}).items():
        name = "edges.csv.gz" if schema == "edges" else schema.removeprefix("run_") + ".csv"
        io.write_table(folder / name, schema, more)
    return Run(group, arm, recipe, number, train_on, rate, seeds, str(folder))


def read_back(root: Path, name: str, rows: Iterable[Mapping[str, object]]) -> pandas.DataFrame:
    """Rows as a figure gets them: through the file."""
    io.write_table(root / f"{name}.csv", name, rows)
    return io.read_table(root / f"{name}.csv", name)


# ---------------------------------------------------------------- a whole study, shaped like Fashion-MNIST results

RATES = {"gd": ("0.008", "0.009", "0.01", "0.02", "0.022", "0.03", "0.04", "0.05", "0.06")}
OTHER_RATES = ("0.7", "0.75", "0.77", "0.8", "0.9", "1.0", "1.1", "1.2")
UNITS = 256


class Study(Sweeps):
    """Tables of a study by name; each method gives the rows of one table."""

    def __init__(
        self,
        arms: Sequence[str] = ("gd", "eg"),
        seeds: Sequence[int] = (0, 1, 2),
        rounds: int = 5,
        diverged: Sequence[int] = (),
        controls: bool = True,
        layers: int = 3,
        units: int = UNITS,
        weights_per_part: int = 20_000,
    ) -> None:
        self.arms, self.seeds, self.count, self.units = arms, seeds, rounds, units
        self.densities = [0.2 ** (r / rounds) for r in range(rounds + 1)] if rounds else [1.0]
        self.diverged, self.weights_per_part = diverged, weights_per_part
        self.controls = controls
        self.parts = [f"recurrent{i}" for i in range(layers)]
        self.inputs = [f"input{i}" for i in range(1, layers)]
        self.tensors = [f"rnn.weight_hh_l{i}" for i in range(layers)] + [
            f"rnn.weight_ih_l{i}" for i in range(1, layers)
        ]
        self.random = np.random.default_rng(5)
        self._rounds = self._make_rounds()
        scenarios = ("plain", "sparse60_iht", "density10") if rounds else ("plain",)
        lost = [*arms] if len(seeds) == 1 else [*arms][:1]
        self.finals = Finals(arms, scenarios, seeds, lost if diverged else (), arms[0])

    def tables(self, root: Path) -> dict[str, pandas.DataFrame]:
        """All tables, written and read back."""
        sources = {name: source for source in (self.finals, self) for name in SCHEMAS if hasattr(source, name)}
        return {name: read_back(root, name, getattr(source, name)()) for name, source in sources.items()}

    def stages(self) -> Iterable[dict[str, Any]]:
        """The leading columns of every trained density: dense, rounds, controls, in-run levels."""
        for arm in self.arms:
            stages = [("dense", 0, 1.0)]
            stages += [("magnitude_global_rewind", r, self.densities[r]) for r in range(1, self.count + 1)]
            if self.controls and self.count:
                stages += [(name, 1, self.densities[-1]) for name in ("random_mask", "magnitude_init")]
                stages += [("seed_procedure", r, d) for r, d in enumerate(self.densities[:-1])]
            for recipe, number, density in stages:
                base = {"arm": arm, "recipe": recipe, "round": number, "density": density}
                for seed in self.seeds:
                    yield {**base, "seed": seed}

    def tickets(self) -> Iterable[dict[str, Any]]:
        """The leading columns of every ticket: stages that pruned and did not diverge, of in-run recipes the last."""
        for row in self.stages():
            last = row["recipe"] != "seed_procedure" or row["round"] == self.count - 1
            if row["recipe"] != "dense" and last and not self.dead(row):
                yield row

    def dead(self, row: Mapping[str, Any]) -> bool:
        """The last seed diverges in the rounds named by `diverged`."""
        return row["seed"] == self.seeds[-1] and row["round"] in self.diverged

    def accuracy(self, row: Mapping[str, Any]) -> float:
        loss = {"random_mask": 0.02, "magnitude_init": 0.008, "seed_procedure": 0.006}.get(row["recipe"], 0.002)
        level = 0.8908 - 0.004 * self.arms.index(row["arm"])
        return float(level - loss * (-np.log(row["density"])) ** 1.5 + self.random.normal(0, 0.0015))

    def lr_sweep(self) -> Iterable[dict[str, Any]]:
        for arm in self.arms:
            rates = RATES.get(arm, OTHER_RATES)
            best = rates[len(rates) // 2]
            for i, lr in enumerate(rates):
                for seed in self.seeds:
                    dead = bool(self.diverged) and i >= len(rates) - 2
                    miss = 0.004 * np.log(float(lr) / float(best)) ** 2
                    accuracy = 0.89 - miss + self.random.normal(0, 0.001)
                    yield {
                        "arm": arm,
                        "lr": lr,
                        "seed": seed,
                        "selection_loss": None if dead else 0.31 + 2 * miss + self.random.normal(0, 0.002),
                        "validation_accuracy": None if dead else accuracy + 0.003,
                        "test_accuracy": None if dead else accuracy,
                        "test_accuracy_mean5": None if dead else accuracy - 0.001,
                        "diverged_step": 1200 if dead else None,
                        "selected": lr == best,
                    }

    def curves(self) -> Iterable[dict[str, Any]]:
        edges = [0, 5, 9, 12, 16, 20]
        for row in self.stages():
            end = self.accuracy(row)
            first, last = (1, 20) if row["recipe"] == "dense" else (2, 20)
            if row["recipe"] == "seed_procedure":
                first, last = edges[row["round"] % 5] + 1, edges[row["round"] % 5 + 1]
            for epoch in range(first, last + 1):
                accuracy = end - 0.14 * np.exp(-epoch / 4) + self.random.normal(0, 0.003)
                dead = self.dead(row) and epoch > 12
                yield {
                    **row,
                    "lr": "0.1",
                    "epoch": float(epoch),
                    "train_loss": None if dead else 0.2 + 0.5 * np.exp(-epoch / 4),
                    "train_accuracy": None if dead else accuracy + 0.002 * epoch,
                    "validation_loss": None,
                    "test_loss": None if dead else 0.3 + 0.4 * np.exp(-epoch / 4) + self.random.normal(0, 0.005),
                    "test_accuracy": None if dead else accuracy,
                }

    def rounds(self) -> list[dict[str, Any]]:
        return self._rounds

    def early_stop(self) -> Iterable[dict[str, Any]]:
        for row in self.stages():
            if row["recipe"] != "seed_procedure":
                dead = self.dead(row)
                accuracy = self.accuracy(row)
                slow = 2 if row["recipe"] == "random_mask" else 1
                stop = 4000 * slow + 500 * row["round"] + 100 * row["seed"]
                yield {
                    **row,
                    "lr": "0.0012",
                    "early_stop_iteration": None if dead else stop,
                    "early_stop_epoch": None if dead else stop / 917,
                    "validation_loss": None if dead else 0.3,
                    "validation_accuracy": None if dead else accuracy + 0.002,
                    "test_accuracy": None if dead else accuracy,
                    "last_iteration": None if dead else 20000,
                    "last_validation_accuracy": None if dead else accuracy,
                    "last_test_accuracy": None if dead else accuracy - 0.003,
                    "diverged_step": 800 if dead else None,
                }

    def instability(self) -> Iterable[dict[str, Any]]:
        for row in self.stages():
            if row["recipe"] in ("dense", "magnitude_global_rewind") and not self.dead(row):
                rise = 0.002 - 0.01 * np.log(row["density"]) * (1 + 0.1 * row["seed"])
                mine = row | {"recipe": "magnitude_global_rewind"}
                yield mine | {
                    "copy_a": 1, "copy_b": 2, "train_instability": rise / 2, "train_error": 0.05,
                    "test_instability": rise, "test_error": 0.11,
                }  # fmt: skip

    def _make_rounds(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for row in self.stages():
            dead = self.dead(row)
            accuracy = None if dead else self.accuracy(row)
            rows.append(
                {
                    **row,
                    "lr": "0.1",
                    "train_loss": 0.2,
                    "test_loss": 0.3,
                    "test_accuracy": accuracy,
                    "test_accuracy_mean5": accuracy,
                    "validation_accuracy": None,
                    "clipped_share": 0.9,
                    "diverged_step": 800 if dead else None,
                }
            )
        return rows

    def compression(self) -> Iterable[dict[str, Any]]:
        """As of Conv-2: criteria differ in what they take from the convolutions, whose weights are used most."""
        total, operations = 4_301_642, 54_000_000
        power = {"random_mask": 1.0, "magnitude_init": 0.7, "seed_procedure": 0.9}
        for row in self.stages():
            if self.dead(row) or (row["recipe"] == "seed_procedure" and row["round"] < self.count - 1):
                continue
            parameters = round(total * (0.01 + 0.99 * row["density"]))
            share = row["density"] ** (power.get(row["recipe"], 0.8) * (1 + 0.03 * row["seed"]))
            speed = float(1 + 0.03 * np.sin(7 * row["round"]))  # all seeds are lanes of one job
            measured = None if row["recipe"] == "seed_procedure" else speed
            yield row | {
                "parameters": parameters, "compression": total / parameters,
                "multiply_adds": round(share * operations), "theoretical_speedup": 1 / share,
                "images_per_second": measured and 20_000 * measured, "measured_speedup": measured,
            }  # fmt: skip

    def layers(self) -> Iterable[dict[str, Any]]:
        total = self.units**2
        for row in self.tickets():
            for i, tensor in enumerate(self.tensors):
                tilt = 0.12 * (i - 2) * (1 - row["density"]) * (1 + self.arms.index(row["arm"]))
                density = row["density"] * (1 + (0 if row["recipe"] == "random_mask" else tilt))
                kept = int(density * total)
                yield {**row, "tensor": tensor, "kept": kept, "total": total, "layer_density": kept / total}

    def nodes(self) -> Iterable[dict[str, Any]]:
        for row in self.tickets():
            for part in self.parts:
                width = 12 if self.arms.index(row["arm"]) else 6
                mean = row["density"] * self.units
                for node in range(self.units):
                    degrees = np.clip(self.random.normal(mean, width, 2), 0, self.units - 1).astype(int)
                    cluster = row["density"] * 1.8 + self.random.normal(0, 0.01, 2)
                    yield {
                        **row,
                        "part": part,
                        "node": node,
                        "in_degree": degrees[0],
                        "out_degree": degrees[1],
                        "degree": int(degrees.sum() * 0.9),
                        "in_strength": degrees[0] * 0.05,
                        "out_strength": degrees[1] * 0.05,
                        "clustering": min(1.0, cluster[0]),
                        "clustering_directed": min(1.0, cluster[1] * 0.7),
                    }

    def overlap(self) -> Iterable[dict[str, Any]]:
        tickets = list(self.tickets())
        for i, a in enumerate(tickets):
            for j, b in enumerate(tickets):
                differ = [k for k in ("arm", "recipe", "round", "seed") if a[k] != b[k]]
                kind = {"arm": "arms", "seed": "seeds", "round": "rounds"}.get(differ[0] if len(differ) == 1 else "")
                if differ and set(differ) <= {"recipe", "round"} and b["recipe"] == "magnitude_init":
                    kind = "initial" if a["density"] == b["density"] else None
                if kind is None or (kind != "initial" and i > j):
                    continue
                if kind == "rounds" and b["round"] != a["round"] + 1:
                    continue
                p, q = a["density"], b["density"]
                chance = q / p if kind == "rounds" else p * q / (p + q - p * q)
                lift = {"arms": 0.3, "seeds": 0.02, "rounds": 0.0, "initial": 0.4}[kind]
                ends = {f"{k}_{s}": t[k] for s, t in (("a", a), ("b", b)) for k in ("arm", "recipe", "round", "seed")}
                for part in (*self.tensors, "all"):
                    noise = 0.0 if kind == "rounds" else self.random.normal(0, 0.005)
                    jaccard = chance + lift * (min(p, q) / max(p, q) - chance) + noise
                    yield {"comparison": kind, "part": part, **ends, "jaccard": jaccard, "chance": chance}

    def graph(self) -> Iterable[dict[str, Any]]:
        for row in self.tickets():
            for part in (*self.parts, "whole"):
                p = row["density"] if part != "whole" else 0.45 * row["density"]
                chance = 1 - (1 - p) ** 2
                lift = 0.0 if row["recipe"] == "random_mask" else (1 + self.arms.index(row["arm"])) * 0.05 * (1 - p)
                noise = self.random.normal(0, 0.003)
                values = {"clustering": chance + lift + noise, "path_length": 2 - chance + lift / 3 + noise}
                gone = {"null_mean": None, "null_sd": None, "z": None, "draws": None}
                for name, value in values.items():
                    yield {**row, "part": part, "measure": name, "value": value, "null": "", **gone}
                for null in ("edges", "degrees", *(("layers",) if part == "whole" else ())):
                    share = 0.5 if null == "degrees" else 0.0
                    nulls = {"clustering": chance + share * lift, "path_length": 2 - chance + share * lift / 3}
                    sigma = values["clustering"] / nulls["clustering"]
                    sigma /= values["path_length"] / nulls["path_length"]
                    for name, value in (*values.items(), ("sigma", sigma)):
                        mean = nulls.get(name, 1.0)
                        drawn = {"null_mean": mean, "null_sd": 0.004, "z": (value - mean) / 0.004, "draws": 20}
                        yield {**row, "part": part, "measure": name, "value": value, "null": null, **drawn}

    def drawn_weights(self) -> Iterable[tuple[dict[str, Any], str, str, np.ndarray, float | None]]:
        """(leading columns, state, part, weights, cut): of normal draws, the second arm skewed."""
        for row in self.stages():
            if row["recipe"] not in ("dense", "magnitude_global_rewind") or self.dead(row):
                continue
            for state in ("init", "rewind", "final") if row["recipe"] == "dense" else ("selected", "final"):
                for part in (*self.parts, *self.inputs, "all"):
                    weights = self.random.normal(0, 1 / 16, self.weights_per_part)
                    if state != "init":
                        shape = self.random.normal(0, 0.6, weights.shape)
                        grown = weights * np.exp(shape) if self.arms.index(row["arm"]) else weights + 0.02 * shape
                        weights = grown if state in ("selected", "final") else 0.7 * weights + 0.3 * grown
                    cut: float | None = 0.0
                    if row["density"] < 1:
                        weights = np.sort(weights[np.argsort(-abs(weights))][: int(row["density"] * len(weights))])
                        cut = float(abs(weights).min())
                        if state == "final":
                            weights, cut = weights + self.random.normal(0, 0.01, weights.shape), None
                    yield row, state, part, weights, cut

    def histograms(self) -> Iterable[dict[str, Any]]:
        for row, state, part, weights, _ in self.drawn_weights():
            for quantity, counts in histograms(weights).items():
                edges = BINS[quantity].round(6)
                for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
                    where = {**row, "state": state, "part": part, "quantity": quantity}
                    yield {**where, "bin_left": left, "bin_right": right, "count": count}

    def weights(self) -> Iterable[dict[str, Any]]:
        for row, state, part, weights, cut in self.drawn_weights():
            values = {"weights": float(len(weights))}
            if part == "all" and row["seed"] == self.seeds[0]:
                values |= fits.measure(Sample(weights[:: max(1, len(weights) // 500)], cut))
            if state == "final":
                flips = 0.0 if self.arms.index(row["arm"]) else 0.11 * row["density"] ** 0.7
                values |= {"sign_flip_share": flips * (1 + 0.05 * self.random.normal())}
            for name, value in values.items():
                yield {**row, "state": state, "part": part, "measure": name, "value": value}

    def components(self) -> Iterable[dict[str, Any]]:
        for row in self.tickets():
            if row["round"] != self.count or row["seed"] != self.seeds[0] or "rewind" not in row["recipe"]:
                continue
            for part in self.parts:
                kept = np.argwhere(self.random.random((self.units, self.units)) < row["density"])
                for source, target in kept.tolist():
                    weight = float(np.float32(self.random.normal(0, 0.1)))
                    yield {**row, "part": part, "source": source, "target": target, "weight": weight}

    def summary(self) -> Iterable[dict[str, Any]]:
        return summarise(pandas.DataFrame(self._rounds), self.arms[0])
