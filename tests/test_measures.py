"""Measures against networkx, hand-made graphs, and the contract that every measure keeps."""

import math

import networkx as nx
import numpy as np
import pytest

from winnow import plugins
from winnow.distributions import Sample
from winnow.graphs import Block, Graph, build, part_names
from winnow.overlap import chance, jaccard, sign_flips

NAMES = plugins.names("measures")
GRAPH_MEASURES = [name for name in NAMES if plugins.constant("measures", name, "GRAPHS")]
WEIGHT_MEASURES = [name for name in NAMES if plugins.constant("measures", name, "WEIGHTS")]


def directed(edges, kind="recurrent"):
    """A graph from a matrix edges[target, source]."""
    edges = np.array(edges, dtype=bool)
    kept = edges & ~np.eye(len(edges), dtype=bool)
    size = slice(0, len(edges))
    return Graph("recurrent0", kind, kept, edges * 1.0, int(np.trace(edges)), (Block(size, size, True),))


def bipartite(edges):
    edges = np.array(edges, dtype=bool)
    block = Block(slice(0, edges.shape[0]), slice(0, edges.shape[1]), False)
    return Graph("input1", "input", edges, edges * 1.0, 0, (block,))


def measured(name, graph):
    return plugins.load("measures", name).measure(graph)


def as_networkx(graph):
    oracle = nx.DiGraph()
    oracle.add_nodes_from(range(len(graph.edges)))
    oracle.add_edges_from((int(source), int(target)) for target, source in np.argwhere(graph.edges))
    return oracle


def as_bipartite_networkx(graph):
    oracle = nx.Graph()
    oracle.add_nodes_from(("t", i) for i in range(graph.edges.shape[0]))
    oracle.add_nodes_from(("s", j) for j in range(graph.edges.shape[1]))
    oracle.add_edges_from((("t", int(i)), ("s", int(j))) for i, j in np.argwhere(graph.edges))
    return oracle


def random_graph(seed, density, nodes=24):
    return directed(np.random.default_rng(seed).random((nodes, nodes)) < density)


RANDOM = [(0, 0.02), (1, 0.05), (2, 0.1), (3, 0.3), (4, 0.7)]  # from scattered components to nearly complete


@pytest.mark.parametrize(("seed", "density"), RANDOM)
def test_recurrent_measures_agree_with_networkx(seed, density):
    graph = random_graph(seed, density)
    oracle = as_networkx(graph)
    undirected = oracle.to_undirected()
    largest = undirected.subgraph(max(nx.connected_components(undirected), key=len))
    expected = {
        "clustering": nx.average_clustering(undirected),
        "clustering_directed": nx.average_clustering(oracle),
        "reciprocity": nx.overall_reciprocity(oracle),
        "density": nx.density(oracle),
        "density_undirected": nx.density(undirected),
        "components": nx.number_weakly_connected_components(oracle),
        "largest_component_share": len(largest) / 24,
        "path_length": nx.average_shortest_path_length(largest),
        "efficiency": nx.global_efficiency(undirected),
        "in_degree_mean": np.mean([d for _, d in oracle.in_degree()]),
        "in_degree_sd": np.std([d for _, d in oracle.in_degree()]),
        "out_degree_sd": np.std([d for _, d in oracle.out_degree()]),
        "degree_mean": np.mean([d for _, d in undirected.degree()]),
        "dead_units": sum(1 for v in oracle if not oracle.in_degree(v) or not oracle.out_degree(v)),
    }
    names = ["clustering", "clustering_directed", "reciprocity", "density", "components", "path_length", "degree"]
    found = {}
    for name in [*names, "dead_units"]:
        found |= measured(name, graph)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("seed", "density"), RANDOM)
def test_per_unit_clustering_agrees_with_networkx(seed, density):
    graph = random_graph(seed, density)
    oracle = as_networkx(graph)
    for name, other in (("clustering", oracle.to_undirected()), ("clustering_directed", oracle)):
        expected = [value for _, value in sorted(nx.clustering(other).items())]
        assert plugins.load("measures", name).local(graph) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("seed", "density"), RANDOM)
