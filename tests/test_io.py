"""Reading and writing results: whole files or none, every digit kept, every damage named."""

from __future__ import annotations

import argparse
import builtins
import csv
import errno
import gzip
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from winnow import atomic, io, provenance
from winnow.errors import UserError
from winnow.schemas import SCHEMAS

EDGE = {"seed": 0, "tensor": "rnn.weight_hh_l0", "source": 1, "target": 2, "weight": 0.5}


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullDisk:
    """A file that takes the first bytes and then has no space left."""

    def __init__(self, file: object) -> None:
        self.file = file

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()  # type: ignore[attr-defined]

    def write(self, data: bytes) -> None:
        self.file.write(data[: len(data) // 2])  # type: ignore[attr-defined]
        no_space()


def full_open(path: str | Path, mode: str = "r", *args: object, **options: object) -> object:
    file = open_file(path, mode, *args, **options)  # type: ignore[call-overload]
    return FullDisk(file) if "w" in mode else file


open_file = builtins.open
WRITERS = {
    "bytes": lambda path: atomic.write(path, b"new contents"),
    "json": lambda path: io.write_json(path, {"a": 1}),
    "table": lambda path: io.write_table(path, "edges", [EDGE]),
    "tensors": lambda path: io.write_tensors(path, {"w": np.ones((2, 3), np.float32)}),
    "ledger": lambda path: provenance.start(argparse.Namespace(key="k", sources={}, spec={}, ledger=path)),
}


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("older", [None, b"older contents"])
def test_no_space_left_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, writer: str, older: bytes | None
) -> None:
    path = tmp_path / "result"
    if older is not None:
        path.write_bytes(older)
    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(builtins, "open", full_open)
        else:
            patch.setattr(os, step, no_space)
        with pytest.raises(OSError, match="No space left") as caught:
            WRITERS[writer](path)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert "nothing half-written stays" in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ([] if older is None else ["result"])
    assert older is None or path.read_bytes() == older


def test_an_interrupt_leaves_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(tmp_path / "result", b"x")
    assert not list(tmp_path.iterdir())


def test_the_temporary_file_is_flushed_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (calls.append("fsync"), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    atomic.write(tmp_path / "new" / "folder" / "result", b"x")
    assert calls == ["fsync", "replace"]
    assert (tmp_path / "new" / "folder" / "result").read_bytes() == b"x"


def test_what_cannot_be_written_is_named_when_its_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"nothing half-written stays\): '.*file/result'"):
        atomic.write(tmp_path / "file" / "result", b"x")


def test_json_round_trips_and_refuses_nan(tmp_path: Path) -> None:
    value = {"lr": "0.70", "loss": 0.1 + 0.2, "diverged": None, "seeds": [0, 1]}
    io.write_json(tmp_path / "a.json", value)
    assert io.read_json(tmp_path / "a.json") == value
    with pytest.raises(ValueError, match="JSON"):
        io.write_json(tmp_path / "b.json", {"loss": math.nan})
    assert not (tmp_path / "b.json").exists()


@pytest.mark.parametrize("contents", [b"", b'{"a": 1', b"\xff\xfe", None])
def test_broken_json_is_named(tmp_path: Path, contents: bytes | None) -> None:
    path = tmp_path / "best.json"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(UserError, match=r"best\.json"):
        io.read_json(path)


@pytest.mark.parametrize("name", ["edges.csv", "edges.csv.gz"])
def test_floats_keep_all_their_digits(tmp_path: Path, name: str) -> None:
    generator = np.random.default_rng(0)
    doubles = list(generator.standard_normal(2000) * 10.0 ** generator.integers(-300, 300, 2000))
    doubles += [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, math.inf, -math.inf, 2.2250738585072014e-308]
    singles = generator.standard_normal(100).astype(np.float32)
    io.write_table(tmp_path / name, "edges", [{**EDGE, "weight": value} for value in [*doubles, *singles]])
    read = io.read_table(tmp_path / name, "edges")["weight"].to_numpy()
    np.testing.assert_array_equal(read[: len(doubles)], doubles)
    np.testing.assert_array_equal(read[len(doubles) :].astype(np.float32), singles)
    assert math.copysign(1, read[2003]) == -1


def test_cells(tmp_path: Path) -> None:
    columns = list(SCHEMAS["lr_sweep"])
    row = {
        **dict.fromkeys(columns),
        "arm": "NA",  # a name, not a missing value
        "lr": "0.70",
        "seed": np.int64(3),
        "selection_loss": np.float32(0.1),
        "validation_accuracy": math.nan,
        "test_accuracy": 1.0,
        "selected": np.bool_(True),
    }
    io.write_table(tmp_path / "t.csv", "lr_sweep", [row])
    header, cells, end = csv.reader((tmp_path / "t.csv").read_text().splitlines())
    assert end == []
    assert header == columns
    written = dict(zip(header, cells, strict=True))
    assert written == {
        **dict.fromkeys(columns, ""),
        "arm": "NA",
        "lr": "0.70",
        "seed": "3",
        "selection_loss": "0.10000000149011612",
        "test_accuracy": "1.0",
        "selected": "true",
    }
    table = io.read_table(tmp_path / "t.csv", "lr_sweep")
    assert table["lr"].tolist() == ["0.70"]
    assert table["arm"].tolist() == ["NA"]
    assert table["selected"].tolist() == [True]
    assert table["validation_accuracy"].isna().all()
    assert table["diverged_step"].isna().all()


def test_an_empty_table_has_its_header(tmp_path: Path) -> None:
    io.write_table(tmp_path / "t.csv", "edges", [])
    table = io.read_table(tmp_path / "t.csv", "edges")
    assert list(table.columns) == list(SCHEMAS["edges"])
    assert len(table) == 0


@pytest.mark.parametrize("row", [{"seed": 0}, {**EDGE, "extra": 1}])
def test_rows_must_have_the_columns_of_the_schema(tmp_path: Path, row: dict[str, object]) -> None:
    with pytest.raises(KeyError, match="edges"):
        io.write_table(tmp_path / "t.csv", "edges", [EDGE, row])
    assert not list(tmp_path.iterdir())


def test_gzip_is_the_same_at_any_time_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    io.write_table(tmp_path / "a.csv.gz", "edges", [EDGE])
    monkeypatch.setattr("time.time", lambda: 1e9)
    io.write_table(tmp_path / "sub" / "b.csv.gz", "edges", [EDGE])
    first = (tmp_path / "a.csv.gz").read_bytes()
    assert first == (tmp_path / "sub" / "b.csv.gz").read_bytes()
    io.write_table(tmp_path / "a.csv", "edges", [EDGE])
    assert gzip.decompress(first) == (tmp_path / "a.csv").read_bytes()


BROKEN = {
    "missing": None,
    "empty": "",
    "wrong columns": "seed,tensor,source,target,value\n0,a,1,2,0.5\n\n",
    "other order": "tensor,seed,source,target,weight\na,0,1,2,0.5\n\n",
    "cut in a line": "seed,tensor,source,target,weight\n0,a,1,2,0.5\n0,a,1,3,0.2",
    "cut between lines": "seed,tensor,source,target,weight\n0,a,1,2,0.5\n",
    "cell too many in one row": "seed,tensor,source,target,weight\n0,a,1,2,0.5\n0,a,1,2,0.5,9\n\n",
    "cell too many in every row": "seed,tensor,source,target,weight\n0,a,1,2,0.5,9\n\n",
    "not text": b"\xff\xfe\x00\x81\n\n",
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_tables_are_named(tmp_path: Path, case: str) -> None:
    path, contents = tmp_path / "edges.csv", BROKEN[case]
    if contents is not None:
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(UserError, match=r"edges\.csv") as caught:
        io.read_table(path, "edges")
    if case == "wrong columns":
        assert "target, value" in str(caught.value)
        assert "target, weight" in str(caught.value)


def test_a_table_cut_off_anywhere_is_named(tmp_path: Path) -> None:
    path = tmp_path / "edges.csv"
    io.write_table(path, "edges", [{**EDGE, "source": i} for i in range(3)])
    whole = path.read_bytes()
    assert len(io.read_table(path, "edges")) == 3
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"edges\.csv cannot be read as a table"):
            io.read_table(path, "edges")


def test_a_damaged_gzip_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "edges.csv.gz"
    io.write_table(path, "edges", [{**EDGE, "source": i} for i in range(50)])
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"edges\.csv\.gz"):
            io.read_table(path, "edges")
    # The gzip header itself (times, flags) carries nothing, nor do the high bits of the last byte before the checksum.
    for position in range(10, len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x01]) + whole[position + 1 :])
        with pytest.raises(UserError, match=r"edges\.csv\.gz"):
            io.read_table(path, "edges")


