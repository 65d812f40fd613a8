"""The overlay for the benchmark of the report trains next to nothing, but everything that config.yaml has."""

from __future__ import annotations

from pathlib import Path

import yaml

from winnow import config
from winnow.plan import Plan

ROOT = Path(__file__).parents[1]


def test_the_overlay_has_every_job_of_the_default_configuration() -> None:
    default = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    overlay = yaml.safe_load((ROOT / "benchmarks/default_shape.yaml").read_text(encoding="utf-8"))
    whole, short = (
        {name for name in Plan(config.load(default, overlays)).jobs if name[0] != "figure" or name[-1] == "png"}
        for overlays in ([], [overlay])
    )
    assert len(whole) > 500
    assert short == whole
    for study, section in (("gd_vs_eg", "training"), ("tickets", "training"), ("optimizers", "training")):
        assert int(overlay[study][section]["length"].removesuffix("it")) <= 10