def test_bipartite_measures_agree_with_networkx(seed, density):
    graph = bipartite(np.random.default_rng(seed).random((14, 9)) < density)
    oracle = as_bipartite_networkx(graph)
    dot = nx.bipartite.latapy_clustering(oracle, mode="dot")
    found = measured("latapy", graph) | measured("robins_alexander", graph)
    assert found["clustering_latapy_targets"] == pytest.approx(np.mean([v for (s, _), v in dot.items() if s == "t"]))
    assert found["clustering_latapy_sources"] == pytest.approx(np.mean([v for (s, _), v in dot.items() if s == "s"]))
    assert found["clustering_latapy"] == pytest.approx(np.mean(list(dot.values())))
    expected = nx.bipartite.robins_alexander_clustering(oracle)
    ours = found["clustering_robins_alexander"]
    assert (0 if math.isnan(ours) else ours) == pytest.approx(expected)  # networkx has 0 where there is no path


def test_ring_of_three_by_hand():
    ring = directed([[1, 0, 1], [1, 0, 0], [0, 1, 0]])  # 0 -> 1 -> 2 -> 0, and a self-loop at 0
    assert measured("density", ring) == {"edges": 3, "self_loops": 1, "density": 0.5, "density_undirected": 1}
    assert measured("clustering", ring) == {"clustering": 1}
    assert measured("clustering_directed", ring) == {"clustering_directed": 0.5}  # a cycle, one of two triangle kinds
    assert measured("reciprocity", ring) == {"reciprocity": 0}
    assert measured("path_length", ring) == {"path_length": 1, "efficiency": 1}
    assert measured("dead_units", ring)["dead_units"] == 0


def test_density_of_the_whole_counts_the_edges_that_can_be():
    shapes = {"weight_hh_l0": (4, 4), "weight_ih_l1": (3, 4), "weight_hh_l1": (3, 3)}
    full = measured("density", build({name: np.ones(shape, bool) for name, shape in shapes.items()})[-1])
    assert full == {"edges": 12 + 12 + 6, "self_loops": 7, "density": 1, "density_undirected": 1}
    masks = {name: np.zeros(shape, bool) for name, shape in shapes.items()}
    masks["weight_hh_l0"][0, 1] = masks["weight_hh_l0"][1, 0] = masks["weight_ih_l1"][2, 3] = True
    few = measured("density", build(masks)[-1])
    assert few["density"] == pytest.approx(3 / 30)
    assert few["density_undirected"] == pytest.approx(2 / (6 + 12 + 3))


def test_path_and_an_isolated_unit_by_hand():
    chain = directed([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])  # 0 -> 1 -> 2; 3 only reaches itself
    assert measured("components", chain) == {"components": 2, "largest_component_share": 0.75}
    assert measured("path_length", chain)["path_length"] == pytest.approx(4 / 3)
    assert measured("path_length", chain)["efficiency"] == pytest.approx((2 * 1 + 0.5) / 6)
    assert measured("dead_units", chain) == {"units_without_input": 2, "units_without_output": 2, "dead_units": 3}
    assert measured("clustering", chain) == {"clustering": 0}


def test_bipartite_square_by_hand():
    square = bipartite([[1, 1, 0], [1, 1, 0], [0, 1, 1]])
    # C4 = 1; edges (0,0) (0,1) (1,0) (1,1) (2,1) (2,2) are the middle of 1 2 1 2 2 0 paths
    assert measured("robins_alexander", square) == {"clustering_robins_alexander": 4 * 1 / 8}
    # rows: {0: (1 + 1/3) / 2, 1: the same, 2: 1/3}
    assert measured("latapy", square)["clustering_latapy_targets"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3)
    assert measured("density", square) == {"edges": 6, "density": 6 / 9}


def test_strength_and_spectral_radius_use_the_masked_weights():
    mask = np.array([[1, 1], [0, 1]], dtype=bool)
    (graph, _) = build({"weight_hh_l0": mask}, {"weight_hh_l0": np.array([[2.0, -3.0], [100.0, -5.0]])})
    assert measured("spectral_radius", graph) == {"spectral_radius": 5}
    found = measured("strength", graph)
    assert found["in_strength_mean"] == 1.5
    assert found["in_strength_sd"] == 1.5
    assert found["out_strength_mean"] == 1.5


