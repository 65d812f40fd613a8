"""Synthetic tables of a study of sweeps: shaped like Fashion-MNIST's, with effects that a reader of a figure knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas

from winnow.confusion import per_class
from winnow.schemas import SETTINGS
from winnow.tables.conclusions import conclusion_rows
from winnow.trial_statistics import importance_rows, value_rows

SPACE: dict[str, list[Any]] = {
    "epochs": [5, 10],
    "num_layers": [3, 4, 5],
    "hidden_size": [32, 64, 128],
    "weight_decay": [0, 0.0005, 0.5],
    "learning_rate": [0.001, 0.0001],
    "optimizer": ["sgd", "momentum", "nag", "rmsprop", "adam", "nadam"],
    "batch_size": [16, 32, 64],
    "weight_init": ["random", "xavier"],
    "activation": ["sigmoid", "tanh", "relu"],
}
FIXED = {
    "loss": "cross_entropy",
    "inputs": "unit",
    "train_on": "holdout",
    "momentum": 0.9,
    "beta": 0.9,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "layers": None,
}
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"
)  # fmt: skip
REACHED = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def settings(random: np.random.Generator, wider: bool = False) -> dict[str, Any]:
    """One point of the seed's space, or of one with a continuous rate and many sizes."""
    point = {name: choices[random.integers(len(choices))] for name, choices in SPACE.items()}
    if wider:
        rate, size = 10 ** random.uniform(-4, -2), int(2 ** random.uniform(5, 9))
        point |= {"learning_rate": float(f"{rate:.4g}"), "hidden_size": size}
    return point | FIXED


def accuracy(point: dict[str, Any], random: np.random.Generator) -> float:
    """Of the validation images; at chance with too much decay, or where a deep sigmoid network does not start."""
    slow = point["optimizer"] in ("sgd", "momentum", "nag")
    sigmoid = point["activation"] == "sigmoid"
    if point["weight_decay"] == 0.5 or (sigmoid and slow and random.random() < 0.8):
        return float(random.normal(0.1, 0.004))
    error = 0.112 + 0.02 * (point["epochs"] == 5) + 0.015 * (point["hidden_size"] == 32)
    error += 0.06 * slow + 0.1 * (slow and point["learning_rate"] < 5e-4) + 0.02 * (point["weight_init"] == "random")
    error += 0.012 * (point["activation"] != "relu") + 0.01 * (point["learning_rate"] < 5e-4)
    return float(1 - error * np.exp(abs(random.normal(0, 0.15))))


