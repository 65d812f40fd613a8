"""The columns of every table, with their units: docs/files.md is generated from here.

Accuracies and densities lie in [0, 1]; losses are mean cross-entropies in nats; an empty cell means "not applicable".
"""

_RUN = {
    "arm": "arm of the study",
    "recipe": "recipe; 'dense' for the unpruned run",
    "round": "round; 0 is the dense run",
    "density": "kept share of the prunable weights that was trained",
    "seed": "random seed of the lane",
}
_MEASURE = {
    "part": "'recurrent<i>' or 'input<i>' (layer i), 'whole' (all layers joined), for weights also 'all'",
    "measure": "name of the measure (unit in the name where it has one)",
    "value": "measured value",
}
_NULL = {
    "null": "null model: 'edges', 'degrees', 'layers'; empty for the measure by itself",
    "null_mean": "mean over the null draws",
    "null_sd": "standard deviation over the null draws",
    "z": "(value - null_mean) / null_sd",
    "draws": "number of null draws",
}
_STATE = {
    "state": "'init', 'rewind', 'final'; for a round 'selected' (kept weights as its mask was made from them), 'final'"
}
_BIN = {
    "quantity": "'abs' (|w|) or 'log10_abs' (log10|w|); exact zeros are left out",
    "bin_left": "left edge of the bin",
    "bin_right": "right edge of the bin",
    "count": "number of weights in the bin",
}
_NODE = {
    "part": "'recurrent<i>' or 'whole'",
    "node": "unit index within the part",
    "in_degree": "incoming edges, self-loops not counted",
    "out_degree": "outgoing edges, self-loops not counted",
    "degree": "neighbours in the undirected view",
    "in_strength": "sum of |w| over incoming edges",
    "out_strength": "sum of |w| over outgoing edges",
    "clustering": "clustering coefficient in the undirected view (Watts and Strogatz)",
    "clustering_directed": "directed clustering coefficient (Fagiolo 2007)",
}

SCHEMAS: dict[str, dict[str, str]] = {
    # one per training run
    "metrics": {
        "seed": "random seed of the lane",
        "epoch": "epochs trained since initialisation (a rewound run starts at its rewind point)",
        "iteration": "iterations trained since initialisation",
        "lr": "learning rate of the last step",
        "density": "kept share of the prunable weights that was trained",
        "train_loss": "mean loss over the minibatches since the row before",
        "train_accuracy": "accuracy over the same minibatches",
        "validation_loss": "mean loss over the validation images; empty when training on all images",
        "validation_accuracy": "accuracy on the validation images",
        "test_loss": "mean loss over the test images",
        "test_accuracy": "accuracy on the test images",
        "clipped_share": "share of the steps since the row before in which the gradient was clipped",
        "diverged_step": "iteration at which the lane diverged and was frozen; empty if it did not",
    },
    "edges": {
        "seed": "random seed of the lane",
        "tensor": "name of the prunable tensor",
        "source": "index of the sending unit (column)",
        "target": "index of the receiving unit (row)",
        "weight": "weight of the kept edge at the end of the run",
    },
    "run_graph": {"seed": _RUN["seed"], **_MEASURE, **_NULL},
    "run_nodes": {"seed": _RUN["seed"], **_NODE},
    "run_weights": {"seed": _RUN["seed"], **_STATE, **_MEASURE},
    "run_histograms": {"seed": _RUN["seed"], **_STATE, "part": _MEASURE["part"], **_BIN},
    # joint tables of a study
    "lr_sweep": {
        "arm": _RUN["arm"],
        "lr": "learning rate",
        "seed": _RUN["seed"],
        "selection_loss": "mean validation loss over the last epochs that selection looks at",
        "validation_accuracy": "validation accuracy at the last epoch",
        "test_accuracy": "test accuracy at the last epoch (never used to choose)",
        "test_accuracy_mean5": "mean test accuracy over the last 5 evaluations",
        "diverged_step": "iteration at which the lane diverged; empty if it did not",
        "selected": "true for the rate that selection chose",
    },
    "curves": {
        **_RUN,
        "lr": "learning rate of the run",
        "epoch": "epochs trained since initialisation",
        "train_loss": "mean training loss of the epoch",
        "train_accuracy": "training accuracy of the epoch",
        "validation_loss": "validation loss; empty when training on all images",
        "test_loss": "test loss",
        "test_accuracy": "test accuracy",
    },
    "rounds": {
        **_RUN,
        "lr": "learning rate of the run",
        "train_loss": "training loss of the last epoch",
        "test_loss": "test loss at the last epoch",
        "test_accuracy": "test accuracy at the last epoch",
        "test_accuracy_mean5": "mean test accuracy over the last 5 evaluations",
        "validation_accuracy": "validation accuracy at the last epoch; empty when training on all images",
        "clipped_share": "share of clipped steps in the last epoch",
        "diverged_step": "iteration at which the lane diverged; empty if it did not",
    },
    "summary": {
        "arm": _RUN["arm"],
        "recipe": _RUN["recipe"],
        "round": _RUN["round"],
        "density": _RUN["density"],
        "mean": "mean test accuracy at the last epoch over the seeds that did not diverge",
        "sd": "standard deviation (n - 1); empty for n = 1",
        "n": "number of seeds that did not diverge",
        "diverged": "number of seeds that diverged",
        "ci95_low": "lower end of the 95 % interval of the mean (Student t); empty for n = 1",
        "ci95_high": "upper end",
        "mean5": "mean over seeds of the mean test accuracy over the last 5 evaluations",
        "reference": "arm that the paired difference is taken to; empty for that arm itself",
        "difference": "mean over common seeds of (this arm - reference arm) at the same recipe and round",
        "difference_ci95_low": "lower end of its 95 % interval (paired Student t)",
        "difference_ci95_high": "upper end",
        "pairs": "number of common seeds",
        "correlation": "correlation of the paired accuracies; empty below 3 pairs",
    },
    "layers": {
        **_RUN,
        "tensor": "name of the prunable tensor",
        "kept": "number of kept weights",
        "total": "number of weights",
        "layer_density": "kept / total",
    },
    "graph": {**_RUN, **_MEASURE, **_NULL},
    "nodes": {**_RUN, **_NODE},
    "weights": {**_RUN, **_STATE, **_MEASURE},
    "histograms": {**_RUN, **_STATE, "part": _MEASURE["part"], **_BIN},
    "overlap": {
        "comparison": "'arms', 'seeds', 'rounds' or 'initial' (with the magnitude mask at initialisation)",
        "part": "prunable tensor, or 'all'",
        "arm_a": "arm of the first mask",
        "recipe_a": "recipe of the first mask",
        "round_a": "round of the first mask",
        "seed_a": "seed of the first mask",
        "arm_b": "arm of the second mask",
        "recipe_b": "recipe of the second mask",
        "round_b": "round of the second mask",
        "seed_b": "seed of the second mask",
        "jaccard": "kept by both / kept by either",
        "chance": "expected Jaccard overlap of two random masks of these sizes; for 'rounds', of one within the other",
    },
    "components": {
        "arm": _RUN["arm"],
        "recipe": _RUN["recipe"],
        "round": _RUN["round"],
        "density": _RUN["density"],
        "seed": _RUN["seed"],
        "part": "'recurrent<i>'",
        "source": "sending unit",
        "target": "receiving unit",
        "weight": "weight of the kept edge at the end of the run, within the largest weak component",
    },
}
