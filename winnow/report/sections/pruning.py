"""Studies that prune: accuracy and speed of tickets by arm, recipe and density, their masks, graphs and rates."""

from __future__ import annotations

import pandas

from winnow.report import words
from winnow.report.content import Axis, Chart, Section, Table

NEEDS = "summary"
READS = ("summary", "rounds", "lr_sweep", "early_stop", "overlap", "layers", "graph", "compression")
GRAPH = ("sigma", "clustering", "path_length", "reciprocity", "spectral_radius", "largest_component_share")
DENSITY = Axis("density", "density: kept share of the prunable weights, %", "log", 100)


def section(tables: dict[str, pandas.DataFrame]) -> Section:
    """What the tables that exist say; `summary` always does."""
    summary = tables["summary"]
    found = Section("How accurate are the networks that remain, by arm, recipe and density?", filters=("arm", "recipe"))
    found.findings += [
        ("Unpruned networks", _dense(summary)),
        ("Arm against arm", _differences(summary)),
        ("Tickets and their controls", _tickets(summary)),
    ]
    if "early_stop" in tables:
        found.findings.append(("How early they stop", _early(tables["early_stop"])))
    if "overlap" in tables:
        found.findings.append(("Which weights are kept", _overlaps(tables["overlap"])))
    if "lr_sweep" in tables:
        found.findings.append(("Learning rates", _rates(tables["lr_sweep"])))
    if (summary["n"] == 1).any():
        found.notes.append(
            "Some numbers rest on one seed: there is no interval, and another seed may turn a difference round."
        )
    if summary["difference_ci95_low"].notna().sum() > 1:
        found.notes.append("Intervals are 95 % each, not corrected for their number: of twenty, one errs on average.")
    found.charts = _charts(tables)
    found.tables.append(
        Table(
            "summary",
            "Accuracy of every arm, recipe and round",
            "Means over seeds with 95 % intervals (Student t), and differences to the reference arm, paired by seed.",
            summary,
            percent=("density", "mean", "sd", "ci95_low", "ci95_high", "mean5", "difference", "difference_ci95_low",
                     "difference_ci95_high"),
        )
    )  # fmt: skip
    if "rounds" in tables:
        found.tables.append(
            Table("rounds", "Every run", "One row per seed.", tables["rounds"],
                  ("density", "test_accuracy", "test_accuracy_mean5", "validation_accuracy", "clipped_share"))
        )  # fmt: skip
    return found


def _dense(summary: pandas.DataFrame) -> list[str]:
    said = []
    for row in summary[summary["recipe"] == "dense"].itertuples():
        if words.missing(row.mean):
            said.append(f"{row.arm}: {words.count(row.diverged, 'seed')}, all of which diverged.")
        else:
            said.append(
                f"{row.arm} reaches {words.accuracy(row.mean, row.ci95_low, row.ci95_high, row.n)} test accuracy dense"
                + (f"; {words.count(row.diverged, 'seed')} diverged." if row.diverged else ".")
            )
    return said


def _differences(summary: pandas.DataFrame) -> list[str]:
    """Each recipe at its sparsest, and how often the difference is clear over its densities."""
    said = []
    with_pairs = summary[summary["difference"].notna()]
    for (arm, recipe), group in with_pairs.groupby(["arm", "recipe"], sort=False):
        sparsest = group.loc[group["density"].idxmin()]
        text = words.compare(
            str(arm), str(sparsest["reference"]), sparsest["difference"], sparsest["difference_ci95_low"],
            sparsest["difference_ci95_high"], sparsest["pairs"], "keeps" if recipe != "dense" else "reaches",
        )  # fmt: skip
        said.append(f"{_of(str(recipe))} at {words.density(sparsest['density'])} density: {text}.")
        if len(group) > 1:
            said[-1] += _tally(group, str(arm))
    return said


def _tally(group: pandas.DataFrame, arm: str) -> str:
    told = [
        words.verdict(row.difference, row.difference_ci95_low, row.difference_ci95_high) for row in group.itertuples()
    ]
    if group["difference_ci95_low"].isna().all():
        ends = words.spread(list(group["difference"]), unit="")
        return f" Over its {len(group)} densities the difference is {ends} points."
    more, less = told.count("more"), told.count("less")
    return (
        f" Of its {len(group)} densities, {arm} is clearly more accurate at {more}, clearly less at {less}, and "
        f"undecided at {len(group) - more - less}."
    )


def _of(recipe: str) -> str:
    return "Unpruned" if recipe == "dense" else f"Recipe {recipe}"


def _meeting(tickets: pandas.DataFrame) -> pandas.DataFrame:
    """The rows at the density that most recipes share, of several such the sparsest."""
    densities = tickets["density"].round(3)
    recipes = tickets.groupby(densities)["recipe"].nunique()
    return tickets[densities == min(recipes[recipes == recipes.max()].index)]


