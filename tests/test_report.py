"""The report: what it says follows from the tables, what it shows equals them, and names are text."""

from __future__ import annotations

import base64
import csv
import html
import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import report_results
import yaml
from report_results import HOSTILE, KINDS, TENSORS
from synthetic_tables import Study

from winnow import config, io
from winnow.errors import UserError
from winnow.plan import Plan
from winnow.report import by_hand, inlined, masks, page, pictures, ran, words
from winnow.report.sections import _sweep_findings, benchmark, pruning, sweep

ROOT = Path(__file__).parents[1]
PRUNE = next(iter(KINDS))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_results.make(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def text(results: Path) -> str:
    return page.render(results, list(KINDS), {"search": {"trials": "<u>3</u>"}}, ["presets/quick.yaml"])


def data(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found.group(1))


class Tables(HTMLParser):
    """Per study and table of the page: the columns, and the rows as (exact text, shown text) pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[tuple[str, str], tuple[list[str], list[list[list[str]]]]] = {}
        self.study, self.table, self.cell = "", "", None

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if "data-study" in values:
            self.study = values["data-study"]
        if tag == "details":
            self.table = values.get("data-table", "")
            if self.table:
                self.found[self.study, self.table] = ([], [])
        if self.table and "data-column" in values:
            self.found[self.study, self.table][0].append(values["data-column"])
        if self.table and tag == "tr":
            self.found[self.study, self.table][1].append([])
        if self.table and tag == "td":
            self.cell = [values.get("data-value"), ""]
            self.found[self.study, self.table][1][-1].append(self.cell)

    def handle_endtag(self, tag):
        if tag == "td":
            self.cell = None
        if tag == "details":
            self.table = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell[1] += data


def test_cells_of_the_page_equal_the_tables(results: Path, text: str) -> None:
    parser = Tables()
    parser.feed(text)
    assert {"summary", "rounds", "trials", "outcomes"} <= {table for _, table in parser.found}
    for (study, table), (columns, rows) in parser.found.items():
        with (results / study / f"tables/{table}.csv").open(newline="") as file:
            expected = [row for row in csv.DictReader(file) if any(row.values())]
        cells = [row for row in rows if row]
        assert len(cells) == len(expected) > 0
        for row, wanted in zip(cells, expected, strict=True):
            for column, (exact, shown) in zip(columns, row, strict=True):
                value = shown if exact is None else exact
                assert value == wanted[column] or float(value) == float(wanted[column]), (table, column)
                if re.fullmatch(r"-?[\d.]+(e-?\d+)?", shown) and shown != value:
                    factor = 100 if f'data-column="{column}">{column.replace("_", " ")}, %' in text else 1
                    near = {float(shown): f for f in (1, factor)}
                    assert any(
                        abs(float(shown) - f * float(value)) <= max(0.00501, 5e-4 * abs(f * float(value)))
                        for f in near.values()
                    )


def test_charts_hold_rows_of_the_tables(results: Path, text: str) -> None:
    sources = {
        "accuracy": "summary", "difference": "summary", "early_stop": "early_stop", "layers": "layers",
        "values": "values",
        "parallel": "trials", "trials": "trials", "importance": "importance", "conclusions": "conclusions",
        "outcomes": "outcomes", "cost": "outcomes", "course": "course", "profile": "performance_profile",
        "time_to_target": "time_to_target", "compression": "compression",
    }  # fmt: skip
    seen = set()
    for study, held in data(text).items():
        for name, chart in held["charts"].items():
            if name in sources:
                seen.add(name)
                columns = chart["data"]["columns"]
                table = io.read_table(results / study / f"tables/{sources[name]}.csv", sources[name])[columns]
                table = table.astype(object).where(table.notna(), None)
                there = {tuple(row) for row in table.to_numpy()}
                rows = [tuple(row) for row in chart["data"]["rows"]]
                assert rows, name
                assert set(rows) <= there, name
    assert seen == set(sources)


def test_findings_say_what_the_summary_has(results: Path, text: str) -> None:
    summary = io.read_table(results / PRUNE / "tables/summary.csv", "summary")
    dense = summary[(summary["recipe"] == "dense") & (summary["arm"] == "gd")].iloc[0]
    ends = f"[{100 * dense['ci95_low']:.2f}, {100 * dense['ci95_high']:.2f}]"
    assert f"gd reaches {100 * dense['mean']:.2f} % {ends} (3 seeds) test accuracy dense." in text
    outcomes = io.read_table(results / "methods/tables/outcomes.csv", "outcomes")
    best = outcomes[outcomes["scenario"] == "plain"].sort_values("test_accuracy").iloc[-1]
    assert f"plain: {best['arm']}, {100 * best['test_accuracy']:.2f} %" in html.unescape(text)
    thin = outcomes[outcomes["scenario"] == "density10"].sort_values("test_accuracy").iloc[-1]
    dense = outcomes[(outcomes["scenario"] == "plain") & (outcomes["arm"] == thin["arm"])].iloc[0]
    assert thin["change"] == pytest.approx(thin["test_accuracy"] - dense["test_accuracy"])
    assert f"{thin['arm']} in density10 (10 % density) reaches {-100 * thin['change']:.2f} [" in html.unescape(text)


def test_the_second_stage_of_a_sweep_is_told(results: Path) -> None:
    table = io.read_table(results / "search/tables/finalists.csv", "finalists")
    first = table[table["rank"] == 1].iloc[0]
    said = _sweep_findings.finalists(table)
    assert len(said) == table["sweep"].nunique()
    assert "3 best trials were trained again with 3 fresh seeds each" in said[0]
    assert f"{100 * first['mean']:.2f} %" in said[0]
    assert f"trial {first['trial']}, which was number 3 of the sweep" in said[0]


def test_the_chosen_setting_of_a_sweep_is_the_one_that_was_trained_anew(results: Path) -> None:
    trials, again, second = (
        io.read_table(results / f"search/tables/{name}.csv", name) for name in ("trials", "best_runs", "finalists")
    )
    alone, staged = _sweep_findings.best(trials, again), _sweep_findings.best(trials, again, second)
    assert "It was chosen by this number" in alone[0]
    assert "decided anew, with fresh seeds" in staged[0]
    assert "chosen by this number" not in staged[0]
    chosen = again[again["sweep"] == trials["sweep"].iloc[0]].iloc[0]
    assert f"activation {chosen['activation']}" in staged[1]
    assert f"optimizer {chosen['optimizer']}" in staged[1]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0.004, 0.001, 0.007, 3), "eg keeps 0.40 [0.10, 0.70] points more than gd (3 paired seeds)"),
        ((-0.004, -0.007, -0.001, 3), "eg keeps 0.40 [0.10, 0.70] points less than gd (3 paired seeds)"),
        ((0.004, -0.001, 0.009, 3), "eg and gd cannot be told apart: 0.40 [−0.10, 0.90] points (3 paired seeds)"),
        ((-0.004, None, None, 1), "eg lies 0.40 points below gd (1 paired seed, hence no interval)"),
        ((0.004, float("nan"), float("nan"), 1), "eg lies 0.40 points above gd (1 paired seed, hence no interval)"),
    ],
)
def test_more_and_less_need_an_interval_without_zero(numbers: tuple, said: str) -> None:
    assert words.compare("eg", "gd", *numbers, verb="keeps") == said


def test_amounts_are_short() -> None:
    assert [words.amount(value) for value in (3.14159, 300_000, 2.629e11)] == ["3.14", "300,000", "2.63e11"]


def test_one_seed_has_no_interval_and_no_verdict(tmp_path: Path) -> None:
    tables = Study(seeds=(0,), rounds=2, units=12, weights_per_part=50).tables(tmp_path)
    for kind in (pruning, benchmark):
        section = kind.section({name: tables[name] for name in kind.READS if name in tables})
        sentences = [sentence for finding in section.findings for sentence in finding.sentences]
        assert any("hence no interval" in sentence for sentence in sentences)
        assert not any(
            re.search(r"\[|points (more|less)|overlap with it|clearly (more|less) accurate at [1-9]", s)
            for s in sentences
        )


def test_sections_need_only_their_first_table(tmp_path: Path) -> None:
    tables = Study(rounds=2, units=12, weights_per_part=50).tables(tmp_path)
    for kind in (pruning, sweep, benchmark):
        section = kind.section({kind.NEEDS: tables[kind.NEEDS]})
        assert section.findings
        assert section.charts
        assert section.tables


def test_everything_diverged_still_has_a_section(tmp_path: Path) -> None:
    tables = Study(seeds=(0,), rounds=1, diverged=(0, 1), units=12, weights_per_part=50).tables(tmp_path)
    for kind in (pruning, sweep, benchmark):
        assert kind.section({name: tables[name] for name in kind.READS if len(tables.get(name, ()))}).tables


def test_names_and_values_with_html_are_text(text: str) -> None:
    assert HOSTILE not in text
    assert html.escape(HOSTILE, quote=False) in text
    assert "&lt;b&gt;abc" in text  # a commit, from run.json
    assert "&lt;u&gt;3" in text  # the configuration
    inside = text.partition('id="data">')[2].partition("</script>")[0]
    assert "<" not in inside
    assert HOSTILE in data(text)[PRUNE]["charts"]["accuracy"]["data"]["rows"][-1]


def test_nothing_on_the_page_asks_the_network(text: str) -> None:
    own = text.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert not re.search(r"https?:|\bsrc=\"(?!data:)|@import|url\((?!#)", own)
    assert "default-src 'none'" in text


def test_what_was_run(results: Path, text: str) -> None:
    runs = ran.read(results / PRUNE)
    found = ran.collect(runs, ran.trainings(results / PRUNE, runs), None)
    facts = dict(found.facts)
    assert facts["trainings"] == "2 jobs or trials, 11 s of training in all"
    assert facts["git commit"] == "<b>abc</b>"
    assert [arm for arm, _ in found.arms] == ["gd", HOSTILE] or [arm for arm, _ in found.arms] == [HOSTILE, "gd"]
    assert "rnn (hidden 12)" in found.arms[0][1]


def test_what_is_missing_is_said(results: Path, tmp_path: Path) -> None:
    (tmp_path / "half/tables").mkdir(parents=True)
    (tmp_path / "half/tables/summary.csv").write_bytes((results / PRUNE / "tables/summary.csv").read_bytes())
    (tmp_path / "half/tables/rounds.csv").write_text("arm,other\ngd,1\n\n")
    made = html.unescape(page.render(tmp_path, ["half", "never"], {}))
    assert "does not ask for or has not made: rounds, lr_sweep, early_stop" in made
    assert "rounds.csv has the columns arm, other" in made
    assert "Nothing to show yet:" in made
    with pytest.raises(UserError, match="holds no study"):
        page.render(tmp_path, [], {})


def test_masks_are_counted_whole_and_shown_in_blocks(results: Path) -> None:
    found = masks.collect(results / PRUNE, ["gd", HOSTILE])
    assert found
    assert [entry["arm"] for entry in found["entries"]][:1] == ["gd"]
    assert len(found["entries"]) == 2 * 3 * len(TENSORS)
    arrays = {
        arm: io.read_tensors(results / PRUNE / arm / "winning_ticket/seeds0-2/round2/mask.safetensors")[0]["hidden"][0]
        for arm in ("gd", HOSTILE)
    }
    pair = next(pair for pair in found["pairs"] if pair["round"] == 2 and pair["tensor"] == "hidden")
    assert pair["both"] == (arrays["gd"] & arrays[HOSTILE]).sum()
    assert pair["either"] == (arrays["gd"] | arrays[HOSTILE]).sum()


@pytest.mark.parametrize("shape", [(12, 12), (7, 30), (3, 5)])
def test_blocks_are_shares_of_their_weights(shape: tuple[int, int]) -> None:
    mask = np.random.default_rng(1).random(shape) < 0.4
    found = masks.blocks(mask, 5)
    shares = np.frombuffer(base64.b64decode(found["data"]), np.uint8).reshape(found["rows"], found["columns"])
    edges = [[i * n // min(n, 5) for i in range(min(n, 5) + 1)] for n in shape]
    for i in range(found["rows"]):
        for j in range(found["columns"]):
            block = mask[edges[0][i] : edges[0][i + 1], edges[1][j] : edges[1][j + 1]]
            assert shares[i, j] == np.rint(255 * block.mean())
    assert found["rows"] == min(shape[0], 5)


def test_figures_have_captions_and_their_command(results: Path) -> None:
    found, room = pictures.collect(results / PRUNE, ["presets/quick.yaml"], 10**6)
    assert [picture.name for picture in found] == ["accuracy_vs_density", "not_a_figure"]
    assert found[0].caption.startswith("Test accuracy against density")
    assert found[1].caption == "not a figure"
    assert room == 10**6 - sum(len(picture.data) for picture in found)
    assert pictures.command(Path("results/quick/toy/figures/x.png"), "toy", ["presets/quick.yaml"]) == (
        "snakemake --cores 1 --configfile presets/quick.yaml --config 'studies=[toy]' --force "
        "results/quick/toy/figures/x.png"
    )
    without, _ = pictures.collect(results / PRUNE, [], 10)
    assert [picture.data for picture in without] == ["", ""]


def test_by_hand_the_preset_and_the_studies_are_found(tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets/quick.yaml").write_text(
        "# For a <look>,\n# not for conclusions.\n# snakemake --cores 2\n\npathvars: {results: results/quick}\n# more\n"
    )
    (tmp_path / "config.yaml").write_text("studies: [b, a]\n")
    results = tmp_path / "results/quick"
    (results / "c/tables").mkdir(parents=True)
    files = by_hand.overlays(tmp_path, results)
    assert files == ["presets/quick.yaml"]
    assert by_hand.overlays(tmp_path, tmp_path / "results") == []
    assert by_hand.studies(tmp_path, results, files) == ["b", "a", "c"]
    assert by_hand.studies(tmp_path, tmp_path / "elsewhere", []) == []
    assert by_hand.purposes(tmp_path, [*files, "never.yaml", "config.yaml"]) == [
        ("presets/quick.yaml", "For a <look>, not for conclusions.")
    ]


def test_the_page_says_what_its_preset_is_for(results: Path) -> None:
    made = page.render(results, list(KINDS), {}, [], [("presets/quick.yaml", "For a <look>, not for conclusions.")])
    assert "For a &lt;look&gt;, not for conclusions." in made.partition("In short")[0]


def test_the_program_writes_a_small_page_soon(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep/index.html"
    began = time.process_time()
    page.render(results, list(KINDS), {})
    assert time.process_time() - began < 20
    done = subprocess.run(
        [sys.executable, "workflow_scripts/report.py", "--results", str(results), "--out", str(out)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 10_000 < out.stat().st_size < 10_000_000
    assert "MB" in done.stdout


def test_the_job_reads_every_table_and_png_and_is_not_in_the_default_target() -> None:
    plan = Plan(config.load(yaml.safe_load((ROOT / "config.yaml").read_text()), []))
    asked = plan.outputs()
    job = plan.job("report", {})
    assert job.outputs == ["results/report/index.html"]
    assert job.ledger == "results/.ledger/report.json"
    assert job.outputs[0] not in asked
    assert job.inputs["tables"] == [path for path in asked if "/tables/" in path]
    assert job.inputs["figures"] == [path for path in asked if path.endswith(".png")]
    assert list(job.spec["config"]) == plan.config.run
    assert set(inlined.SCRIPTS) < set(job.spec["assets"])
    json.dumps(job.spec)
    assert plan.job("report", {}) is job


def test_empty_cells_and_truth_values_are_shown_as_such() -> None:
    assert [page.shown(value) for value in (None, float("nan"), True, 3, 2.0, 0.123456, "x")] == [
        "", "", "yes", "3", "2", "0.1235", "x",
    ]  # fmt: skip
    assert page.shown(0.89834, percent=True) == "89.83"
    assert page.exact(0.1 + 0.2) == "0.30000000000000004"
    assert page.exact(float("nan")) == ""
