"""What a tuning chose (winnow/tuning.py), in the spec of a run; apart from the search, which is no source of that."""

from __future__ import annotations

from pathlib import Path

from winnow import io
from winnow.errors import UserError
from winnow.spec import ScenarioSpec


def resolve(spec: ScenarioSpec, best: Path | None) -> ScenarioSpec:
    """The spec with the setting that a tuning wrote to `best`, where its rate is "best"."""
    if spec.training.lr != "best":
        return spec
    if best is None:
        raise UserError("lr: 'best' needs the file that a tuning wrote (--best best.json).")
    chosen = io.read_json(best)
    if not isinstance(chosen, dict) or not {"lr", "settings"} <= chosen.keys():
        raise UserError(f"{best} holds no chosen setting: --best takes the best.json that tune.py wrote.")
    return spec.with_settings({**chosen["settings"], "lr": chosen["lr"]})