def _tickets(summary: pandas.DataFrame) -> list[str]:
    """Per arm: every recipe at the density where most recipes meet, best first."""
    said = []
    for arm, mine in summary[summary["mean"].notna() & (summary["recipe"] != "dense")].groupby("arm", sort=False):
        there = _meeting(mine).sort_values("mean", ascending=False)
        parts = [
            f"{row.recipe} {words.percent(row.mean)}{words.interval(row.ci95_low, row.ci95_high)}"
            for row in there.itertuples()
        ]
        seeds = sorted(set(there["n"]))
        sample = words.sample(seeds[0], there["ci95_low"].iloc[0])
        sample = sample if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
        said.append(f"{arm} at {words.density(there['density'].iloc[0])} density ({sample}): {words.listing(parts)}.")
    return said


def _early(table: pandas.DataFrame) -> list[str]:
    said = []
    table = table[table["early_stop_iteration"].notna()]
    for arm, mine in table.groupby("arm", sort=False):
        dense, tickets = mine[mine["recipe"] == "dense"], mine[mine["recipe"] != "dense"]
        if len(tickets):
            there = _meeting(tickets)
            parts = [f"{recipe} {_iterations(rows)}" for recipe, rows in there.groupby("recipe", sort=False)]
            parts += [f"the dense network {_iterations(dense)}"] if len(dense) else []
            said.append(
                f"{arm} at {words.density(there['density'].iloc[0])} density has its smallest validation loss at iteration: "
                f"{words.listing(parts)} (smallest to largest of {words.count(there['seed'].nunique(), 'seed')})."
            )
    return said


def _iterations(rows: pandas.DataFrame) -> str:
    return words.spread(list(rows["early_stop_iteration"]), 1, "", 0)


def _overlaps(table: pandas.DataFrame) -> list[str]:
    said = []
    arms = table[(table["comparison"] == "arms") & (table["part"] == "all")]
    for (recipe, a, b), group in arms.groupby(["recipe_a", "arm_a", "arm_b"], sort=False):
        last = group[group["round_a"] == group["round_a"].max()]
        said.append(
            f"Recipe {recipe}, round {last['round_a'].iloc[0]}: of the weights that {a} or {b} keeps, "
            f"{words.spread(list(last['jaccard']), digits=1)} are kept by both; random masks of these sizes would share "
            f"{words.spread(list(last['chance']), digits=1)} ({words.count(len(last), 'seed')})."
        )
    return said


def _rates(table: pandas.DataFrame) -> list[str]:
    said = []
    for arm, mine in table.groupby("arm", sort=False):
        chosen = mine[mine["selected"]]
        if chosen.empty:
            continue
        ends = sorted(set(mine["lr"]), key=float)
        edge = " It is the end of the range that was tried." if chosen["lr"].iloc[0] in (ends[0], ends[-1]) else ""
        said.append(
            f"{arm}: validation loss was smallest at rate {chosen['lr'].iloc[0]} "
            f"({words.spread(list(chosen['selection_loss']), 1, ' nats', 3)}, {words.count(len(chosen), 'seed')}), "
            f"of {words.count(len(ends), 'rate')} from {ends[0]} to {ends[-1]}.{edge}"
        )
    return said


def _charts(tables: dict[str, pandas.DataFrame]) -> list[Chart]:
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
        columns = ["arm", "recipe", "round", "density", "reference", "difference", "difference_ci95_low",
                   "difference_ci95_high", "pairs"]  # fmt: skip
        charts.append(
            Chart(
                "difference", f"Difference to {pairs['reference'].iloc[0]}",
                "Mean difference in test accuracy, paired by seed, with its 95 % interval; 0 means as accurate.",
                pairs[columns], DENSITY, Axis("difference", f"points more than {pairs['reference'].iloc[0]}", factor=100),
                colour="arm", dash="recipe", low="difference_ci95_low", high="difference_ci95_high", lines=True, zero=True,
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
                "Weights kept by both masks, as a share of those kept by either, against that of random masks: above the "
                "diagonal of equal values, arms agree on more than chance.",
                between[["part", "recipe", "round", "arm_a", "arm_b", "seed_a", "jaccard", "chance"]],
                Axis("chance", "expected of random masks, %", factor=100), Axis("jaccard", "Jaccard overlap, %", factor=100),
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
        if len(headline):
            charts.append(
                Chart(
                    "graph", "The graph that remains",
                    "Graph measures of the kept connections, one point per seed. With a null model, `null_mean` is its "
                    "mean and z says how many of its standard deviations lie between.",
                    headline[["part", "measure", "arm", "recipe", "density", "seed", "value", "null", "null_mean", "z"]],
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
