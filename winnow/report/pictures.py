"""The figures of a study as images inside the page, each with its caption and the command that makes it again."""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from winnow.report.captions import caption

WIDTH = 1400  # pixels at most: two per point of a wide page
QUALITY = 82


@dataclass(frozen=True)
class Picture:
    """A figure; `data` is a data URL, or empty where the page had no room for it."""

    name: str
    title: str
    caption: str
    command: str
    path: str
    data: str
    width: int
    height: int


def collect(folder: Path, overlays: Sequence[str], room: int) -> tuple[list[Picture], int]:
    """The PNG figures of a study's folder, and the bytes that are left of `room`."""
    found = []
    for path in sorted((folder / "figures").glob("*.png")):
        data, width, height = _packed(path)
        fits = len(data) <= room
        room -= len(data) if fits else 0
        found.append(
            Picture(
                path.stem, path.stem.replace("_", " "), caption("figures", path.stem),
                command(path, folder.name, overlays), path.as_posix(),
                data if fits else "", width, height,
            )
        )  # fmt: skip
    return found, room


def command(path: Path, study: str, overlays: Sequence[str]) -> str:
    """The call that makes this file again, with all that it needs."""
    files = " ".join(shlex.quote(overlay) for overlay in overlays)
    options = (f"--configfile {files} " if files else "") + f"--config 'studies=[{study}]' --force"
    return f"snakemake --cores 1 {options} {shlex.quote(path.as_posix())}"


def _packed(path: Path) -> tuple[str, int, int]:
    """(data URL, width, height) of a PNG, made smaller."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    if picture.width > WIDTH:
        size = (WIDTH, round(picture.height * WIDTH / picture.width))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode(), picture.width, picture.height
