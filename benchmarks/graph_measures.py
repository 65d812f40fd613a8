"""Graph measures with null models: winnow against networkx.

The work is the seed study's analysis with enough draws: of two masks with three 256 x 256 layers each, average
clustering and path length of the undirected view, and sigma against 20 random graphs with the same numbers of nodes
and edges. A second row has degree-preserving null graphs (networkx: one swap per edge; winnow mixes longer). networkx
does one mask and fewer null graphs, its time is scaled up. Both sides' values of the measured graphs must agree.
"""

import argparse
import time
from collections.abc import Callable

import networkx as nx
import numpy as np

from winnow import nulls
from winnow.graphs import Graph, build
from winnow.measures import sigma

LAYERS, UNITS, MASKS = 3, 256, 2


def masks(density: float) -> list[Graph]:
    """The recurrent graphs of random masks."""
    rng = np.random.default_rng(0)
    graphs = []
    for _ in range(MASKS):
        kept = {f"rnn.weight_hh_l{layer}": rng.random((UNITS, UNITS)) < density for layer in range(LAYERS)}
        graphs += [graph for graph in build(kept) if graph.kind == "recurrent"]
    return graphs


def ours(graphs: list[Graph], model: str, draws: int) -> list[tuple[float, float, float]]:
    """(clustering, path length, sigma) of each graph."""
    results = []
    for graph in graphs:
        drawn = [sigma.measure(draw) for draw in nulls.draws(graph, model, seed=0, count=draws)]
        means = {name: float(np.mean([values[name] for values in drawn])) for name in drawn[0]}
        values = sigma.measure(graph)
        results.append((values["clustering"], values["path_length"], sigma.relative(values, means)["sigma"]))
    return results


def networkx_measures(graph: nx.DiGraph) -> tuple[float, float]:
    undirected = graph.to_undirected()
    largest = undirected.subgraph(max(nx.connected_components(undirected), key=len))
    return nx.average_clustering(undirected), nx.average_shortest_path_length(largest)


def networkx_null(graph: nx.DiGraph, model: str, seed: int) -> nx.DiGraph:
    if model == "edges":
        return nx.gnm_random_graph(len(graph), graph.number_of_edges(), seed=seed, directed=True)
    # One swap per edge, fewer than winnow's trades do.
    swaps = graph.number_of_edges()
    return nx.directed_edge_swap(graph.copy(), nswap=swaps, max_tries=100 * swaps, seed=seed)


def timed(function: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--density", type=float, default=0.2, help="density of the masks (default: 0.2)")
    parser.add_argument("--nulls", type=int, default=20, help="null graphs per graph (default: 20)")
    parser.add_argument("--networkx-nulls", type=int, default=1, help="of these, drawn by networkx (default: 1)")
    args = parser.parse_args()

    graphs = masks(args.density)
    print(
        "| graph measures, 2 masks x 3 layers of 256 units, 20 nulls | networkx | winnow | ratio |".replace(
            "20", str(args.nulls)
        )
    )
    print("| --- | ---: | ---: | ---: |")
    for model, title in (("edges", "same node and edge count"), ("degrees", "degree-preserving")):
        fast, found = min(
            (timed(lambda model=model: ours(graphs, model, args.nulls)) for _ in range(3)), key=lambda x: x[0]
        )
        slow = 0.0
        # networkx works on the graphs of one mask, its time counts for each mask.
        for index, graph in enumerate(graphs[:LAYERS]):
            oracle = nx.DiGraph()
            oracle.add_nodes_from(range(UNITS))
            oracle.add_edges_from(map(tuple, np.argwhere(graph.edges.T).tolist()))
            seconds, values = timed(lambda oracle=oracle: networkx_measures(oracle))
            slow += seconds * MASKS
            assert np.allclose(values, found[index][:2]), (values, found[index])
            for draw in range(args.networkx_nulls):
                seconds, _ = timed(
                    lambda oracle=oracle, draw=draw, model=model: networkx_measures(networkx_null(oracle, model, draw))
                )
                slow += seconds * MASKS * args.nulls / args.networkx_nulls
        note = f"nulls: {title} (networkx scaled from 1 mask, {args.networkx_nulls} of {args.nulls} nulls)"
        print(f"| {note} | {slow:.0f} s | {fast:.2f} s | {slow / fast:.0f} |", flush=True)


if __name__ == "__main__":
    main()
