"""Where and how precisely numbers are computed: device, precision, matmul path, threads; and what to record of it.

"fp32" means full float32 everywhere. On a CPU two matmul libraries can serve it: PyTorch's default ("highest") and
oneDNN ("medium"), up to twice as fast on some CPUs, but with bfloat16 products on others. Which one is full float32 is
a property of the machine, found by measuring the error against float64, and never by timing, which would let chance
decide the bits of a result. On an NVIDIA GPU "tf32" has the factors of float32 products rounded to 10 bits of mantissa
(errors near 3e-4), "fp32" never; "bf16" has activations and products in bfloat16 anywhere.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import numpy
import torch

from winnow import io
from winnow.errors import UserError

backends: Any = torch.backends  # its switches carry no types
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp64": torch.float64}
MATMUL_PATHS = {"medium": "bf16", "highest": "ieee"}  # by preference -> PyTorch's name for what oneDNN may use
SMALL_MATMUL = 4_000_000
LARGEST_ERROR = 1e-6  # float32 is at 1e-7 to 5e-7, bfloat16 products are at 3e-3
PROBES = (
    (256, 256, 256),
    (256, 7168, 256),
    (7168, 28, 256),
    (61, 300, 100),
)  # (rows, summed, columns); deep, thin, odd


def device(name: str) -> torch.device:
    """The device called `name`: "cpu", "cuda", "cuda:1", any other accelerator; "auto": an accelerator if there is one.

    UserError naming the devices that exist.
    """
    valid = ["cpu"]
    if torch.accelerator.is_available() and (accelerator := torch.accelerator.current_accelerator()) is not None:
        valid = [f"{accelerator.type}:{i}" for i in range(torch.accelerator.device_count())] + valid
        valid.insert(0, accelerator.type)
    if name not in ("auto", *valid):
        raise UserError(f"device is {name!r}, but this machine has {', '.join(valid)} (or say auto).")
    return torch.device(valid[0] if name == "auto" else name)


def dtype(precision: str) -> torch.dtype:
    """The type of activations and matmuls for a `precision` of config; UserError naming the valid ones."""
    if precision not in DTYPES:
        raise UserError(f"precision is {precision!r}, but must be one of {', '.join(DTYPES)}.")
    return DTYPES[precision]


def check_precision(precision: str, device: torch.device) -> None:
    """UserError where `precision` is none of `device`."""
    if precision == "tf32" and device.type != "cuda":
        raise UserError(
            f"precision is 'tf32', which NVIDIA GPUs have, but this job runs on {device}. Give fp32 or bf16, or train "
            "on a GPU (execution: device: cuda, or --device cuda)."
        )


def make_current(device: torch.device) -> None:
    """Let streams and graphs that name no device be those of `device`: "cuda:1" is not PyTorch's default."""
    if device.type == "cuda":
        torch.cuda.set_device(device.index or 0)


def begin(threads: int, precision: str, deterministic: bool, store: Path | None, path: str | None = None) -> str:
    """What a training job computes with, from now on: CPU threads, matmul path, and on a GPU TF32 and determinism.

    path: the matmul path of a run that goes on; otherwise that of this machine, decided or kept in `store`. Returns it.
    deterministic: only kernels that give the same bits in every run; RuntimeError where PyTorch has none. On a CPU all
    are.
    """
    set_threads(threads)
    path = path or matmul_path(store)
    use_matmul_path(path, precision)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS is first used
        filling: Any = torch.utils.deterministic
        filling.fill_uninitialized_memory = False  # costs time, and nothing here reads such memory
    torch.use_deterministic_algorithms(deterministic)
    return path


