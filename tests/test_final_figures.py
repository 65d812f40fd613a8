"""What the figures of a study of optimisers show, beside the contract of all figures."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from synthetic_finals import ACCURACIES, ELSEWHERE, Finals
from synthetic_tables import read_back

from winnow import plugins
from winnow.figures import _arms as shared
from winnow.figures import _labels as labels
from winnow.figures import _style as style

FIGURES = (
    "optimizer_curves", "outcomes", "time_to_target", "performance_profile", "accuracy_by_sparsifier",
    "lr_sensitivity", "step_losses",
)  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The tables of all 28 arms in all 12 scenarios, those that a figure asks for."""
    study, root = Finals(), tmp_path_factory.mktemp("tables")
    return cache(lambda name: read_back(root, name, getattr(study, name)()))


def _draw(name: str, tables: Any, **others: pandas.DataFrame) -> Figure:
    with matplotlib.rc_context(dict(matplotlib.rcParamsDefault) | style.RC):
        module = plugins.load("figures", name)
        figure: Figure = module.draw(
            {table: others[table] if table in others else tables(table) for table in module.TABLES}
        )
        return figure


def _line(axis: Axes, colour: str, **looks: Any) -> Line2D:
    return next(
        line
        for line in axis.lines
        if line.get_color() == colour and all(getattr(line, f"get_{key}")() == value for key, value in looks.items())
    )


def _texts(axis: Axes) -> list[str]:
    return [text.get_text() for text in axis.texts]


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_overlaps_with_all_arms_and_scenarios(name: str, tables: Any) -> None:
    """Annotations, titles and tick labels, as they are laid out. A layout that fails is a warning, and fails."""
    figure = _draw(name, tables)
    with matplotlib.rc_context(dict(matplotlib.rcParamsDefault) | style.RC):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    renderer = canvas.get_renderer()
    boxes = []
    for axis in (axis for axis in figure.axes if axis.get_visible()):
        low, high = axis.get_xlim()
        shown = [tick for tick in axis.get_xticklabels() if low <= tick.get_position()[0] <= high]
        shown += [*axis.get_yticklabels(), *(child for child in axis.get_children() if isinstance(child, Text))]
        for text in (text for text in shown if text.get_visible() and text.get_text()):
            box = Text.get_window_extent(text, renderer)  # of an annotation without its line
            boxes.append((text.get_text(), box.shrunk(0.98, 0.7)))  # fonts have room above and below
    overlaps = [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.overlaps(other)]
    assert overlaps == []


def test_names_of_methods_and_scenarios() -> None:
    names = {"sgd": "SGD", "sgd_batch1": "SGD batch 1", "schedule_free_adamw": "schedule-free AdamW", "k_fac": "K-FAC",
              "muon_batch32": "Muon batch 32", "gd_full_batch": "GD full batch", "own_idea": "own idea"}  # fmt: skip
    assert {name: shared.label(name) for name in names} == names
    scenarios = {"plain": "plain cross-entropy", "sparse60_iht": "60 % kept, IHT", "density05": "5 % kept",
                 "label_smoothing": "label smoothing", "sparse60_own": "60 % kept, own"}  # fmt: skip
    assert {name: shared.scenario_label(name) for name in scenarios} == scenarios


def test_the_best_the_reference_and_the_starter_are_singled_out(tables: Any) -> None:
    outcomes = tables("outcomes").assign(reference="sgd")
    arms = shared.Arms(outcomes)
    plain = outcomes[outcomes["scenario"] == "plain"].nlargest(5, "test_accuracy")["arm"].tolist()
    assert arms.ranked[:5] == plain
    assert arms.chosen == [*plain, "sgd", "starter"]
    looks = arms.looks(arms.chosen)
    assert len({(look["color"], look["linestyle"]) for look in looks.values()}) == 7
    fewer = arms.looks(["adam", plain[3], "lion"])
    assert fewer[plain[3]] == looks[plain[3]]
    assert len({look["color"] for look in fewer.values()}) == 3


