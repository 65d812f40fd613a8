"""Column definitions are complete and usable: every table can be written, read and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from winnow import io
from winnow.schemas import SCHEMAS


@pytest.mark.parametrize("schema", SCHEMAS)
def test_names_and_descriptions(schema: str) -> None:
    assert re.fullmatch(r"[a-z][a-z_]*", schema)
    for column, description in SCHEMAS[schema].items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*|ES", column), column  # ES: a name that the ticket study's users know
        assert len(description) > 3, column
        assert "|" not in description.replace("|w|", "").replace("log10|", ""), "descriptions stand in a Markdown table"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_table_round_trips(tmp_path: Path, schema: str) -> None:
    rows = [{column: 0.5 + turn for column in SCHEMAS[schema]} for turn in range(2)]
    io.write_table(tmp_path / "t.csv", schema, rows)
    table = io.read_table(tmp_path / "t.csv", schema)
    assert list(table.columns) == list(SCHEMAS[schema])
    assert len(table) == 2


def test_tables_of_runs_carry_the_seed_first() -> None:
    for schema, columns in SCHEMAS.items():
        if schema.startswith("run_") or schema in ("metrics", "edges"):
            assert next(iter(columns)) == "seed", schema


def test_joint_tables_extend_the_tables_of_runs() -> None:
    """A joint row is a run's row with the run's name in front, so nothing is lost on the way."""
    for schema in ("graph", "nodes", "weights", "histograms"):
        own = [column for column in SCHEMAS[f"run_{schema}"] if column != "seed"]
        assert list(SCHEMAS[schema])[-len(own) :] == own, schema
