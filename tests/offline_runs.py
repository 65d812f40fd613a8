"""What the tests read W&B's offline runs back with: a `.wandb` file is a LevelDB log of protobuf records."""

from __future__ import annotations

import importlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32_768
HEADER = 7  # of the file, and of every chunk: checksum (4), length (2), type (1: whole, 2: first, 3: middle, 4: last)


def records(folder: Path) -> Iterator[Any]:
    """The records of the one run in an offline run's folder."""
    protocol = importlib.import_module("wandb.proto.wandb_internal_pb2")
    (path,) = folder.glob("*.wandb")
    data, at, whole = path.read_bytes(), HEADER, b""
    assert data[:4] == b":W&B"
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:  # the rest of a block that no header fits in
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        whole += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):
            record = protocol.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def read(folder: Path) -> tuple[Any, dict[str, Any], list[dict[str, Any]], bool]:
    """(the run's record, config, history rows without W&B's own columns, whether its end stands there)."""
    run, rows, ended = None, [], False
    for record in records(folder):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
        elif kind == "history":
            items = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            rows.append({key: value for key, value in items.items() if not key.startswith("_")})
        ended |= kind == "exit"
    assert run is not None
    config = {item.key: json.loads(item.value_json) for item in run.config.update if item.key != "_wandb"}
    return run, config, [row for row in rows if row], ended
