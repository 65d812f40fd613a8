"""Null models: what they keep is kept exactly, the rest is mixed, and draws are reproducible."""

import numpy as np
import pytest

from winnow import nulls
from winnow.graphs import build
from winnow.measures import clustering, reciprocity

KINDS = {"recurrent": "recurrent1", "input": "input1", "whole": "whole"}


def network(density=0.3, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"weight_hh_l0": (15, 15), "weight_ih_l1": (12, 15), "weight_hh_l1": (12, 12)}
    return {graph.part: graph for graph in build({name: rng.random(shape) < density for name, shape in shapes.items()})}


def ring_lattice(nodes, neighbours):
    offset = (np.arange(nodes)[:, None] - np.arange(nodes)[None, :]) % nodes
    return build({"weight_hh_l0": (offset > 0) & (offset <= neighbours)})[0]


CASES = [(kind, model) for kind, models in nulls.OF_KIND.items() for model in models]


@pytest.mark.parametrize(("kind", "model"), CASES)
@pytest.mark.parametrize("density", [0.0, 0.02, 0.3, 0.9, 1.0])
def test_edges_are_counted_exactly_and_self_loops_never_appear(kind, model, density):
    graph = network(density)[KINDS[kind]]
    for draw in nulls.draws(graph, model, seed=3, count=3):
        assert draw.edges.dtype == bool
        assert draw.edges.shape == graph.edges.shape
        assert draw.edges.sum() == graph.edges.sum()
        assert draw.self_loops == graph.self_loops
        assert draw.weights is None
        if kind != "input":
            assert not np.diagonal(draw.edges).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("density", [0.1, 0.3, 0.8])
def test_rewiring_keeps_every_degree_and_moves_edges(kind, density):
    graph = network(density)[KINDS[kind]]
    for draw in nulls.draws(graph, "degrees", seed=0, count=4):
        assert (draw.edges.sum(axis=0) == graph.edges.sum(axis=0)).all()
        assert (draw.edges.sum(axis=1) == graph.edges.sum(axis=1)).all()
        assert (draw.edges != graph.edges).any()


def test_layers_keeps_the_count_of_every_tensor():
    graph = network()["whole"]
    for draw in nulls.draws(graph, "layers", seed=0, count=3):
        for block in graph.blocks:
            old, new = (edges[block.rows, block.columns] for edges in (graph.edges, draw.edges))
            assert old.sum() == new.sum()
            assert (old != new).any()
        assert not draw.edges[:15, 15:].any()  # no tensor leads back


def test_draws_are_reproducible_and_independent_of_their_number():
    graphs = network()
    few = [draw.edges for draw in nulls.draws(graphs["whole"], "degrees", 5, 2)]
    many = [draw.edges for draw in nulls.draws(graphs["whole"], "degrees", 5, 4)]
    assert all((a == b).all() for a, b in zip(few, many, strict=False))
    assert (many[0] != many[1]).any()
    other_seed = next(nulls.draws(graphs["whole"], "degrees", 6, 1)).edges
    assert (other_seed != many[0]).any()


def test_parts_do_not_share_random_numbers():
    full = build({f"weight_hh_l{layer}": np.arange(400).reshape(20, 20) % 3 == 0 for layer in (0, 1)})
    first, second = (next(nulls.draws(graph, "edges", 0, 1)).edges for graph in full[:2])
    assert (first != second).any()


@pytest.mark.parametrize(
    ("name", "edges", "graphs", "limit"),
    [
        ("a", np.eye(3), 6, 20.5),  # bipartite, all degrees 1: the permutations of 3; chi squared with p = 0.001
        ("weight_hh_l0", np.roll(np.eye(4), 1, axis=0), 9, 26.1),  # no self-loops: the derangements of 4
    ],
)
def test_every_graph_with_given_degrees_is_drawn_equally_often(name, edges, graphs, limit):
    graph = build({name: edges > 0})[0]
    count: dict[bytes, int] = {}
    for draw in nulls.draws(graph, "degrees", 0, 100 * graphs):
        key = draw.edges.tobytes()
        count[key] = count.get(key, 0) + 1
    assert len(count) == graphs
    assert sum((n - 100) ** 2 / 100 for n in count.values()) < limit


def test_uniform_edges_hit_every_place_equally_often():
    graph = build({"weight_hh_l0": np.eye(5, k=1, dtype=bool)})[0]
    total = np.sum([draw.edges for draw in nulls.draws(graph, "edges", 0, 1000)], axis=0)
    off = total[~np.eye(5, dtype=bool)]
    assert off.sum() == 4000
    assert ((off - 200) ** 2 / 160).sum() < 45.3  # 20 places, p about 0.001
    assert np.trace(total) == 0


@pytest.mark.parametrize("neighbours", [4, 20])
def test_the_number_of_trades_forgets_a_ring_lattice(neighbours):
    lattice = ring_lattice(100, neighbours)
    assert clustering.measure(lattice)["clustering"] > 0.5

    def mean(trades, what):
        drawn = [
            what(lattice.with_edges(nulls.degrees(lattice, np.random.default_rng([trades, draw]), trades)))
            for draw in range(12)
        ]
        return np.mean(drawn), np.std(drawn, ddof=1) / 12**0.5

    measures = (
        lambda graph: clustering.measure(graph)["clustering"],
        lambda graph: reciprocity.measure(graph)["reciprocity"],
        lambda graph: (graph.edges & lattice.edges).sum() / lattice.edges.sum(),
    )
    for what in measures:
        short, long = mean(nulls.TRADES, what), mean(10 * nulls.TRADES, what)
        assert short[0] == pytest.approx(long[0], abs=4 * (short[1] ** 2 + long[1] ** 2) ** 0.5)
    assert mean(1, measures[2])[0] > 1.5 * mean(nulls.TRADES, measures[2])[0]  # the test sees unmixed graphs
