"""What figures of a study of optimisers share: names of methods and scenarios, and which arms they single out.

Such a study has more arms than colours. The best by final test accuracy, the arm that others are compared with and the
starting point of the study are drawn in colour, the rest in grey; these arms look the same in every figure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas

from winnow.figures import _style as style

BEST = 5  # arms in colour
STARTER = "starter"  # the arm that the study starts from
FEW = 3  # scenarios that one figure has rows for; of more it shows the first, in which all arms run
PALE = "#C4C4C4"
PALETTE = tuple(colour for colour in style.COLOURS if colour not in ("#000000", "#7F7F7F"))
MEASURES = {
    "sample_gradients": "gradients of single images",
    "multiply_adds": "multiply-adds",
    "seconds": "seconds",
}
METHODS = {
    "sgd": "SGD", "svrg": "SVRG", "saga": "SAGA", "ema": "EMA", "polyak": "Polyak averaging", "momentum": "momentum",
    "nesterov": "Nesterov", "adagrad": "Adagrad", "rmsprop": "RMSprop", "adam": "Adam", "nadam": "Nadam",
    "adamw": "AdamW", "lion": "Lion", "muon": "Muon", "soap": "SOAP", "k_fac": "K-FAC", "l_bfgs": "L-BFGS",
    "hessian_free": "Hessian-free", "eg_pm": "EG±", "adam_eg": "Adam-EG", "madam": "Madam", "gd": "GD", "eg": "EG",
    "schedule_free": "schedule-free",
}  # fmt: skip
SPARSIFIERS = {
    "iht": "IHT", "l1": "L1", "iterative_hard_thresholding": "iterative hard thresholding",
    "gradual_magnitude": "gradual magnitude pruning", "dynamic_sparse": "dynamic sparse training",
    "l1_proximal": "L1 proximal steps", "pruning_with_feedback": "pruning with feedback",
}  # fmt: skip
SCENARIOS = {"plain": "plain cross-entropy", "l2": "with L2"}


def label(arm: str) -> str:
    """'schedule_free_adamw' -> 'schedule-free AdamW': methods as their papers write them."""
    for name in sorted(METHODS, key=len, reverse=True):
        if arm == name:
            return METHODS[name]
        if arm.startswith(f"{name}_"):
            return f"{METHODS[name]} {label(arm[len(name) + 1 :])}"
    return re.sub(r"batch(\d+)", r"batch \1", arm).replace("_", " ")


def scenario_label(name: str) -> str:
    """'sparse60_iht' -> '60 % kept, IHT'."""
    if match := re.fullmatch(r"(?:sparse|density)(\d+)(?:_(\w+))?", name):
        method = SPARSIFIERS.get(match[2], match[2].replace("_", " ")) if match[2] else ""
        return f"{int(match[1])} % kept" + (f", {method}" if method else "")
    return SCENARIOS.get(name, name.replace("_", " "))


def scenarios(table: pandas.DataFrame) -> list[str]:
    """The scenarios that a figure with a row for each shows."""
    found = style.ordered(table["scenario"])
    return found if len(found) <= FEW else found[:1]


class Arms:
    """The arms of a study: their order and looks. `ranked`: by test accuracy in the first scenario, the best first."""

    def __init__(self, outcomes: pandas.DataFrame) -> None:
        first = outcomes[outcomes["scenario"] == outcomes["scenario"].iloc[0]]
        first = first.sort_values("test_accuracy", ascending=False, kind="stable")
        self.ranked: list[str] = style.ordered([*first["arm"], *outcomes["arm"]])
        references = outcomes["reference"].dropna()
        self.reference = str(references.iloc[0]) if len(references) else None
        self.chosen = style.ordered([*self.ranked[:BEST], *(arm for arm in self.ranked if self._special(arm))])

    def _special(self, arm: str) -> bool:
        return arm in (self.reference, STARTER)

    def looks(self, arms: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Colour and line style of the chosen among `arms`; others take the colours that are left."""
        found = {
            arm: {"color": colour, "linestyle": "-"} for arm, colour in zip(self.ranked[:BEST], PALETTE, strict=False)
        }
        for arm in self.chosen[BEST:]:
            found[arm] = {"color": "#000000", "linestyle": ":" if arm == STARTER else "--"}
        found = {arm: found[arm] for arm in arms if arm in found}
        taken = [look["color"] for look in found.values()]
        free = [*PALETTE[BEST:], *(colour for colour in PALETTE[:BEST] if colour not in taken)]
        others = [arm for arm in arms if arm not in found]
        return found | {arm: {"color": free[i % len(free)], "linestyle": "-"} for i, arm in enumerate(others)}

    def text(self, arm: str) -> str:
        """Its name, with what singles it out beside its place."""
        return label(arm) + (" (reference)" if arm == self.reference else "")


def alive(table: pandas.DataFrame, final_runs: pandas.DataFrame) -> pandas.DataFrame:
    """The rows of the lanes that did not diverge."""
    keys = ["scenario", "arm", "seed"]
    lanes = final_runs.loc[final_runs["diverged_step"].isna(), keys]
    return table.merge(lanes, on=keys)
