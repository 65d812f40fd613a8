"""The only reader and writer of results: atomic, checked, with documented columns.

Every file is written by `winnow.atomic`, so that a reader sees a whole file or none. Tables are CSV with exactly the
columns of `winnow.schemas`, and end with an empty line: a table that was cut off later, also between two rows, lacks
it. Tensors are safetensors whose metadata hold a SHA-256 of the arrays and of the other metadata. This module imports
NumPy and, inside `read_table` only, pandas; never torch.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io as text_io
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from winnow import atomic
from winnow.errors import UserError
from winnow.schemas import SCHEMAS

if TYPE_CHECKING:
    import pandas

FORMAT = "1"


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON (no NaN: JSON has none) with a trailing newline."""
    atomic.write(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: str | Path) -> Any:
    """Read JSON; UserError names a file that is missing or broken."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as JSON ({error}). Delete it and run the same command again."
        ) from error


def _missing(path: str | Path) -> UserError:
    return UserError(
        f"{path} does not exist. If it is a result of a study, `snakemake --cores 1 {path}` makes it; docs/files.md "
        "says which program under workflow_scripts/ writes which file."
    )


def _cell(value: object) -> str:
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)


def write_table(path: str | Path, schema: str, rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV (gzip when the name ends in .gz) with the columns of `schema`, in order, ended by an empty line.

    None and NaN become empty cells; floats keep all their digits. KeyError for a row with missing or further columns.
    """
    columns = list(SCHEMAS[schema])
    buffer = text_io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        if set(row) != set(columns):
            raise KeyError(f"table {schema}: row has {sorted(row)}, columns are {sorted(columns)}")
        writer.writerow([_cell(row[column]) for column in columns])
    data = (buffer.getvalue() + "\n").encode()
    atomic.write(path, gzip.compress(data, mtime=0) if str(path).endswith(".gz") else data)


def read_table(path: str | Path, schema: str) -> pandas.DataFrame:
    """Read a CSV of `schema`; UserError if it is missing, cut off, otherwise broken, or its columns differ."""
    import pandas

    try:
        data = Path(path).read_bytes()
        data = gzip.decompress(data) if str(path).endswith(".gz") else data
        if not data.replace(b"\r\n", b"\n").endswith(b"\n\n"):
            raise ValueError("it does not end with an empty line, as every whole table does: rows may be missing")
        # Rates are labels ("0.70" is not "0.7"), so they stay text.
        table = pandas.read_csv(text_io.BytesIO(data), dtype={"lr": str}, keep_default_na=False, na_values=[""])
        if not isinstance(table.index, pandas.RangeIndex):  # what pandas makes of one cell too many in every row
            raise ValueError("its rows have more cells than its header")
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(
            f"{path} cannot be read as a table ({error}). Delete it and run the same command again."
        ) from error
    if list(table.columns) != list(SCHEMAS[schema]):
        raise UserError(
            f"{path} has the columns {', '.join(table.columns)}, but the table '{schema}' has "
            f"{', '.join(SCHEMAS[schema])}. Another version wrote it: delete it and run the same command again."
        )
    return table


def _digest(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    rest = {key: value for key, value in metadata.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_tensors(
    path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays as safetensors, `metadata` in the header beside a SHA-256 of both ("sha256") and "format"."""
    from safetensors.numpy import save

    arrays = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    header = {**(metadata or {}), "format": FORMAT}
    data = save(arrays, metadata={**header, "sha256": _digest(arrays, header)})
    # safetensors shuffles the metadata from call to call; sorted keys make equal contents equal files.
    end = 8 + int.from_bytes(data[:8], "little")
    ordered = json.dumps(json.loads(data[8:end]), sort_keys=True).encode()
    ordered += b" " * (-len(ordered) % 8)
    atomic.write(path, len(ordered).to_bytes(8, "little") + ordered + data[end:])


def read_tensors(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read (arrays, metadata with "sha256" and "format"). A truncated, corrupt or foreign file: UserError naming it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            names = file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, SafetensorError, TypeError) as error:
        raise UserError(
            f"{path} is not a readable safetensors file ({error}). Delete it and run the same command again."
        ) from error
    if metadata.get("format") != FORMAT or metadata.get("sha256") != _digest(arrays, metadata):
        raise UserError(
            f"{path} is corrupt: its contents do not match the checksum in its header. "
            "Delete it and run the same command again."
        )
    return arrays, metadata
