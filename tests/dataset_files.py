"""Published data sets in miniature, in their true formats, and a server to fetch them from."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import socket
import struct
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np


def md5(contents: bytes) -> str:
    return hashlib.md5(contents, usedforsecurity=False).hexdigest()


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def idx_files(names: Mapping[str, tuple[str, str]]) -> tuple[dict[str, bytes], dict[str, tuple[str, str]]]:
    """Six training and three test images 28x28: ({file: contents}, `names` with the MD5 of these contents)."""
    generator = np.random.default_rng(0)
    contents, files = {}, {}
    for part, count in (("train", 6), ("test", 3)):
        images = generator.integers(0, 256, size=(count, 28, 28), dtype=np.uint8)
        for key, array in ((f"{part}_images", images), (f"{part}_labels", np.arange(count, dtype=np.uint8))):
            stem = names[key][0]
            contents[stem] = idx(array)
            files[key] = (stem, md5(contents[stem]))
    return contents, files


def text(value: str) -> bytes:
    return b"U" + bytes([len(value)]) + value.encode()  # SHORT_BINSTRING: a str of Python 2


def batch(label: str, images: np.ndarray, labels: list[int], columns: bool = False) -> bytes:
    """A batch as Python 2 pickled it with protocol 2: images uint8 [N, 3072], stored by rows or by columns."""
    count, values = images.shape
    shape = b"M" + struct.pack("<H", count) + b"M" + struct.pack("<H", values) + b"\x86"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text("b") + b"\x87R"
    dtype = b"cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    data = images.tobytes("F" if columns else "C")
    state = b"(K\x01" + shape + dtype + (b"\x88" if columns else b"\x89") + b"T" + struct.pack("<I", len(data)) + data
    return b"".join([
        b"\x80\x02}(", text("batch_label"), text(label),
        text("labels"), b"](", *(b"K" + bytes([value]) for value in labels), b"e",
        text("data"), array, state, b"tb",
        text("filenames"), b"](", *(text(f"image_{index}.png") for index in range(count)), b"e",
        b"u.",
    ])  # fmt: skip


def put(folder: Path, contents: Mapping[str, bytes], gzipped: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / (name + ".gz" * gzipped)).write_bytes(gzip.compress(content) if gzipped else content)
    return folder


def pack(contents: Mapping[str, bytes], folder: str) -> bytes:
    """A .tar.gz of the files in a folder, last first, as the published one is in no order either."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in reversed(contents.items()):
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of the files in a folder; afterwards sockets wait for ever again."""
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
    socket.setdefaulttimeout(None)
