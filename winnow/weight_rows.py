"""Rows of weights.csv and histograms.csv: what is measured of a part's kept weights in each state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np

from winnow.distributions import BINS, Sample, histograms
from winnow.graphs import part_names
from winnow.networks import Edge, Network

Row = dict[str, object]
POOLED = "all"


def cuts(network: Network, state: str) -> dict[str, float | None]:
    """Where |w| is truncated in one state, by tensor and for `all` of them: 0 nowhere, None at no sharp edge.

    A threshold that all tensors share (global scope) is told from thresholds of their own by the weights: there every
    pruned one is smaller than every kept one. Where each has its own, the pooled weights have no single edge.
    """
    edge = network.edges.get(state, Edge.SMALLEST)
    if edge in (Edge.NONE, Edge.BLURRED):
        return dict.fromkeys([*network.masks, POOLED], 0.0 if edge is Edge.NONE else None)
    smallest: dict[str, float] = {}
    largest: dict[str, float] = {}  # of the pruned
    for name, mask in network.masks.items():
        size = np.abs(network.weights[state][name].astype(np.float64))
        if not np.isfinite(size[mask]).all():
            continue
        # In a selection an exact zero may have been kept; elsewhere it is no weight.
        kept = size[mask] if edge is Edge.THRESHOLD else size[mask & (size > 0)]
        smallest[name] = float(kept.min()) if len(kept) else 0.0
        largest[name] = float(size[~mask].max(initial=0.0))
    pruned = {name for name in smallest if not network.masks[name].all()}
    lowest = min((smallest[name] for name in smallest if network.masks[name].any()), default=0.0) if pruned else 0.0
    if edge is Edge.THRESHOLD and max(largest.values(), default=0.0) <= lowest:
        return dict.fromkeys([*smallest, POOLED], lowest)
    own: dict[str, float | None] = {name: smallest[name] if name in pruned else 0.0 for name in smallest}
    return {**own, POOLED: None if edge is Edge.THRESHOLD else lowest}


def samples(network: Network, state: str) -> Iterator[tuple[str, Sample]]:
    """(part, sample) of a network's kept weights in one state: every masked tensor, then all of them pooled.

    A tensor with a NaN or an infinity (a diverged lane) has no sample, and then there is no pooled one.
    """
    weights = network.weights[state]
    parts, cut = part_names(list(network.masks)), cuts(network, state)
    pooled: list[Sample] = []
    for name, mask in network.masks.items():
        values = weights[name][mask].astype(np.float64)
        if not np.isfinite(values).all():
            continue
        before = network.before[name][mask].astype(np.float64) if state == "final" and name in network.before else None
        nonzero = values != 0
        values, before = values[nonzero], None if before is None else before[nonzero]
        pooled.append(Sample(values, cut[name], before))
        yield parts[name], pooled[-1]
    if len(pooled) == len(network.masks):
        values = np.concatenate([sample.values for sample in pooled])
        befores = [sample.before for sample in pooled if sample.before is not None]
        before = np.concatenate(befores) if len(befores) == len(pooled) else None
        yield POOLED, Sample(values, cut[POOLED], before)


def measure_weights(network: Network, measures: Sequence[ModuleType]) -> tuple[list[Row], list[Row]]:
    """Rows of weights.csv and of histograms.csv (every bin, also empty ones, so that counts of seeds line up).

    The state `final` of a ticket that was never trained has none.
    """
    weights: list[Row] = []
    bins: list[Row] = []
    for state in network.weights:
        if state == "final" and not network.trained:
            continue
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