class Sweeps:
    """Rows of the tables; the arms of the study are its sweeps, all after the first of a wider space."""

    arms: Sequence[str]
    seeds: Sequence[int]
    diverged: Sequence[int]
    trials_each: int = 30
    pairs: int = 4
    side: int = 4

    def _trials(self) -> list[dict[str, Any]]:
        rows = []
        for k, sweep in enumerate(self.arms):
            random = np.random.default_rng(k)
            now = 0.0
            for trial in range(self.trials_each if k == 0 else max(4, self.trials_each // 8)):
                point = settings(random, wider=k > 0)
                reached = accuracy(point, random)
                every = 1 if len(self.diverged) > 1 and len(self.seeds) == 1 else 11  # every one in the worst study
                dead, pruned = (
                    bool(self.diverged) and trial % every == every // 3,
                    bool(self.diverged) and reached < 0.2,
                )
                seconds = 8.0 * point["epochs"] * (64 / point["batch_size"]) ** 0.5 * random.uniform(0.8, 1.2)
                result = {
                    "train_loss": 2.3 * (1 - reached),
                    "train_accuracy": reached + 0.01,
                    "validation_loss": 2.4 * (1 - reached),
                    "validation_accuracy": reached,
                }
                rows.append(
                    {
                        "sweep": sweep,
                        "trial": trial,
                        "name": f"run_hl-{point['num_layers']}_bs-{point['batch_size']}"
                        f"_act-{point['activation']}_opt-{point['optimizer']}",
                        "state": "diverged" if dead else "pruned" if pruned else "complete",
                        **point,
                        **(dict.fromkeys(result) if dead else result),
                        "seconds": seconds,
                        "started": now,
                        "finished": now + seconds,
                        "worker": trial % 2,
                    }
                )
                now += seconds / 2
        return rows

    def trials(self) -> Iterable[dict[str, Any]]:
        return self._trials()

    def _by_sweep(self) -> Iterable[tuple[Any, pandas.DataFrame]]:
        return pandas.DataFrame(self._trials()).groupby("sweep", sort=False)

    def trial_epochs(self) -> Iterable[dict[str, Any]]:
        for row in self._trials():
            for epoch in range(1, row["epochs"] + 1):
                yield {"epoch": epoch, **{name: row[name] for name in ("sweep", "trial", *REACHED)}}

    def importance(self) -> Iterable[dict[str, object]]:
        return [{"sweep": sweep, **row} for sweep, mine in self._by_sweep() for row in importance_rows(mine)]

    def values(self) -> Iterable[dict[str, object]]:
        return [{"sweep": sweep, **row} for sweep, mine in self._by_sweep() for row in value_rows(mine)]

    def conclusions(self) -> Iterable[dict[str, object]]:
        return [{"sweep": sweep, **row} for sweep, mine in self._by_sweep() for row in conclusion_rows(mine)]

    def finalists(self) -> Iterable[dict[str, Any]]:
        for sweep, mine in self._by_sweep():
            alive = mine[mine["state"] == "complete"].sort_values("validation_accuracy", ascending=False)
            best = alive.head(3).to_dict("records")
            for rank, row in enumerate(reversed(best), start=1):  # fresh seeds turn the order round
                mean = best[rank - 1]["validation_accuracy"] - 0.004
                told = {"rank": rank, "trial_rank": 4 - rank, "trial_accuracy": row["validation_accuracy"], "seeds": 3}
                told |= {"mean": mean, "sd": 0.002, "lowest": mean - 0.002, "highest": mean + 0.002}
                yield {"sweep": sweep, **{name: row[name] for name in ("trial", "name", *SETTINGS)}, **told}

    def best_runs(self) -> Iterable[dict[str, Any]]:
        for row in self._trials():
            if row["trial"] == 0:
                for seed in self.seeds:
                    columns = {name: row[name] for name in (*SETTINGS, *REACHED)}
                    yield {"sweep": row["sweep"], "seed": seed, **columns, "test_loss": 0.34, "test_accuracy": 0.885}

    def _matrices(self) -> Iterable[tuple[str, int, np.ndarray]]:
        alike = [(0, 6, 0.12), (2, 4, 0.1), (2, 6, 0.08), (4, 6, 0.07), (5, 7, 0.03), (7, 9, 0.04), (3, 0, 0.03)]
        for sweep in self.arms:
            for seed in self.seeds:
                random = np.random.default_rng(seed)
                shares = np.full((10, 10), 0.0015)
                for a, b, share in alike:
                    shares[a, b] = shares[b, a] = share
                np.fill_diagonal(shares, 0)
                np.fill_diagonal(shares, 1 - shares.sum(axis=1))
                yield sweep, seed, np.array([random.multinomial(1000, row) for row in shares])

    def confusion(self) -> Iterable[dict[str, Any]]:
        for sweep, seed, matrix in self._matrices():
            for (i, j), count in np.ndenumerate(matrix):
                ends = {"true": CLASSES[i], "predicted": CLASSES[j]}
                yield {"sweep": sweep, "seed": seed, **ends, "count": int(count)}

    def per_class(self) -> Iterable[dict[str, Any]]:
        for sweep, seed, matrix in self._matrices():
            for name, score in zip(CLASSES, per_class(matrix), strict=True):
                yield {"sweep": sweep, "class": name, "seed": seed, **vars(score)}

    def losses(self) -> Iterable[dict[str, Any]]:
        random = np.random.default_rng(1)
        for pair in range(self.pairs):
            point = settings(random)
            level = accuracy(point, random)
            for loss, lift, scale in (("cross_entropy", 0.0, 2.3), ("mean_squared_error", -0.02, 0.9)):
                dead = bool(self.diverged) and pair == 1 and loss == "mean_squared_error"
                reached = max(0.1, level + lift + random.normal(0, 0.01)) if level > 0.2 else 0.1
                result = {
                    "train_loss": scale * (1 - reached),
                    "train_accuracy": reached + 0.01,
                    "validation_loss": scale * (1.02 - reached),
                    "validation_accuracy": reached,
                    "test_accuracy": reached - 0.003,
                }
                result = dict.fromkeys(result) if dead else result
                yield {"pair": pair, **point, "loss": loss, **result, "diverged_step": 70 if dead else None}

    def carry_over(self) -> Iterable[dict[str, Any]]:
        random = np.random.default_rng(2)
        for rank in range(1, 4):
            point = settings(random)
            for seed in self.seeds:
                reached = 0.981 - 0.001 * rank + random.normal(0, 0.0008)
                yield {
                    "dataset": "mnist",
                    "rank": rank,
                    "seed": seed,
                    **point,
                    "validation_accuracy": reached,
                    "test_accuracy": None if self.diverged and rank == 2 and seed == 0 else reached - 0.001,
                    "source_validation_accuracy": 0.893 - 0.0005 * rank,
                }

    def probabilities(self) -> Iterable[dict[str, Any]]:
        shares = np.array([0.05, 0.001, 0.21, 0.004, 0.31, 1e-5, 0.42, 1e-6, 0.005, 1e-6])
        for k, sweep in enumerate(self.arms):
            for seed in self.seeds:
                drawn = shares ** (1 + 0.2 * np.sin(seed + k))
                drawn = drawn / drawn.sum()
                for name, share in zip(CLASSES, drawn, strict=True):
                    row = {"image": 60_012, "true": "Coat", "sweep": sweep, "seed": seed, "class": name}
                    yield {**row, "probability": float(share), "predicted": bool(share == drawn.max())}

    def samples(self) -> Iterable[dict[str, Any]]:
        at = np.linspace(-1, 1, self.side)
        for number, image in [*enumerate(range(1, 11)), (4, 60_012)]:
            values = np.clip(1.2 - np.hypot(at[:, None] * (1 + number / 10), at[None] * 1.4), 0, 1)
            for (row, column), value in np.ndenumerate(values):
                place = {"image": image, "row": row, "column": column}
                yield {"class": number, "name": CLASSES[number], **place, "value": round(float(value), 4)}
