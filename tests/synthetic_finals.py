"""Run folders of a study of optimisers, tiny and hand-checkable, and its tables, shaped like real ones for figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from winnow import io
from winnow.tables._runs import Run
from winnow.tables.outcomes import summarise
from winnow.tables.performance_profile import profiles

NETWORK = {"parameters": {"fc.weight": 6, "fc.bias": 2}, "multiply_adds": {"fc.weight": 2}}  # 12 per forward pass


def final(
    root: Path,
    metrics: Iterable[Mapping[str, Any]],
    *,
    arm: str = "sgd",
    scenario: str = "plain",
    tensors: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    steps: list[dict[str, Any]] | None = None,
    **record: Any,
) -> Run:
    """Write the folder of a final run and return its Run. tensors: {"mask" or "final": arrays}; record: of run.json."""
    rows = list(metrics)
    seeds = sorted({row["seed"] for row in rows})
    folder = root / arm / scenario / "final" / ("seeds" + ",".join(map(str, seeds)))
    io.write_table(folder / "metrics.csv", "metrics", rows)
    known = {
        "spec": {},
        "lr": "0.1",
        "seeds": seeds,
        "device": "cpu",
        "processor_seconds": 40.0,
        "update_multiply_adds": 0.0,
        **NETWORK,
    }
    io.write_json(folder / "run.json", known | record)
    for name, arrays in (tensors or {}).items():
        io.write_tensors(folder / f"{name}.safetensors", arrays, {"seeds": json.dumps(seeds)})
    if steps is not None:
        io.write_table(folder / "steps.csv", "steps", steps)
    return Run("final", arm, scenario, 0, "all", "best", seeds, str(folder))


def trial(number: int, loss: float | None, stage: str = "trial", **columns: Any) -> dict[str, Any]:
    """A row of trials.csv."""
    row = {
        "trial": number,
        "stage": stage,
        "epochs": 3,
        "lr": "0.1",
        "settings": "{}",
        "validation_loss": loss,
        "validation_accuracy": None if loss is None else 1 - loss,
        "diverged_step": 7 if loss is None else None,
        "seconds": 9.5,
    }
    return row | columns


def tuned(root: Path, trials: list[dict[str, Any]], best: int | None, *, arm: str = "sgd", scenario: str = "plain",
          settings: Mapping[str, Any] | None = None) -> Run:  # fmt: skip
    """Write the folder of an arm's tuning, of which trial `best` was chosen, and return its Run."""
    folder = root / arm / scenario
    io.write_table(folder / "tuning" / "trials.csv", "tuning_trials", trials)
    io.write_json(folder / "tuning" / "best.json", {"trial": best, "settings": dict(settings or {})})
    return Run("tuning", arm, scenario, 0, "holdout", "best", [0], str(folder))


# ---------------------------------------------------------------- a whole study

ACCURACIES = {  # test accuracy in the plain scenario, per cent, and how soon it comes (epochs)
    "starter": (71.4, 4.0), "sgd": (90.3, 2.2), "sgd_batch1": (89.6, 1.5), "momentum": (90.7, 1.6),
    "nesterov": (90.8, 1.6), "polyak": (90.2, 2.4), "ema": (90.75, 1.7), "svrg": (90.1, 2.0), "saga": (89.2, 2.6),
    "adagrad": (89.1, 1.4), "rmsprop": (90.1, 1.3), "adam": (90.45, 1.2), "nadam": (90.5, 1.2), "adamw": (90.55, 1.2),
    "lion": (90.2, 1.3), "muon": (91.25, 1.0), "schedule_free_sgd": (90.5, 1.5), "schedule_free_adamw": (90.4, 1.1),
    "l_bfgs": (86.3, 3.5), "hessian_free": (88.1, 2.5), "k_fac": (90.6, 0.9), "soap": (91.1, 0.9),
    "eg_pm": (88.6, 2.6), "hypentropy": (89.7, 2.0), "madam": (89.9, 1.5), "adam_eg": (89.5, 1.4),
    "gd_full_batch": (62.0, 6.0), "gd_growing_batch": (89.8, 2.0),
}  # fmt: skip
SPARSE = {  # scenario: (sparsifier, density, loss of accuracy in points)
    "sparse60_iht": ("iterative_hard_thresholding", 0.6, 0.05), "sparse60_gradual": ("gradual_magnitude", 0.6, 0.1),
    "sparse60_dynamic": ("dynamic_sparse", 0.6, 0.25), "sparse60_l1": ("l1_proximal", 0.6, 0.4),
    "density30": ("gradual_magnitude", 0.3, 0.2), "density10": ("gradual_magnitude", 0.1, 0.8),
    "density05": ("gradual_magnitude", 0.05, 1.7), "density02": ("gradual_magnitude", 0.02, 4.5),
}  # fmt: skip
SCENARIOS = ("plain", "l2", *SPARSE, "augmentation", "label_smoothing")
ELSEWHERE = ("muon", "soap", "nesterov", "ema", "momentum", "eg_pm")  # arms of the other scenarios
TARGETS = (0.8938, 0.91)
EPOCHS, STEPS, IMAGES = 10, 938, 60_000
FORWARD = 281_640  # multiply-adds of LeNet-5