@pytest.mark.parametrize(("low", "high", "least", "ticks"), [
    (0.0009, 1.2, 2, [0.001, 0.01, 0.1, 1.0]),
    (0.02, 0.5, 2, [0.03, 0.1, 0.3]),
    (2.1, 4.9, 2, [3.0, 4.0]),
    (1.0, 6.0, 4, [1.0, 2.0, 3.0, 4.0, 6.0]),
])  # fmt: skip
def test_logarithmic_ticks_are_round(low: float, high: float, least: int, ticks: list[float]) -> None:
    assert labels.log_ticks(low, high, 0.15, least) == ticks


def test_ticks_are_short() -> None:
    assert [labels.short(value) for value in (0.03, 20, 1e-4, 5e6, 3e11, 1.0)] == [
        "0.03",
        "20",
        "1e-4",
        "5e6",
        "3e11",
        "1",
    ]


def test_curves_are_means_of_the_seeds_that_did_not_diverge(tables: Any) -> None:
    course = tables("course")
    runs = tables("final_runs").copy()
    lost = (runs["arm"] == "muon") & (runs["seed"] == 0)
    runs.loc[lost, "diverged_step"] = 5000
    figure = _draw("optimizer_curves", tables, final_runs=runs)
    axis = figure.axes[0]
    mine = course[(course["scenario"] == "plain") & (course["arm"] == "muon") & (course["seed"] != 0)]
    line = _line(axis, style.COLOURS[0])
    assert line.get_ydata() == pytest.approx(100 * mine.groupby("epoch")["test_accuracy"].mean().to_numpy())
    assert len([line for line in axis.lines if line.get_color() == shared.PALE]) == len(ACCURACIES) - 6
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(named[:6]) == {"Muon", "SOAP", "EMA", "momentum", "Nesterov (reference)", "starter"}
    losses = _line(figure.axes[1], style.COLOURS[0]).get_ydata()
    assert losses == pytest.approx(mine.groupby("epoch")["test_loss"].mean().to_numpy())


def test_of_many_scenarios_curves_show_the_first(tables: Any) -> None:
    assert len(_draw("optimizer_curves", tables).axes) == 3
    few = tables("course")[tables("course")["scenario"].isin(["plain", "l2"])]
    titles = [axis.get_title(loc="left") for axis in _draw("optimizer_curves", tables, course=few).axes]
    assert titles == ["plain cross-entropy", "", "", "with L2", "", ""]


def test_outcomes_are_sorted_with_every_seed_and_targets(tables: Any) -> None:
    figure = _draw("outcomes", tables)
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        shared.scenario_label(name) for name in style.ordered(tables("outcomes")["scenario"])
    ]
    axis = figure.axes[0]
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names[0] == "Muon"
    assert names[-1] == "GD full batch"
    assert "hypentropy (×1)" in names
    plain = tables("outcomes")[tables("outcomes")["scenario"] == "plain"]
    means = [f"{100 * one:.2f}" for one in plain["test_accuracy"].sort_values(ascending=False)]
    assert [text for text in _texts(axis) if text != "◂"] == means
    assert _texts(axis).count("◂") == (100 * plain["test_accuracy"] < 87.38).sum()
    seeds = _line(axis, style.COLOURS[0], marker=".").get_xdata()
    runs = tables("final_runs")
    muon = runs[(runs["scenario"] == "plain") & (runs["arm"] == "muon")]
    assert sorted(seeds) == pytest.approx(sorted(100 * muon["test_accuracy"]))
    dashed = [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == "--"]
    assert dashed == pytest.approx([89.38, 91.0])
    sparse = figure.axes[[*style.ordered(tables("outcomes")["scenario"])].index("density02")]
    assert not [line for line in sparse.lines if line.get_linestyle() == "--"]  # far from any target


def test_outcomes_say_that_an_arm_diverged_in_every_seed(tables: Any) -> None:
    outcomes = tables("outcomes").copy()
    lost = (outcomes["scenario"] == "plain") & (outcomes["arm"] == "lion")
    measured = [name for name in outcomes if name.startswith("test_")]
    outcomes.loc[lost, measured] = np.nan
    outcomes.loc[lost, ["n", "diverged"]] = 0, 5
    axis = _draw("outcomes", tables, outcomes=outcomes).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()][-1] == "Lion (×5)"
    assert _texts(axis)[-1] == "every seed diverged"


