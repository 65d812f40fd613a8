"""The report in a real browser: all is drawn, controls change what is shown, nothing is asked of the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import report_results
from report_results import KINDS

from winnow.report import page as report

api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (pip install playwright)")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZES = {"desktop": (1280, 900), "phone": (390, 800)}
PATIENCE = 120_000  # ms: tests run side by side on few cores


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"there is no browser: none of {', '.join(BROWSERS)} is on PATH (apt-get install chromium)")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to be sandboxed as root
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=sandbox, timeout=PATIENCE)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = report_results.make(tmp_path_factory.mktemp("results"))
    out = results / "index.html"
    out.write_text(report.render(results, list(KINDS), {}), encoding="utf-8")
    return out


class Opened:
    """A page with what its console said and what it requested."""

    def __init__(self, browser: Any, file: Path, size: tuple[int, int], scheme: str) -> None:
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append("a dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-ready=yes]", state="attached")

    def points(self, chart: str) -> int:
        return self.page.locator(f"[data-chart={chart}] .plot .points").count()


@pytest.fixture(scope="module", params=SIZES)
def opened(request: pytest.FixtureRequest, browser: Any, file: Path) -> Iterator[Opened]:
    made = Opened(browser, file, SIZES[request.param], "light" if request.param == "desktop" else "dark")
    yield made
    made.page.close()


@pytest.fixture
def page(opened: Opened) -> Any:
    return opened.page


def test_every_chart_draws_and_the_console_stays_empty(opened: Opened) -> None:
    charts = opened.page.locator("figure.chart")
    assert charts.count() > 15
    for i in range(charts.count()):
        assert charts.nth(i).locator(".plot svg :is(.points, .trial)").count() > 0, charts.nth(i).get_attribute(
            "data-chart"
        )
    assert opened.page.locator("figure.masks canvas").count() == 3
    assert opened.said == []


def test_no_request_leaves_the_page(opened: Opened, file: Path) -> None:
    assert [url for url in opened.requests if not url.startswith("data:")] == [file.as_uri()]


def test_nothing_is_wider_than_the_screen(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_an_arm_has_one_colour_in_all_charts(page: Any) -> None:
    """The second arm is the first of those that have a difference to the first one."""
    read = """name => Object.fromEntries([...document.querySelectorAll(`[data-chart=${name}] .points`)].map(
      p => [p.parentNode.getAttribute("stroke"), 1]))"""
    whole, difference = (set(page.evaluate(read, name)) for name in ("accuracy", "difference"))
    assert len(whole) == 2
    assert len(difference) == 1
    assert difference < whole
    assert "var(--c0)" not in difference


def test_filters_leave_points_and_rows_out(opened: Opened) -> None:
    page, before = opened.page, opened.points("accuracy")
    rows = page.locator("[data-table=summary] tbody tr:not([hidden])")
    all_rows = page.locator("[data-table=summary] tbody tr").count()
    page.locator("input[name=arm]").first.uncheck()
    assert 0 < opened.points("accuracy") == before / 2
    assert page.locator("[data-table=summary] tbody tr[hidden]").count() == all_rows / 2
    page.locator("input[name=arm]").first.check()
    page.locator("input[name=density_from]").first.press("End")
    assert 0 < opened.points("accuracy") < before
    page.locator("input[name=density_from]").first.press("Home")
    assert opened.points("accuracy") == before
    assert rows.count() == all_rows


def test_a_choice_changes_what_a_chart_shows(page: Any) -> None:
    plot = page.locator("[data-chart=outcomes] .plot svg")
    before = plot.inner_html()
    page.locator("[data-chart=outcomes] select").first.select_option(index=1)
    assert plot.inner_html() != before


def test_points_tell_their_row_to_the_pointer_and_to_keys(page: Any) -> None:
    tip = page.locator("#tip")
    figure = page.locator("[data-chart=accuracy] .plot svg")
    figure.focus()
    page.keyboard.press("ArrowRight")
    first = tip.inner_text()
    assert "test accuracy, %:" in first
    assert "n: 3" in first
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() != first
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.locator("[data-chart=accuracy] .plot .points").first.hover(force=True)
    assert "density" in tip.inner_text()
    page.mouse.move(0, 0)


def test_the_slider_shows_another_round_of_the_masks(page: Any) -> None:
    canvas = page.locator("figure.masks canvas").first
    before, label = canvas.evaluate("c => c.toDataURL()"), canvas.get_attribute("aria-label")
    page.locator("figure.masks input[name=round]").press("ArrowRight")
    assert canvas.evaluate("c => c.toDataURL()") != before
    assert canvas.get_attribute("aria-label") != label
    assert "round 2" in str(canvas.get_attribute("aria-label"))
    page.locator("figure.masks .grids button").first.click()
    assert "round 1" in str(canvas.get_attribute("aria-label"))


def test_brushes_keep_the_lines_that_cross_them(page: Any) -> None:
    status = page.locator("[data-chart=parallel] .status")
    every = page.locator(".trial").count()
    assert status.inner_text().startswith(f"{every} of {every} lines")
    axis = page.locator("[data-chart=parallel] .strip[data-axis=validation_accuracy]")
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    page.mouse.move(box["x"] + 16, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 16, box["y"] + box["height"] / 3, steps=3)
    page.mouse.up()
    kept = every - page.locator(".trial.off").count()
    assert 0 < kept < every
    assert status.inner_text().startswith(f"{kept} of {every} lines")
    axis.focus()
    page.keyboard.press("Escape")
    assert page.locator(".trial.off").count() == 0
    page.keyboard.press("ArrowUp")
    assert page.locator(".trial.off").count() > 0
    page.get_by_text("Clear brushes").click()
    assert page.locator(".trial.off").count() == 0


def test_a_click_on_a_head_sorts_its_table(page: Any) -> None:
    details = page.locator("[data-table=trials]")
    details.evaluate("d => (d.open = true)")
    head = details.locator("th[data-column=validation_accuracy]")
    read = "d => [...d.querySelectorAll('tbody tr')].map(r => r.cells[%d]).map(c => c.dataset.value ?? c.textContent)"
    index = head.evaluate("h => h.cellIndex")
    for order, turn in (("ascending", False), ("descending", True)):
        head.locator("button").click()
        values = [float(value) for value in details.evaluate(read % index) if value]
        assert values == sorted(values, reverse=turn)
        assert len(set(values)) > 3
        assert head.get_attribute("aria-sort") == order


def test_data_are_downloaded_with_all_digits(page: Any, file: Path) -> None:
    with page.expect_download() as waiting:
        page.locator("[data-chart=importance] .download").click()
    lines = Path(waiting.value.path()).read_text().splitlines()
    table = (file.parent / "search/tables/importance.csv").read_text().splitlines()
    assert lines[0] == table[0]
    assert len(lines) == len([line for line in table if line])


def test_light_and_dark_can_be_chosen(page: Any) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    page.locator("#theme").click()
    assert page.evaluate(paper) != before
    page.locator("#theme").click()
    assert page.evaluate(paper) == before


def test_everything_has_a_name_for_those_who_do_not_see_it(page: Any) -> None:
    nameless = """() => [
      ...[...document.images].filter(i => !i.alt),
      ...[...document.querySelectorAll('.plot svg, canvas, [role=slider], [role=region]')]
        .filter(e => !e.getAttribute('aria-label')),
      ...[...document.querySelectorAll('input, select')]
        .filter(e => !e.labels.length || !e.closest('label').textContent.trim()),
    ].map(e => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(nameless) == []


def test_names_with_html_made_no_elements(page: Any) -> None:
    assert page.locator("img[src=x]").count() == 0
    assert page.get_by_role("heading", name=report_results.HOSTILE).count() >= 1


def test_the_console_is_still_empty_after_all_that(opened: Opened) -> None:
    assert opened.said == []
