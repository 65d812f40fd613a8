"""Charts of a study that prunes."""

from __future__ import annotations

import pandas

from winnow.report.content import Axis, Chart

GRAPH = ("sigma", "clustering", "path_length", "reciprocity", "spectral_radius", "largest_component_share")
DENSITY = Axis("density", "density: kept share of the prunable weights, %", "log", 100)


def charts(tables: dict[str, pandas.DataFrame]) -> list[Chart]:
    summary = tables["summary"]
    charts = [
        Chart(
            "accuracy", "Test accuracy against density",
            "Mean over seeds at the last epoch; bars are 95 % intervals of the mean, absent with one seed.",
            summary[["arm", "recipe", "round", "density", "mean", "ci95_low", "ci95_high", "n", "diverged"]],
            DENSITY, Axis("mean", "test accuracy, %", factor=100),
            colour="arm", dash="recipe", low="ci95_low", high="ci95_high", lines=True,
        )
    ]  # fmt: skip
    if summary["difference"].notna().any():
        pairs = summary[summary["difference"].notna()]
        reference = pairs["reference"].iloc[0]
        columns = ["arm", "recipe", "round", "density", "reference", "difference", "difference_ci95_low",
                   "difference_ci95_high", "pairs"]  # fmt: skip
        charts.append(
            Chart(
                "difference", f"Difference to {reference}",
                "Mean difference in test accuracy, paired by seed, with its 95 % interval; 0 means as accurate.",
                pairs[columns], DENSITY, Axis("difference", f"points more than {reference}", factor=100),
                colour="arm", dash="recipe", low="difference_ci95_low", high="difference_ci95_high", lines=True,
                zero=True,
            )
        )  # fmt: skip
    if "early_stop" in tables:
        charts.append(
            Chart(
                "early_stop", "Early-stop iteration against density",
                "Iteration of the smallest validation loss, one line per seed: lower means that it learns faster.",
                tables["early_stop"][["arm", "recipe", "density", "seed", "early_stop_iteration", "test_accuracy"]],
                DENSITY, Axis("early_stop_iteration", "early-stop iteration"),
                colour="recipe", dash="arm", by="seed", lines=True, choose=("arm",),
            )
        )  # fmt: skip
    if "overlap" in tables:
        between = tables["overlap"][tables["overlap"]["comparison"] == "arms"]
        between = between.rename(columns={"recipe_a": "recipe", "round_a": "round"})
        charts.append(
            Chart(
                "overlap", "Overlap of the arms' masks",
                "Weights kept by both masks, as a share of those kept by either, against what random masks of these "
                "sizes would "
                "share.",
                between[["part", "recipe", "round", "arm_a", "arm_b", "seed_a", "jaccard", "chance"]],
                Axis("chance", "expected of random masks, %", factor=100), Axis("jaccard",
                "Jaccard overlap, %", factor=100),
                colour="part", dash="recipe",
            )
        )  # fmt: skip
    if "layers" in tables:
        charts.append(
            Chart(
                "layers", "Where the weights are kept",
                "Density of every tensor against that of the network, one point per seed.",
                tables["layers"], DENSITY, Axis("layer_density", "density of the tensor, %", "log", 100),
                colour="tensor", by="seed", lines=True, choose=("arm", "recipe"),
            )
        )  # fmt: skip
    if "graph" in tables:
        graph = tables["graph"]
        headline = graph[graph["measure"].isin(GRAPH) & graph["value"].notna()].fillna({"null": "none"})
        headline = headline.sort_values("measure", key=lambda names: names.map(GRAPH.index), kind="stable")
        if len(headline):
            charts.append(
                Chart(
                    "graph", "The graph that remains",
                    "Graph measures of the kept connections, one point per seed. With a null model chosen, each "
                    "point also tells its mean and how many of its standard deviations (z) lie between.",
                    headline[["part", "measure", "arm", "recipe", "density", "seed", "value", "null",
                    "null_mean", "z"]],
                    DENSITY, Axis("value", "value"),
                    colour="arm", dash="recipe", by="seed", lines=True, choose=("measure", "part", "null"),
                )
            )  # fmt: skip
    if "lr_sweep" in tables:
        charts.append(
            Chart(
                "rates", "Learning-rate sweep",
                "Validation loss that selection looks at, against the rate; one point per seed.",
                tables["lr_sweep"].assign(lr=tables["lr_sweep"]["lr"].astype(float)),
                Axis("lr", "learning rate", "log"), Axis("selection_loss", "validation loss, nats"),
                colour="arm", by="seed", lines=True,
            )
        )  # fmt: skip
    if "compression" in tables:
        charts.append(
            Chart(
                "compression", "Compression and speed",
                "Measured speed of masked dense training, relative to the dense run of the same seeds.",
                tables["compression"][["arm", "recipe", "density", "seed", "compression", "theoretical_speedup",
                                       "measured_speedup", "images_per_second"]],
                Axis("compression", "compression, times", "log"), Axis("measured_speedup", "measured speed-up, times"),
                colour="arm", dash="recipe",
            )
        )  # fmt: skip
    return charts