def tensors() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    return {
        "rnn.weight_hh_l0": generator.standard_normal((2, 3, 3)).astype(np.float32),
        "double": generator.standard_normal((2, 4)),
        "mask": generator.random((2, 5)) < 0.5,
        "step": np.array(7, dtype=np.int64),  # no axis at all
        "none": np.zeros((2, 0), np.float32),
        "view": np.arange(12, dtype=np.int32).reshape(3, 4).T[::2],
    }


def test_tensors_round_trip(tmp_path: Path) -> None:
    written, metadata = tensors(), {"seeds": "[0, 1]", "kind": "final"}
    io.write_tensors(tmp_path / "a.safetensors", written, metadata)
    read, header = io.read_tensors(tmp_path / "a.safetensors")
    assert {key: header[key] for key in metadata} == metadata
    assert set(header) == {*metadata, "sha256", "format"}
    assert set(read) == set(written)
    for name, array in written.items():
        assert read[name].dtype == array.dtype, name
        np.testing.assert_array_equal(read[name], array, strict=True)


def test_tensor_files_are_deterministic(tmp_path: Path) -> None:
    io.write_tensors(tmp_path / "a", tensors(), {"a": "1", "b": "2"})
    for turn in range(5):
        io.write_tensors(tmp_path / "b", tensors(), {"a": "1", "b": "2"})
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes(), turn


