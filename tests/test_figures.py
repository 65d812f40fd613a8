"""The contract of figures: literal TABLES, every format, the same bytes twice, and no study too small or too broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import integrate
from synthetic_tables import Study

from winnow import io, plugins
from winnow.errors import UserError
from winnow.figures import _marks as marks
from winnow.figures import _style as style
from winnow.figures.weight_fits import fitted
from winnow.schemas import SCHEMAS

ROOT = Path(__file__).parents[1]
FIGURES = plugins.names("figures")
STUDIES = {
    "usual": {"seeds": (0, 1), "rounds": 3, "diverged": True},
    "no pruning": {"arms": ("lenet5_muon",), "seeds": (0,), "rounds": 0},
    "all diverged": {"seeds": (0,), "rounds": 1, "controls": False, "diverged": True},
    "three arms": {"arms": ("gd", "eg", "adam"), "seeds": (0, 1), "rounds": 1, "controls": False},
}
MAGIC = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    made = {}

    def tables(name):
        if name not in made:
            made[name] = Study(units=12, weights_per_part=200, **STUDIES[name]).tables(
                tmp_path_factory.mktemp("tables")
            )
        return made[name]

    return tables


def _draw(name, tables, path):
    module = plugins.load("figures", name)
    style.render(module.draw, {table: tables[table] for table in module.TABLES}, path)
    return path.read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_contract(name):
    module = plugins.load("figures", name)
    tables = plugins.constant("figures", name, "TABLES")
    assert tables == module.TABLES  # the literal that the workflow reads is what the module uses
    assert tables
    assert set(tables) <= set(plugins.names("tables")) & set(SCHEMAS)
    assert module.__doc__
    assert module.draw.__doc__


@pytest.mark.parametrize("name", FIGURES)
def test_same_bytes_twice(name, study, tmp_path):
    """As svg, the one format that also numbers its parts; `test_formats` has the others."""
    first, second = (_draw(name, study("all diverged"), tmp_path / f"{i}.svg") for i in (1, 2))
    assert first == second


@pytest.mark.parametrize("kind", MAGIC)
def test_formats(kind, study, tmp_path):
    first, second = (_draw("mask_overlap", study("three arms"), tmp_path / f"{i}.{kind}") for i in (1, 2))
    assert first.startswith(MAGIC[kind])
    assert first == second
    assert b"CreationDate" not in first
    assert b"<dc:date>" not in first


@pytest.mark.parametrize("case", ["usual", "no pruning", "all diverged"])
@pytest.mark.parametrize("name", FIGURES)
def test_draws_any_study(name, case, study):
    """With something to read, axes labelled, tables unharmed; drawn to the last line by test_same_bytes_twice."""
    module = plugins.load("figures", name)
    tables = {table: study(case)[table] for table in module.TABLES}
    before = {table: rows.copy() for table, rows in tables.items()}
    figure = module.draw(tables)
    assert isinstance(figure, Figure)
    assert any(axes.has_data() or axes.texts for axes in figure.axes)
    shown = [axes for axes in figure.axes if axes.get_visible() and axes.has_data() and axes.get_xticks().size]
    assert all(axes.get_ylabel() for axes in shown if axes.get_subplotspec().is_first_col())
    assert all(axes.get_xlabel() or axes.get_xticklabels() for axes in shown if axes.get_subplotspec().is_last_row())
    for table, rows in tables.items():
        assert rows.equals(before[table]), "draw() must not change its tables"


@pytest.mark.parametrize("name", FIGURES)
def test_empty_tables_say_so(name, tmp_path):
    module = plugins.load("figures", name)
    for table in module.TABLES:
        io.write_table(tmp_path / f"{table}.csv", table, [])
    figure = module.draw({table: io.read_table(tmp_path / f"{table}.csv", table) for table in module.TABLES})
    assert [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text().startswith("no ")]


@pytest.mark.parametrize("name", ["lr_sweep", "accuracy_vs_density"])
def test_diverged_lanes_are_marked(name, study):
    def marks(case):
        figure = plugins.load("figures", name).draw(study(case))
        texts = [text for axes in figure.axes for text in axes.texts] + figure.legends[0].get_texts()
        return [text for text in texts if "diverged" in text.get_text()]

    assert marks("usual")
    assert not marks("three arms")


def test_one_seed_has_no_interval(study):
    def bands(case):
        axes = plugins.load("figures", "sign_flips").draw(study(case)).axes[0]
        return len(axes.collections)

    assert bands("no pruning") == 0
    assert bands("three arms") > 0


def test_every_seed_is_shown_up_to_three():
    def dots(seeds):
        import pandas

        figure, axes = style.panels(1, 1)
        rows = pandas.DataFrame({"x": [1.0] * seeds + [2.0] * seeds, "y": np.arange(2.0 * seeds)})
        marks.spread(axes[0, 0], rows, "x", "y", "black")
        return sum(len(line.get_xdata()) for line in figure.axes[0].lines if line.get_marker() == ".")

    assert [dots(1), dots(2), dots(3), dots(4)] == [0, 4, 6, 0]


def test_spread_shows_mean_and_interval():
    import pandas

    _, axes = style.panels(1, 1)
    rows = pandas.DataFrame({"x": [1.0, 1.0, 1.0, 2.0, 2.0, 2.0], "y": [1.0, 2.0, 3.0, 5.0, 5.0, 5.0]})
    marks.spread(axes[0, 0], rows, "x", "y", "black", scale=100)
    assert axes[0, 0].lines[0].get_ydata().tolist() == [200.0, 500.0]
    bar = axes[0, 0].collections[0].get_segments()[0]
    assert bar[:, 1].tolist() == pytest.approx([200 - 248.4138, 200 + 248.4138], abs=1e-3)


def test_density_axis_runs_from_dense_to_sparse():
    _, axes = style.panels(1, 1)
    marks.density_axis(axes[0, 0], [1.0, 0.5, 0.2])
    left, right = axes[0, 0].get_xlim()
    assert left > 100 > 20 > right
    assert axes[0, 0].get_xticks().tolist() == [20.0, 50.0, 100.0]


def test_thin_keeps_ends_and_gaps():
    values = [1.0, 1.01, 1.5, 9.9, 10.0]
    assert marks.thin(values, 0.1) == [1.0, 1.5, 10.0]
    assert marks.thin([], 0.1) == []
    assert marks.thin([2.0], 0.1) == [2.0]


def test_main_recipe_is_the_one_with_most_rounds(study):
    table = study("usual")["rounds"]
    assert style.main_recipe(table) == "magnitude_global_rewind"  # not seed_procedure, which has as many levels
    assert set(style.last_round(table)["round"]) == {3}
    assert style.main_recipe(table[table["recipe"] == "dense"]) is None


@pytest.mark.parametrize("family", ["normal", "half_normal", "log_normal"])
@pytest.mark.parametrize("cut", [0.0, 0.05])
def test_fitted_densities_integrate_to_one(family, cut):
    values = {"cut": cut, f"{family}_mu": -2.0 if family == "log_normal" else 0.02, f"{family}_sigma": 0.7}
    if family == "half_normal":
        del values["half_normal_mu"]
    area, _ = integrate.quad(
        lambda x: float(fitted(family, values, np.array([x]))[0]), cut, 60, limit=400, points=[0.2, 2]
    )
    assert area == pytest.approx(1, abs=1e-4)
    if cut:
        assert fitted(family, values, np.array([0.9 * cut]))[0] == 0


def test_unknown_format(tmp_path):
    with pytest.raises(UserError, match="png, svg, pdf"):
        style.render(lambda _: style.nothing(), {}, tmp_path / "x.jpg")


def test_style_leaves_matplotlib_alone(study, tmp_path):
    before = dict(matplotlib.rcParams)
    _draw("sign_flips", study("three arms"), tmp_path / "x.png")
    assert dict(matplotlib.rcParams) == before


def test_program(study, tmp_path):
    for name in ("rounds", "summary"):
        table = study("usual")[name]
        io.write_table(tmp_path / f"{name}.csv", name, table.to_dict("records"))
    command = [sys.executable, "workflow_scripts/draw.py", "--figure", "accuracy_vs_density", "--tables", str(tmp_path)]
    subprocess.run([*command, "--out", str(tmp_path / "a.svg")], check=True, cwd=ROOT)
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
