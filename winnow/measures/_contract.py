"""What a measure is: a file in this folder, named as in config, holding either of two kinds.

A graph measure has the literal constants

    GRAPHS = ("recurrent", "whole")    # the kinds of `winnow.graphs.Graph` it is defined on; "input": bipartite
    NULLS = True                       # whether it is compared with null models

and `measure(graph) -> {name: number}`. It may use the cached matrices of the graph (`links`, `common_neighbours`,
`distances`, ...), which all measures share. `graph.weights` is None in null models, so a measure of weights has NULLS
False. A measure that is itself a comparison (sigma) also has `relative(values, null_means) -> {name: number}`: then
`measure` gives its ingredients, and what `relative` makes of them is reported, once per null model.

A weight measure has `WEIGHTS = True` and `measure(sample) -> {name: number}` of a `winnow.distributions.Sample`.

Every file says in its docstring what its numbers are, their unit and their source; docs/files.md lists them all. An
error is a ValueError: weights asked of a graph that has none. A number that is undefined (the clustering of a graph
without edges) is NaN, not 0; a name that does not apply is left out. Names are unique over all measures of a kind.
"""
