"""What a section of the report is made of. Charts and tables hold rows of joint tables, with all their digits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas


@dataclass(frozen=True)
class Axis:
    """What an axis shows: a column, its label with unit, and a `scale`: 'linear', 'log' or 'names'.

    `factor` multiplies what is shown (100 for percent), never what is kept.
    """

    field: str
    label: str
    scale: str = "linear"
    factor: float = 1.0


@dataclass(frozen=True)
class Chart:
    """A chart of `data`: a point per row, joined to lines per `colour`, `dash` and `by` if `lines`.

    `low`, `high`: columns with the ends of the interval of x or y (`spread`). `choose`: columns of which one value is
    shown at a time. `steps`: a line keeps its height until the next point. `first`: names that get colours first.
    `robust`: the axis with intervals ends before far outliers, which then stand at its end, hollow.
    """

    name: str
    title: str
    caption: str
    data: pandas.DataFrame
    x: Axis
    y: Axis
    colour: str
    dash: str = ""
    by: str = ""
    low: str = ""
    high: str = ""
    spread: str = "y"
    lines: bool = False
    steps: bool = False
    zero: bool = False
    choose: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    robust: bool = False

    @property
    def drawable(self) -> bool:
        """Whether a row has both coordinates."""
        return len(self.data.dropna(subset=[self.x.field, self.y.field])) > 0


@dataclass(frozen=True)
class Parallel:
    """Parallel coordinates: a line per row of `data` over the columns `axes`; the last one colours it."""

    name: str
    title: str
    caption: str
    data: pandas.DataFrame
    axes: tuple[str, ...]
    choose: tuple[str, ...] = ()

    @property
    def drawable(self) -> bool:
        """Whether there are rows and more axes than the one that colours them."""
        return len(self.data) > 0 and len(self.axes) > 1


@dataclass(frozen=True)
class Table:
    """Rows of the joint table `source`; `percent` names columns that are shown times 100."""

    name: str
    title: str
    caption: str
    data: pandas.DataFrame
    percent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Plain sentences, read from the joint table `table`."""

    title: str
    sentences: list[str]
    table: str


@dataclass
class Section:
    """What a kind of study says. `answers`: to the questions that most come with, for the head of the page."""

    question: str
    answers: list[tuple[str, list[str]]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    charts: list[Chart | Parallel] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    filters: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def each(table: pandas.DataFrame) -> list[Any]:
    """The rows, with columns as attributes."""
    return list(table.itertuples(index=False))


def rows(data: pandas.DataFrame) -> dict[str, Any]:
    """{"columns", "rows"} for JSON: plain Python values, None where a cell is empty."""
    plain = data.astype(object).where(data.notna(), None)
    return {"columns": list(data.columns), "rows": [[_plain(value) for value in row] for row in plain.to_numpy()]}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
