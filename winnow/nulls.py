"""Null models: random graphs that keep something of a measured one.

- `edges`: the same numbers of nodes and directed edges, uniform over all graphs without self-loops (bipartite: over all
  pairs of the two sides).
- `degrees`: every unit keeps its in-degree and its out-degree; sampled by global curveball trades (Strona et al. 2014,
  doi 10.1038/ncomms5114; directed: Carstens, Berger, Strona 2016, arXiv 1609.05137; global: Carstens et al. 2018, ESA,
  arXiv 1804.08487). In a trade all units are paired at random; of the sources that only one unit of a pair has, each
  unit gets as many as before, drawn at random. Trades, like edge swaps, cannot turn a directed triangle around; on
  graphs with more than a few edges this has no measurable effect.
- `layers` (whole network): in every tensor the same number of edges, uniform within the tensor.

All keep directed edges. The undirected view of a null has as many links as the graph's only where their reciprocities
agree, so part of a difference in undirected clustering may be one in reciprocity: it is reported beside it.

Self-loops take no part: graphs have none (see `winnow.graphs`) and nulls get none; their number is that of the graph.
Every model is a function (graph, generator) -> edges, bool in the shape of `graph.edges`. Draw d of a null model uses
its own random stream, so a draw does not depend on how many there are.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator

from winnow.graphs import Bools, Graph
from winnow.seeds import stream

TRADES = (
    20  # each passes every edge once; clustering of a ring lattice is that of a random graph after 8 (see the tests)
)


def _uniform(rows: int, columns: int, count: int, diagonal: bool, generator: Generator) -> Bools:
    """`count` true entries at random; none on the diagonal unless `diagonal`."""
    width = columns if diagonal else columns - 1
    edges = np.zeros((rows, columns), dtype=bool)
    row, column = np.divmod(generator.choice(rows * width, count, replace=False, shuffle=False), max(width, 1))
    edges[row, column if diagonal else column + (column >= row)] = True
    return edges


def edges(graph: Graph, generator: Generator) -> Bools:
    """A graph with the same number of edges."""
    rows, columns = graph.edges.shape
    return _uniform(rows, columns, int(graph.edges.sum()), graph.kind == "input", generator)


def layers(graph: Graph, generator: Generator) -> Bools:
    """A graph with the same number of edges in every tensor."""
    result = np.zeros_like(graph.edges)
    for block in graph.blocks:
        old = graph.edges[block.rows, block.columns]
        rows, columns = old.shape
        result[block.rows, block.columns] = _uniform(rows, columns, int(old.sum()), not block.recurrent, generator)
    return result


def degrees(graph: Graph, generator: Generator, trades: int = TRADES) -> Bools:
    """A graph with the same in-degree and out-degree of every unit, after `trades` global curveball trades."""
    result = graph.edges.copy()
    rows, columns = result.shape
    pairs = rows // 2
    pair = np.arange(pairs)
    # Sort keys: random high bits, and the column in the low bits, so that no two keys of a row are equal.
    low = np.uint32((1 << (columns - 1).bit_length()) - 1)
    column = np.arange(columns, dtype=np.uint32)
    for _ in range(trades):
        order = generator.permutation(rows)
        one, two = order[:pairs], order[pairs : 2 * pairs]
        first, second = result[one], result[two]
        traded = first ^ second  # [pairs, columns]
        if graph.kind != "input":  # a unit can neither take nor give away what would be the partner's self-loop
            traded[pair, one] = False
            traded[pair, two] = False
        share = (first & traded).sum(axis=1)
        keys = generator.integers(0, 2**64, (traded.size + 1) // 2, dtype=np.uint64).view(np.uint32)[: traded.size]
        keys = keys.reshape(traded.shape)
        keys &= ~low
        keys |= column
        keys |= traded.astype(np.uint32) - np.uint32(1)  # what is not traded goes last
        limit = np.sort(keys, axis=1)[pair, np.maximum(share - 1, 0)]
        taken = traded & (keys <= limit[:, None]) & (share > 0)[:, None]
        result[one] = (first & ~traded) | taken
        result[two] = (second & ~traded) | (traded & ~taken)
    return result


MODELS: dict[str, Callable[[Graph, Generator], Bools]] = {"edges": edges, "degrees": degrees, "layers": layers}
OF_KIND = {"recurrent": ("edges", "degrees"), "input": ("edges", "degrees"), "whole": ("edges", "degrees", "layers")}


def draws(graph: Graph, model: str, seed: int, count: int) -> Iterator[Graph]:
    """`count` null graphs of a `model` (a name from MODELS), from the streams (seed, "null", ...) of this part and
    model. KeyError for another name."""
    # The part and the model are in the stream's number: else all parts would share their random numbers.
    base = zlib.crc32(f"{model} {graph.part}".encode()) << 32
    for draw in range(count):
        yield graph.with_edges(MODELS[model](graph, stream(seed, "null", base + draw)))
