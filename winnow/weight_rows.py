"""Rows of weights.csv and histograms.csv: what is measured of a part's kept weights in each state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np

from winnow.distributions import BINS, Sample, histograms
from winnow.graphs import part_names
from winnow.networks import Network

Row = dict[str, object]


def samples(network: Network, state: str) -> Iterator[tuple[str, Sample]]:
    """(part, sample) of a network's kept weights in one state: every masked tensor, then all of them pooled.

    A tensor with a NaN or an infinity (a diverged lane) has no sample, and then there is no pooled one.
    """
    weights = network.weights[state]
    parts = part_names(list(network.masks))
    pooled: list[Sample] = []
    pruned = False
    for name, mask in network.masks.items():
        values = weights[name][mask].astype(np.float64)
        if not np.isfinite(values).all():
            continue
        before = network.before[name][mask].astype(np.float64) if state == "final" and name in network.before else None
        nonzero = values != 0
        values, before = values[nonzero], None if before is None else before[nonzero]
        part_pruned = not mask.all()
        pruned |= part_pruned
        cut = float(np.abs(values).min()) if part_pruned and len(values) else 0.0
        pooled.append(Sample(values, cut, before))
        yield parts[name], pooled[-1]
    if len(pooled) == len(network.masks):
        values = np.concatenate([sample.values for sample in pooled])
        befores = [sample.before for sample in pooled if sample.before is not None]
        before = np.concatenate(befores) if len(befores) == len(pooled) else None
        yield "all", Sample(values, float(np.abs(values).min()) if pruned and len(values) else 0.0, before)


def measure_weights(network: Network, measures: Sequence[ModuleType]) -> tuple[list[Row], list[Row]]:
    """Rows of weights.csv and of histograms.csv (every bin, also empty ones, so that counts of seeds line up)."""
    weights: list[Row] = []
    bins: list[Row] = []
    for state in network.weights:
        for part, sample in samples(network, state):
            where: Row = {"seed": network.seed, "state": state, "part": part}
            for module in measures:
                weights += [
                    {**where, "measure": name, "value": value} for name, value in module.measure(sample).items()
                ]
            for quantity, counts in histograms(sample.values).items():
                edges = BINS[quantity].round(6)
                bins += [
                    {**where, "quantity": quantity, "bin_left": left, "bin_right": right, "count": count}
                    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
                ]
    return weights, bins
