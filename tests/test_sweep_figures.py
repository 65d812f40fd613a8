"""What the figures of sweeps show, beside the contract of all figures."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from synthetic_tables import read_back
from synthetic_trials import CLASSES, Sweeps

from winnow import plugins
from winnow.figures import _style as style
from winnow.figures import _trials as look

FIGURES = (
    "parallel_coordinates", "importance", "accuracy_vs_trial", "accuracy_vs_time", "confusion_matrix",
    "loss_comparison", "carry_over", "class_samples", "class_probabilities",
)  # fmt: skip


def _tables(root: Path, *names: str, **options: object) -> dict[str, pandas.DataFrame]:
    sweeps = Sweeps()
    defaults = {"arms": ("seed", "wider"), "seeds": (0, 1), "diverged": (0,), "trials_each": 60}
    for name, value in {**defaults, **options}.items():
        setattr(sweeps, name, value)
    return {name: read_back(root, name, getattr(sweeps, name)()) for name in names}


def _draw(name: str, tables: dict[str, pandas.DataFrame]) -> Figure:
    with matplotlib.rc_context(dict(matplotlib.rcParamsDefault) | style.RC):
        figure: Figure = plugins.load("figures", name).draw(tables)
        return figure


def _lines(axis: Axes) -> list[LineCollection]:
    return [one for one in axis.collections if isinstance(one, LineCollection)]


@pytest.mark.parametrize("name", FIGURES)
def test_many_short_sweeps_fit(name: str, tmp_path: Path) -> None:
    """A layout that fails is a warning, and a warning fails the test. None diverged: nothing is drawn for those."""
    names = plugins.load("figures", name).TABLES
    tables = _tables(tmp_path, *names, arms=("a", "b", "c", "d"), seeds=(0,), diverged=(), trials_each=9)
    _draw(name, tables).savefig(BytesIO(), format="png", dpi=30)


def test_parallel_coordinates_have_a_line_per_trial_and_the_best_last(tmp_path: Path) -> None:
    tables = _tables(tmp_path, "trials")
    figure = _draw("parallel_coordinates", tables)
    trials = tables["trials"][tables["trials"]["sweep"] == "seed"]
    lost, others, best = (one.get_segments() for one in _lines(figure.axes[0]))
    assert len(lost) == trials["validation_accuracy"].isna().sum() > 0
    assert len(others) + len(best) + len(lost) == len(trials)
    assert len(best) == 10
    assert min(line[-1, 1] for line in best) >= max(line[-1, 1] for line in others)
    ends = sorted(line[-1, 1] for line in [*others, *best])
    accuracies = 100 * np.sort(trials["validation_accuracy"].dropna())
    assert np.corrcoef(ends, look.place(accuracies))[0, 1] == pytest.approx(1)
    assert {line[-1, 1] for line in lost} == {-0.1}


def test_axes_of_parallel_coordinates_are_the_settings_that_differ(tmp_path: Path) -> None:
    tables = _tables(tmp_path, "trials")
    tables["trials"]["batch_size"] = 32
    names = [
        label.get_text().replace("\n", " ") for label in _draw("parallel_coordinates", tables).axes[0].get_xticklabels()
    ]
    assert "batch size" not in names
    assert (names[0], names[-1], len(names)) == ("epochs", look.ACCURACY, 9)


def test_choices_are_at_one_height_with_little_jitter(tmp_path: Path) -> None:
    tables = _tables(tmp_path, "trials")
    _, others, _ = _lines(_draw("parallel_coordinates", tables).axes[0])
    heights = np.array([line[3, 1] for line in others.get_segments()])  # weight decay: 0, 0.0005, 0.5
    near = np.abs(heights[:, None] - [0, 0.5, 1]).min(axis=1)
    assert near.max() < 0.1
    assert len(set(heights)) == len(heights)


@pytest.mark.parametrize("name", ["accuracy_vs_trial", "accuracy_vs_time"])
def test_the_best_so_far_never_falls_and_ends_at_the_best_finished_trial(name: str, tmp_path: Path) -> None:
    tables = _tables(tmp_path, "trials")
    trials = tables["trials"]
    stopped = trials["validation_accuracy"].idxmax()
    tables["trials"].loc[stopped, "state"] = "pruned"  # what it had reached is no result
    step = next(line for line in _draw(name, tables).axes[0].lines if line.get_drawstyle() == "steps-post")
    heights = np.asarray(step.get_ydata())
    assert (np.diff(heights) >= 0).all()
    complete = trials[(trials["sweep"] == "seed") & (trials["state"] == "complete")]
    assert heights[-1] == 100 * complete["validation_accuracy"].max()


@pytest.mark.parametrize(("longest", "unit"), [(30.0, "seconds"), (600.0, "minutes"), (9000.0, "hours")])
def test_units_of_time(longest: float, unit: str, tmp_path: Path) -> None:
    tables = _tables(tmp_path, "trials", arms=("seed",))
    tables["trials"]["finished"] *= longest / tables["trials"]["finished"].max()
    axis = _draw("accuracy_vs_time", tables).axes[0]
    assert axis.get_xlabel().startswith(unit)
    step = next(line for line in axis.lines if line.get_drawstyle() == "steps-post")
    assert np.max(step.get_xdata()) == pytest.approx(longest / {"seconds": 1, "minutes": 60, "hours": 3600}[unit])


def test_accuracies_have_a_place_and_come_back() -> None:
    percents = np.array([0.0, 10, 88.8, 99.9, 100])
    assert look.percent(look.place(percents)) == pytest.approx(percents)
    assert (np.diff(look.place(percents)) > 0).all()


@pytest.mark.parametrize("shares", [[0.1, 0.9], [0.883, 0.884], [1.0, 1.0], [0.0], []])
def test_an_axis_of_accuracies_holds_them_and_has_ticks(shares: list[float]) -> None:
    low, high = look.ends(shares)
    assert low < high < 101
    assert all(low < 100 * share < high for share in shares)
    assert all(low <= tick <= high for tick in look.ticks(low, high))
    assert len(look.ticks(low, high)) >= 2


def test_bars_of_importance_are_the_tables(tmp_path: Path) -> None:
    tables = _tables(tmp_path, "importance", "values", arms=("seed",))
    shares, numbers, names = _draw("importance", tables).axes
    assert [bar.get_width() for bar in shares.patches] == pytest.approx(100 * tables["importance"]["importance"])
    assert shares.get_yticklabels()[0].get_text() == "weight decay"
    known = tables["importance"].dropna(subset=["correlation"])
    assert [bar.get_width() for bar in numbers.patches] == pytest.approx(known["correlation"].tolist())
    assert {label.get_text() for label in names.get_yticklabels()} >= {"ReLU", "Xavier", "Nesterov"}
    assert len(shares.patches) == len(numbers.patches) + 3


def test_cells_of_the_confusion_matrix_are_shares_of_the_true_class(tmp_path: Path) -> None:
    rows = [
        {"sweep": "seed", "seed": seed, "true": true, "predicted": predicted, "count": count}
        for seed in (0, 1)
        for (true, predicted), count in {(0, 0): 30, (0, 1): 10, (1, 0): 0, (1, 1): 5}.items()
    ]
    tables = {"confusion": pandas.DataFrame(rows), **_tables(tmp_path, "per_class")}
    axis = _draw("confusion_matrix", tables).axes[0]
    assert {text.get_position(): text.get_text() for text in axis.texts} == {(0, 0): "75", (1, 0): "25", (1, 1): "100"}
    assert "2 seeds, test accuracy 77.8 %" in axis.get_title(loc="left")  # 35 of 45


def test_pairs_of_losses_lack_those_of_a_diverged_run(tmp_path: Path) -> None:
    figure = _draw("loss_comparison", _tables(tmp_path, "losses", pairs=6))
    assert figure.axes[0].get_title(loc="left") == "test accuracy of 5 pairs"
    assert "1 with squared error" in figure.axes[0].texts[0].get_text()


def test_the_image_beside_its_probabilities_is_that_one(tmp_path: Path) -> None:
    tables = _tables(tmp_path, "probabilities", "samples")
    figure = _draw("class_probabilities", tables)
    mine = tables["samples"][tables["samples"]["image"] == 60_012]
    assert figure.axes[0].images[0].get_array().ravel().tolist() == mine["value"].tolist()
    bold = [label.get_text() for label in figure.axes[1].get_yticklabels() if label.get_fontweight() == "bold"]
    assert bold == ["Coat"]
    means = tables["probabilities"].groupby(["sweep", "class"], sort=False)["probability"].mean()["seed"]
    assert [bar.get_width() for bar in figure.axes[1].patches] == pytest.approx((100 * means).tolist())
    without = tables["samples"][tables["samples"]["image"] != 60_012]
    assert not _draw("class_probabilities", {**tables, "samples": without}).axes[0].images


def test_samples_are_one_image_per_class(tmp_path: Path) -> None:
    figure = _draw("class_samples", _tables(tmp_path, "samples"))
    assert [axis.get_title() for axis in figure.axes] == list(CLASSES)
    assert all(axis.images[0].get_array().shape == (4, 4) for axis in figure.axes)


def test_carried_configurations_are_named(tmp_path: Path) -> None:
    tables = _tables(tmp_path, "carry_over")
    figure = _draw("carry_over", tables)
    assert "MNIST" in figure.axes[1].get_ylabel()
    first = tables["carry_over"].iloc[0]
    assert (
        figure.axes[1].get_xticklabels()[0].get_text().startswith(f"1: {first['num_layers']} × {first['hidden_size']} ")
    )