def test_whole_spectral_radius_is_that_of_the_joined_matrix():
    rng = np.random.default_rng(0)
    names = {"weight_hh_l0": (6, 6), "weight_ih_l1": (5, 6), "weight_hh_l1": (5, 5)}
    weights = {name: rng.normal(size=shape) for name, shape in names.items()}
    whole = build({name: rng.random(shape) < 0.5 for name, shape in names.items()}, weights)[-1]
    expected = np.abs(np.linalg.eigvals(whole.weights)).max()
    assert measured("spectral_radius", whole)["spectral_radius"] == pytest.approx(expected)


def test_sigma_is_a_ratio_of_ratios():
    sigma = plugins.load("measures", "sigma")
    values, means = {"clustering": 0.6, "path_length": 3.0}, {"clustering": 0.2, "path_length": 2.0}
    assert sigma.relative(values, means) == {"sigma": pytest.approx(3 / 1.5)}
    assert math.isnan(sigma.relative(values, {"clustering": 0.0, "path_length": 2.0})["sigma"])


def test_counts_stay_exact_above_float32():
    graph = directed(np.ones((300, 300)))  # (A + A^T)^3 has 8 * 299 * 298 = 712,816 on its diagonal, sums beyond 2^24
    assert measured("clustering", graph) == {"clustering": 1}
    assert measured("clustering_directed", graph) == {"clustering_directed": 1}
    assert measured("robins_alexander", bipartite(np.ones((300, 300)))) == {"clustering_robins_alexander": 1}


# the contract


def test_the_names_of_numbers_are_unique():
    seen = [name for module in GRAPH_MEASURES if module != "sigma" for name in measured(module, random_graph(0, 0.3))]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("name", NAMES)
def test_every_measure_says_what_it_is(name):
    graphs = plugins.constant("measures", name, "GRAPHS")
    weights = plugins.constant("measures", name, "WEIGHTS")
    assert bool(graphs) != bool(weights)
    if graphs:
        assert set(graphs) <= {"recurrent", "input", "whole"}
        assert plugins.constant("measures", name, "NULLS") in (True, False)
    module = plugins.load("measures", name)
    assert module.__doc__
    assert callable(module.measure)


EMPTY = [np.zeros((4, 4)), np.eye(4), np.zeros((1, 1)), np.eye(3, k=1), np.ones((2, 2)), np.ones((5, 5))]


@pytest.mark.parametrize("name", GRAPH_MEASURES)
@pytest.mark.parametrize("edges", EMPTY, ids=["empty", "loops", "one unit", "chain", "pair", "complete"])
def test_degenerate_graphs_give_numbers_or_nan_without_warnings(name, edges):
    for kind in plugins.constant("measures", name, "GRAPHS"):
        graph = bipartite(edges) if kind == "input" else directed(edges, kind)
        for value in measured(name, graph).values():
            assert isinstance(value, float)
            assert not math.isinf(value)


@pytest.mark.parametrize("name", GRAPH_MEASURES)
def test_graph_measures_do_not_depend_on_the_order_of_units(name):
    order = np.random.default_rng(1).permutation(24)
    for kind in plugins.constant("measures", name, "GRAPHS"):
        matrix = np.random.default_rng(0).random((24, 24)) < 0.15
        make = bipartite if kind == "input" else directed
        first, second = measured(name, make(matrix)), measured(name, make(matrix[np.ix_(order, order)]))
        assert first == pytest.approx(second, rel=1e-9)


@pytest.mark.parametrize("name", GRAPH_MEASURES)
def test_measures_with_nulls_need_no_weights(name):
    if plugins.constant("measures", name, "NULLS"):
        for kind in plugins.constant("measures", name, "GRAPHS"):
            graph = bipartite(np.eye(4)) if kind == "input" else directed(np.ones((4, 4)), kind)
            assert set(measured(name, graph.with_edges(graph.edges))) == set(measured(name, graph))


@pytest.mark.parametrize("name", GRAPH_MEASURES)
def test_weights_of_a_diverged_lane_do_not_stop_a_measure(name):
    for bad in (np.nan, np.inf):
        weights = np.full((3, 3), bad)
        for graph in build({"weight_hh_l0": np.ones((3, 3), bool)}, {"weight_hh_l0": weights}):
            if graph.kind in plugins.constant("measures", name, "GRAPHS"):
                assert not any(math.isinf(value) for value in measured(name, graph).values())