def test_a_median_counts_seeds_that_never_arrived_and_others_are_listed() -> None:
    lanes = {"most": [10, 20, None], "few": [5, None, None], "none": [None, None, None], "all": [30, 40, 50]}
    rows = [
        {
            "scenario": "plain",
            "arm": arm,
            "seed": seed,
            "target": 0.9,
            **dict.fromkeys(("epoch", *shared.MEASURES), cost),
        }
        for arm, costs in lanes.items()
        for seed, cost in enumerate(costs)
    ]
    figure = _draw("time_to_target", None, time_to_target=pandas.DataFrame(rows))
    first, *_, last = figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["most", "all", "few"]
    medians = [line.get_xdata()[0] for line in first.lines if line.get_marker() == "o"]
    assert medians == [20, 40]
    assert sorted(len(line.get_xdata()) for line in first.lines if line.get_marker() == ".") == [1, 2, 3]
    assert _texts(last) == ["2/3", "3/3", "1/3"]
    assert figure.get_supxlabel() == "plain cross-entropy, no target reached with any of 3 seeds: none"


def test_profiles_of_the_largest_area_are_in_colour(tables: Any) -> None:
    figure = _draw("performance_profile", tables)
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(entries) == 6
    assert {"Muon", "SOAP"} <= set(entries)
    table = tables("performance_profile")
    mine = table[(table["scenario"] == "plain") & (table["measure"] == "seconds") & (table["arm"] == "muon")]
    line = _line(figure.axes[2], style.COLOURS[0])
    assert line.get_drawstyle() == "steps-post"
    assert line.get_ydata()[:-1] == pytest.approx(100 * mine["share"].to_numpy())
    assert line.get_xdata()[:-1] == pytest.approx(mine["tau"].to_numpy())
    assert line.get_xdata()[-1] == figure.axes[2].get_xlim()[1]


def test_sparse_outcomes_stand_beside_the_dense_one_of_the_arm(tables: Any) -> None:
    figure = _draw("accuracy_by_sparsifier", tables)
    outcomes = tables("outcomes").set_index(["scenario", "arm"])["test_accuracy"]
    names = [axis.get_title(loc="left").split(",")[0] for axis in figure.axes]
    assert set(names) == set(map(shared.label, ELSEWHERE))
    axis = figure.axes[names.index("EG±")]
    dense = next(line for line in axis.lines if line.get_linestyle() == ":")
    assert dense.get_ydata()[0] == pytest.approx(100 * outcomes["plain", "eg_pm"])
    gradual = next(line for line in axis.lines if len(line.get_xdata()) == 5)
    thinner = ["density02", "density05", "density10", "density30", "sparse60_gradual"]
    assert gradual.get_ydata() == pytest.approx([100 * outcomes[name, "eg_pm"] for name in thinner])


def test_trials_of_the_rate_mark_the_chosen_the_lost_and_the_bad(tables: Any) -> None:
    table = tables("tuning")
    figure = _draw("lr_sensitivity", tables)
    panels = {axis.get_title(loc="left"): axis for axis in figure.axes if axis.get_visible()}
    assert len(panels) == len(ACCURACIES)
    muon = table[(table["scenario"] == "plain") & (table["arm"] == "muon")]
    chosen = _line(panels["Muon"], style.COLOURS[1])
    best = muon[muon["chosen"]].iloc[0]
    assert (chosen.get_xdata()[0], chosen.get_ydata()[0]) == (float(best["lr"]), 100 * best["validation_accuracy"])
    lost = table[(table["arm"] == "hypentropy") & (table["scenario"] == "plain") & table["validation_accuracy"].isna()]
    crosses = next(line for line in panels["hypentropy"].lines if line.get_marker() == "x")
    assert len(crosses.get_xdata()) == len(lost) > 0
    assert not [line for line in panels["Muon"].lines if line.get_marker() == "x"]
    bad = [line for line in panels["GD full batch"].lines if line.get_marker() == "v"]
    assert len(bad) == ((table["arm"] == "gd_full_batch") & (table["scenario"] == "plain")).sum()


def test_step_losses_show_the_first_seed_and_a_running_mean(tables: Any) -> None:
    axis = _draw("step_losses", tables).axes[0]
    losses = tables("step_losses").pivot(index="step", columns="seed", values="loss")
    raw, mean = axis.lines
    assert raw.get_ydata() == pytest.approx(losses[0].to_numpy())
    assert mean.get_ydata()[1000] == pytest.approx(losses.mean(axis=1).iloc[975:1025].mean())