def set_threads(count: int) -> None:
    """Let PyTorch use `count` threads. The count changes the last bits of results: it comes from config alone."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UserError(f"threads is {count!r}, but must be a whole number of at least 1.")
    torch.set_num_threads(count)


def use_matmul_path(name: str, precision: str = "fp32") -> None:
    """Compute float32 matmuls through `name` of MATMUL_PATHS from now on; on GPUs in TF32 where `precision` says so."""
    if name not in MATMUL_PATHS:
        raise UserError(f"The matmul path is {name!r}, but must be one of {', '.join(MATMUL_PATHS)}.")
    backends.mkldnn.matmul.fp32_precision = MATMUL_PATHS[name]
    for switch in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn):
        switch.fp32_precision = "tf32" if precision == "tf32" else "ieee"


class SizedMatmuls:
    """Within it, calls with the multiply-adds of the next matmul let PyTorch's default compute small float32 ones.

    Whatever `use_matmul_path` says, which holds again afterwards: oneDNN takes 10 to 15 us to set up each, in which a
    core does about a million multiply-adds. A class, since contextlib's would take that long itself.
    """

    def __enter__(self) -> Self:
        self.before = self.now = backends.mkldnn.matmul.fp32_precision
        return self

    def __call__(self, multiply_adds: int) -> None:
        wanted = MATMUL_PATHS["highest"] if multiply_adds < SMALL_MATMUL else self.before
        if wanted != self.now:
            backends.mkldnn.matmul.fp32_precision = self.now = wanted

    def __exit__(self, *_: object) -> None:
        if self.now != self.before:
            backends.mkldnn.matmul.fp32_precision = self.before


def matmul_error() -> float:
    """Largest relative error (Frobenius norm, against float64) of float32 matmuls, transposed ones too, as set now."""
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for rows, summed, columns in PROBES:
        a, b = torch.randn(rows, summed, generator=generator), torch.randn(summed, columns, generator=generator)
        exact = a.double() @ b.double()
        for product in (a @ b, (b.mT.contiguous() @ a.mT.contiguous()).mT, a.mT.contiguous().mT @ b):
            worst = max(worst, float((product.double() - exact).norm() / exact.norm()))
    return worst


def matmul_path(folder: Path | None) -> str:
    """The first of MATMUL_PATHS that is exact on this machine; leaves the setting as it was.

    The decision is read from, or kept in, `folder`/matmul.json, one entry per CPU model and torch version.
    """
    key = f"{cpu_model()}, torch {torch.__version__}"
    file = None if folder is None else folder / "matmul.json"
    decisions = io.read_json(file) if file is not None and file.exists() else {}
    if not isinstance(decisions, dict):
        raise UserError(
            f"{file} does not hold the decisions on matmul paths. Delete it and run the same command again."
        )
    path = decisions.get(key, {}).get("path")
    if path in MATMUL_PATHS:
        return str(path)
    before, errors = backends.mkldnn.matmul.fp32_precision, {}
    for candidate in MATMUL_PATHS:
        backends.mkldnn.matmul.fp32_precision = MATMUL_PATHS[candidate]
        errors[candidate] = matmul_error()
    backends.mkldnn.matmul.fp32_precision = before
    path = next((name for name, error in errors.items() if error < LARGEST_ERROR), "highest")
    if file is not None:
        io.write_json(file, {**decisions, key: {"path": path, "errors": errors}})
    return path


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    fields: dict[str, str] = {}
    for name, found, value in (line.partition(":") for line in lines):
        if found:
            fields.setdefault(name.strip(), value.strip())
    known = [fields[name] for name in ("model name", "cpu family", "model", "stepping") if name in fields]
    return "/".join(known) or platform.processor() or platform.machine()


def versions() -> dict[str, str | None]:
    """What computed a result, for run.json: versions, processor, accelerator, and the commit of this source tree."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    name = torch.cuda.get_device_name() if accelerator is not None and accelerator.type == "cuda" else None
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "system": platform.platform(),
        "cpu": cpu_model(),
        "accelerator": name or (str(accelerator) if accelerator else None),
        "commit": _commit(Path(__file__).parent.parent),
    }


def _commit(root: Path) -> str | None:
    if not (root / ".git").exists():  # installed as a package: a repository further up is not ours
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def peak_memory() -> int:
    """The most main memory this process has held so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