SAMPLES = {
    "none": np.zeros(0),
    "one": np.array([0.5]),
    "equal": np.array([0.5, -0.5, 0.5, 0.5]),
    "some": np.array([0.1, -0.2, 0.3, 0.4, -0.7]),
}


@pytest.mark.parametrize("name", WEIGHT_MEASURES)
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("cut", [False, True])
def test_degenerate_samples_give_numbers_or_nan_without_warnings(name, sample, cut):
    values = SAMPLES[sample]
    edge = float(np.abs(values).min()) if cut and len(values) else 0.0
    found = plugins.load("measures", name).measure(Sample(values, edge, values))
    assert found
    for value in found.values():
        assert isinstance(value, float)
        assert not math.isinf(value)


# graphs and overlap


def test_parts_of_a_network_and_their_blocks():
    rng = np.random.default_rng(0)
    shapes = {"rnn.weight_hh_l0": (4, 4), "rnn.weight_ih_l1": (3, 4), "rnn.weight_hh_l1": (3, 3)}
    masks = {name: rng.random(shape) < 0.6 for name, shape in shapes.items()}
    graphs = build(masks, {name: rng.normal(size=shape) for name, shape in shapes.items()})
    assert [graph.part for graph in graphs] == ["recurrent0", "input1", "recurrent1", "whole"]
    whole = graphs[-1]
    assert whole.edges.shape == (7, 7)
    assert (whole.edges[4:, :4] == masks["rnn.weight_ih_l1"]).all()
    assert not whole.edges[:4, 4:].any()
    assert not np.diagonal(whole.edges).any()
    diagonals = sum(np.trace(masks[name].astype(int)) for name in ("rnn.weight_hh_l0", "rnn.weight_hh_l1"))
    assert whole.self_loops == diagonals
    assert whole.edges.sum() + whole.self_loops == sum(mask.sum() for mask in masks.values())


def test_an_unpruned_matrix_joins_layers_with_all_its_edges():
    weights = {"weight_hh_l0": np.ones((2, 2)), "weight_ih_l1": np.ones((2, 2)), "weight_hh_l1": np.ones((2, 2))}
    masks = {name: np.zeros((2, 2), bool) for name in ("weight_hh_l0", "weight_hh_l1")}
    whole = build(masks, weights)[-1]
    assert whole.part == "whole"
    assert whole.edges.sum() == 4


def test_other_matrices_are_bipartite_parts_named_by_their_tensor():
    masks = {"fc1.weight": np.ones((3, 4), bool), "lstm.weight_hh_l0": np.ones((8, 2), bool)}
    parts = {graph.part: graph.kind for graph in build(masks)}
    assert parts == {"fc1.weight": "input", "lstm.weight_hh_l0": "input"}


def test_two_networks_in_one_file_keep_their_prefixes():
    masks = {f"{side}.weight_hh_l0": np.ones((2, 2), bool) for side in ("encoder", "decoder")}
    assert [graph.part for graph in build(masks)] == [
        "encoder.recurrent0",
        "decoder.recurrent0",
        "encoder.whole",
        "decoder.whole",
    ]
    assert part_names(["rnn.weight_ih_l2"]) == {"rnn.weight_ih_l2": "input2"}


def test_jaccard_and_chance():
    assert jaccard([1, 1, 0, 0], [1, 0, 1, 0]) == pytest.approx(1 / 3)
    assert math.isnan(jaccard([0, 0], [0, 0]))
    with pytest.raises(ValueError, match="shapes"):
        jaccard([1, 0], [1, 0, 0])
    rng = np.random.default_rng(0)
    drawn = [jaccard(rng.permutation(2000) < 500, rng.permutation(2000) < 300) for _ in range(200)]
    assert chance(500, 300, 2000) == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 200**0.5)
    assert chance(200, 200, 1000) == pytest.approx(1 / 9)  # densities of 0.2: 0.11
    assert math.isnan(chance(0, 0, 10))


def test_sign_flips_leave_zeros_out():
    before, after = {"w": np.array([1.0, -1.0, 0.0, 2.0])}, {"w": np.array([-0.1, -3.0, 5.0, 0.0])}
    assert sign_flips(before, after) == (1, 2)
