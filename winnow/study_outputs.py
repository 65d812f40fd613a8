"""What every kind of study has: data sets, the joint tables of its runs, and figures drawn from these."""

from __future__ import annotations

import functools
from itertools import product
from typing import TYPE_CHECKING, Any

from winnow import plugins
from winnow.errors import UserError
from winnow.fields import FORMATS
from winnow.jobs import DATA_FILES
from winnow.run_folder import RunFolder

if TYPE_CHECKING:
    from winnow.plan import Plan
    from winnow.scratch_config import Figures

constant = functools.cache(plugins.constant)


class StudyOutputs:
    """Adds such jobs of one study; `runs` are what tables are made of. A kind of study says the rest.

    GROUPS are all groups that its runs may have.
    """

    GROUPS: tuple[str, ...] = ()

    def __init__(self, plan: Plan, name: str, tables: list[str], figures: Figures) -> None:
        self.plan, self.name = plan, name
        self.folder = f"{plan.results}/{name}"
        self.tables, self.figures = tables, figures
        self.runs: list[RunFolder] = []

    def build(self) -> None:
        """Add the jobs that config asks for."""
        raise NotImplementedError

    def add_tables_and_figures(self) -> None:
        """Add those that config names, and the tables that its figures are drawn from."""
        tables = [*self.tables]
        for figure in self.figures.names:
            tables.extend(constant("figures", figure, "TABLES", ()))
        for table in dict.fromkeys(tables):
            self._table(table)
        for figure, form in product(self.figures.names, self.figures.formats):
            self._figure(figure, form)

    def add_unasked(self, rule: str, name: str, form: str = "png") -> None:
        """Add a table, or a figure and its tables, that config does not name. UserError: there is no such plug-in."""
        plugins.path(f"{rule}s", name)
        if form not in FORMATS:
            raise UserError(f"A figure cannot be made as {form!r}; valid is {', '.join(FORMATS)}.")
        for table in [name] if rule == "table" else constant("figures", name, "TABLES", ()):
            self._table(table)
        if rule == "figure":
            self._figure(name, form)

    @staticmethod
    def _packed(dataset: str) -> list[str]:
        return [f"results/data/{dataset}/{file}" for file in DATA_FILES]

    def _download(self, dataset: str) -> None:
        self.plan.add("download", {"dataset": dataset}, {}, self._packed(dataset), {"dataset": dataset}, {})

    def _table_inputs(self, table: str, runs: list[RunFolder]) -> dict[str, list[str]]:
        """What a table of these runs reads beside the files that it names, by name."""
        return {"best": []}

    def _table_spec(self, runs: list[RunFolder]) -> dict[str, Any]:
        """What the spec of a table of these runs says beside them."""
        return {}

    def _table(self, table: str) -> None:
        groups, files = constant("tables", table, "GROUPS", ()), constant("tables", table, "FILES", ())
        runs = [run for run in self.runs if run.group in groups]
        paths = [f"{run.folder}/{file}" for run in runs for file in files]
        paths = [path for path in paths if path in self.plan.maker]
        if not set(groups) & set(self.GROUPS) or (runs and files and not paths):
            raise UserError(
                f"config: {self.name}.tables: {table!r} (named there, or needed by a figure) is not valid; it joins "
                f"{', '.join(files)} of the runs {', '.join(groups)}, which this study does not make."
            )
        self.plan.add(
            "table",
            {"study": self.name, "table": table},
            {"runs": paths, **self._table_inputs(table, runs)},
            [f"{self.folder}/tables/{table}.csv"],
            {"runs": [vars(run) for run in runs], **self._table_spec(runs)},
            self.plan.sources("make_table", (("tables", table),)),
        )

    def _figure(self, figure: str, form: str) -> None:
        tables = constant("figures", figure, "TABLES", ())
        self.plan.add(
            "figure",
            {"study": self.name, "figure": figure, "format": form},
            {"tables": [f"{self.folder}/tables/{table}.csv" for table in tables]},
            [f"{self.folder}/figures/{figure}.{form}"],
            {},
            self.plan.sources("draw", (("figures", figure),)),
        )
