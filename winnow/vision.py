"""The one place that imports torchvision, also where its compiled part does not match the installed torch.

torchvision describes two of its compiled operators, ``nms`` and ``qnms``, to torch while it is imported. With a CPU
build of torch and a CUDA build of torchvision the compiled library cannot be loaded, the operators do not exist, and
the import fails ("operator torchvision::nms does not exist") although data sets and transforms need neither. Declaring
the two schemas first is enough. Nothing is declared where torchvision's own library loads.

Run as a program (``python -m winnow.vision FashionMNIST FOLDER``) it downloads a data set with torchvision's own class
and mirrors, so that a caller can stop it when the network hangs.
"""

from __future__ import annotations

import importlib
import importlib.util
import socket
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from pathlib import Path
from types import ModuleType
from typing import Any

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
SOCKET_TIMEOUT = 20.0  # seconds without an answer; urllib has none of its own

_declared: list[Any] = []  # torch drops the schemas when their library handle is collected


def torchvision() -> ModuleType:
    """Import torchvision and return it. ImportError where it is not installed."""
    if "torchvision" not in sys.modules and not _declared and not _compiled_part_loads():
        import torch

        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for schema in SCHEMAS:
            library.define(schema)  # type: ignore[no-untyped-call]
        _declared.append(library)
    return importlib.import_module("torchvision")


def _compiled_part_loads() -> bool:
    """Whether torchvision's compiled library exists and loads; if so, its operators are registered from then on."""
    package = importlib.util.find_spec("torchvision")
    if package is None or package.origin is None:
        raise ImportError("torchvision is not installed: pip install torchvision")
    finder = FileFinder(str(Path(package.origin).parent), (ExtensionFileLoader, EXTENSION_SUFFIXES))
    compiled = finder.find_spec("_C")
    if compiled is None or compiled.origin is None:
        return False
    import torch

    try:
        torch.ops.load_library(compiled.origin)  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return True


def main(arguments: list[str]) -> None:
    """Download the data set of one torchvision class into a folder; exits with the reason, in one line, on failure."""
    name, folder = arguments
    socket.setdefaulttimeout(SOCKET_TIMEOUT)
    try:
        # Not its __init__, which reads all images after the download, those of CIFAR-10 by unpickling.
        dataset = object.__new__(getattr(torchvision().datasets, name))
        dataset.root = folder
        dataset.download()
    except Exception as error:  # the reason goes to the caller, which tries the next source
        sys.exit(" ".join(f"{type(error).__name__}: {error}".split()))


if __name__ == "__main__":
    main(sys.argv[1:])