class Finals:
    """Rows of the tables of a study of optimisers, a method each; `dead`: arms whose last seed diverges."""

    def __init__(
        self, arms: Sequence[str] = (*ACCURACIES,), scenarios: Sequence[str] = SCENARIOS,
        seeds: Sequence[int] = range(5), dead: Sequence[str] = ("hypentropy", "sgd_batch1"),
        reference: str = "nesterov",
    ) -> None:  # fmt: skip
        self.arms, self.scenarios, self.seeds, self.dead, self.reference = arms, scenarios, seeds, dead, reference
        self._course = list(self._lanes())

    def _pairs(self) -> Iterable[tuple[str, str]]:
        for scenario in self.scenarios:
            for arm in self.arms:
                if scenario == self.scenarios[0] or arm in ELSEWHERE or arm not in ACCURACIES:
                    yield scenario, arm

    def _lanes(self) -> Iterable[dict[str, Any]]:
        random = np.random.default_rng(3)
        for scenario, arm in self._pairs():
            top, tau = ACCURACIES.get(arm, (89.0, 2.0))
            sparsifier, density, loss = SPARSE.get(scenario, (None, 1.0, 0.0))
            for seed in self.seeds:
                end = (top - loss * (2 if arm == "eg_pm" else 1) + random.normal(0, 0.12)) / 100
                dead = arm in self.dead and seed == self.seeds[-1]
                for epoch in range(1, EPOCHS + 1):
                    gone = dead and epoch > 6
                    accuracy = (
                        end - (0.35 * np.exp(-epoch / tau) + 0.02 * (1 - epoch / EPOCHS)) + random.normal(0, 1e-3)
                    )
                    if gone and epoch > 7:
                        continue
                    cost = {"hessian_free": 40, "l_bfgs": 12, "svrg": 3}.get(arm, 1) * epoch
                    own = {"muon": 2e6, "soap": 1e7, "k_fac": 2e7}.get(arm, 0.0)
                    yield {
                        "scenario": scenario, "arm": arm, "seed": seed, "epoch": float(epoch),
                        "iteration": epoch * STEPS, "lr": "0.05",
                        "density": density ** min(1, epoch / 6) if sparsifier == "gradual_magnitude" else density,
                        "train_loss": None if gone else 0.9 * (1 - accuracy) * 2.6 * np.exp(-epoch / 12),
                        "test_loss": None if gone else 2.7 * (1 - accuracy),
                        "test_accuracy": None if gone else accuracy,
                        "sample_gradients": cost * IMAGES,
                        "multiply_adds": int(3 * cost * IMAGES * FORWARD + own * STEPS * epoch),
                        "seconds": cost * 5.5 * (1.4 if own else 1), "sparsifier": sparsifier,
                        "diverged_step": 6000 if gone else None,
                    }  # fmt: skip

    def course(self) -> Iterable[dict[str, Any]]:
        for row in self._course:
            yield {name: value for name, value in row.items() if name not in ("sparsifier", "diverged_step")}

    def final_runs(self) -> list[dict[str, Any]]:
        ends = {(row["scenario"], row["arm"], row["seed"]): row for row in self._course}
        return [
            {"settings": "{}", "nonzero": round(40_800 * row["density"]) if row["sparsifier"] else None}
            | {"epochs" if name == "epoch" else name: value for name, value in row.items() if name != "iteration"}
            for row in ends.values()
        ]

    def outcomes(self) -> Iterable[dict[str, Any]]:
        return summarise(pandas.DataFrame(self.final_runs()), self.reference, "plain")

    def time_to_target(self) -> list[dict[str, Any]]:
        rows = []
        lanes = pandas.DataFrame(self._course).groupby(["scenario", "arm", "seed"], sort=False)
        for key, lane in lanes:
            for target in TARGETS:
                reached = lane[(lane["density"] <= lane["density"].iloc[-1]) & (lane["test_accuracy"] >= target)]
                found = {} if reached.empty or lane["diverged_step"].notna().any() else reached.iloc[0].to_dict()
                costs = ("epoch", "iteration", "sample_gradients", "multiply_adds", "seconds")
                lane_of = dict(zip(("scenario", "arm", "seed"), key, strict=True))
                rows.append({**lane_of, "target": target, **{name: found.get(name) for name in costs}})
        return rows

    def performance_profile(self) -> Iterable[dict[str, Any]]:
        return profiles(pandas.DataFrame(self.time_to_target()))

    def tuning(self) -> list[dict[str, Any]]:
        random = np.random.default_rng(4)
        rows: list[dict[str, Any]] = []
        for scenario, arm in self._pairs():
            top, _ = ACCURACIES.get(arm, (89.0, 2.0))
            centre = random.uniform(-3, -0.5)
            centre = -3.0 if arm == "starter" else centre
            rates = sorted(10 ** random.uniform(centre - 1, centre + 1, 10)) if arm != "starter" else [0.001]
            trials = []
            for number, rate in enumerate(rates):
                far = (np.log10(rate) - centre) ** 2
                dead = np.log10(rate) > centre + 0.75 and arm in self.dead
                accuracy = max(0.1, top / 100 - 0.012 - 0.06 * far**2 + random.normal(0, 0.003))
                trials.append(self._trial(scenario, arm, number, rate, None if dead else accuracy))
            best = sorted((row for row in trials if row["validation_loss"]), key=lambda row: row["validation_loss"])[:2]
            finalists = [
                row | {"stage": "finalist", "epochs": EPOCHS, "validation_accuracy": row["validation_accuracy"] + 0.008,
                       "validation_loss": row["validation_loss"] - 0.02, "chosen": place == 0}
                for place, row in enumerate(best)
            ]  # fmt: skip
            rows += trials + finalists
        return rows

    @staticmethod
    def _trial(scenario: str, arm: str, number: int, rate: float, accuracy: float | None) -> dict[str, Any]:
        loss = None if accuracy is None else 2.7 * (1 - accuracy)
        own = trial(number, loss, lr=f"{rate:.3g}", validation_accuracy=accuracy)
        return {"scenario": scenario, "arm": arm, **own, "chosen": False}

    def ranking(self) -> Iterable[dict[str, Any]]:
        chosen = pandas.DataFrame([row for row in self.tuning() if row["chosen"]])
        for scenario, mine in chosen.sort_values("validation_loss").groupby("scenario", sort=False):
            for rank, row in enumerate(mine.to_dict("records"), start=1):
                names = ("lr", "settings", "validation_loss", "validation_accuracy")
                yield {"scenario": scenario, "arm": row["arm"], "rank": rank, **{name: row[name] for name in names}}

    def step_losses(self) -> Iterable[dict[str, Any]]:
        random = np.random.default_rng(6)
        for seed in self.seeds:
            loss = (
                0.8 + 1.5 / (1 + np.exp((np.arange(1, 3 * STEPS + 1) - 1100) / 250)) + random.normal(0, 0.12, 3 * STEPS)
            )
            for step, value in enumerate(loss.tolist(), start=1):
                yield {"scenario": "plain", "arm": self.arms[0], "seed": seed, "step": step, "loss": value}