def test_the_checksum_names_contents_and_metadata(tmp_path: Path) -> None:
    path, sums = tmp_path / "a", []
    for scale, seeds in ((1, "[0]"), (2, "[0]"), (1, "[1]"), (1, "[0]")):
        io.write_tensors(path, {"w": scale * np.ones(3)}, {"seeds": seeds})
        sums.append(io.read_tensors(path)[1]["sha256"])
    assert sums[0] == sums[3]
    assert len(set(sums)) == 3
    arrays, header = io.read_tensors(path)
    io.write_tensors(tmp_path / "b", arrays, header)  # what was read can be written again
    assert (tmp_path / "b").read_bytes() == path.read_bytes()


def test_damaged_tensors_are_named(tmp_path: Path) -> None:
    path = tmp_path / "final.safetensors"
    io.write_tensors(
        path, {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "m": np.ones((2, 2), bool)}, {"s": "[0]"}
    )
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"final\.safetensors"):
            io.read_tensors(path)
    for position in range(len(whole)):
        for bit in (0x01, 0x10, 0x80):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ bit]) + whole[position + 1 :])
            with pytest.raises(UserError, match=r"final\.safetensors"):
                io.read_tensors(path)


def test_missing_and_foreign_tensors_are_named(tmp_path: Path) -> None:
    from safetensors.numpy import save

    with pytest.raises(UserError, match=r"none\.safetensors"):
        io.read_tensors(tmp_path / "none.safetensors")
    foreign = tmp_path / "foreign.safetensors"
    for contents in (b"PK\x03\x04", save({"w": np.ones(3)}), save({"w": np.ones(3)}, metadata={"format": "pt"})):
        foreign.write_bytes(contents)
        with pytest.raises(UserError, match=r"foreign\.safetensors"):
            io.read_tensors(foreign)
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    foreign.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    with pytest.raises(UserError, match=r"foreign\.safetensors"):
        io.read_tensors(foreign)


def test_what_is_missing_is_not_to_be_deleted(tmp_path: Path) -> None:
    for read in (io.read_json, io.read_tensors, lambda path: io.read_table(path, "rounds")):
        with pytest.raises(
            UserError, match=r"tables/none does not exist\. .*snakemake --cores 1 .*none` makes it"
        ) as raised:
            read(tmp_path / "tables/none")
        assert "Delete" not in str(raised.value)
