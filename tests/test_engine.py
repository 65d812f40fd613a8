"""Device, precision and matmul path: the choices by name, the decision by error, and what is recorded."""

import json
import os

import pytest
import torch

from winnow import engine
from winnow.errors import UserError


@pytest.fixture
def matmul_setting():
    before = torch.backends.mkldnn.matmul.fp32_precision
    yield
    torch.backends.mkldnn.matmul.fp32_precision = before


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_devices_by_name():
    assert engine.device("cpu") == torch.device("cpu")
    assert engine.device("auto").type in ("cpu", "cuda", "mps", "xpu")
    with pytest.raises(UserError, match=r"device is 'gpu0', but this machine has .*cpu"):
        engine.device("gpu0")
    with pytest.raises(UserError, match="cuda:99"):
        engine.device("cuda:99")


def test_an_accelerator_is_preferred(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("xpu"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    assert engine.device("auto") == torch.device("xpu")
    assert engine.device("xpu:1") == torch.device("xpu:1")
    assert engine.device("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="this machine has xpu, xpu:0, xpu:1, cpu"):
        engine.device("xpu:2")


def test_precisions_by_name():
    assert engine.dtype("bf16") == torch.bfloat16
    with pytest.raises(UserError, match="one of fp32, tf32, bf16, fp64"):
        engine.dtype("float32")


def test_tf32_is_for_nvidia_gpus_and_never_stays(matmul_setting):
    engine.check_precision("tf32", torch.device("cuda"))
    engine.check_precision("bf16", torch.device("cpu"))
    with pytest.raises(UserError, match="precision is 'tf32', which NVIDIA GPUs have, but this job runs on cpu"):
        engine.check_precision("tf32", torch.device("cpu"))
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    for precision, expected in (("tf32", "tf32"), ("fp32", "ieee"), ("bf16", "ieee")):
        engine.use_matmul_path("highest", precision)
        assert {switch.fp32_precision for switch in switches} == {expected}


def test_a_job_sets_threads_path_and_determinism(matmul_setting, threads, monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    try:
        engine.begin(1, "fp32", True, None, "highest")
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        engine.begin(1, "fp32", False, None, "highest")
    assert not torch.are_deterministic_algorithms_enabled()


def test_threads_are_set(threads):
    engine.set_threads(1)
    assert torch.get_num_threads() == 1
    with pytest.raises(UserError, match="threads is 0"):
        engine.set_threads(0)


def test_the_chosen_path_is_exact_and_kept(tmp_path, matmul_setting):
    before = torch.backends.mkldnn.matmul.fp32_precision
    path = engine.matmul_path(tmp_path)
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    engine.use_matmul_path(path)
    assert engine.matmul_error() < 1e-5  # TF32 would be at 3e-4
    assert torch.backends.cuda.matmul.fp32_precision == "ieee"
    (entry,) = json.loads((tmp_path / "matmul.json").read_text()).values()
    assert entry["path"] == path
    assert set(entry["errors"]) == {"medium", "highest"}


@pytest.mark.parametrize(("errors", "expected"), [((3e-7, 2e-7), "medium"), ((3e-3, 3e-7), "highest")])
def test_the_decision_goes_by_error_in_order_of_preference(tmp_path, monkeypatch, errors, expected):
    measured = iter(errors)
    monkeypatch.setattr(engine, "matmul_error", lambda: next(measured))
    assert engine.matmul_path(tmp_path) == expected
    assert engine.matmul_path(tmp_path) == expected  # from the file: a third measurement would raise StopIteration


def test_another_machines_decision_is_kept_beside_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "matmul_error", lambda: 0.0)
    engine.matmul_path(tmp_path)
    monkeypatch.setattr(engine, "cpu_model", lambda: "another")
    engine.matmul_path(tmp_path)
    assert len(json.loads((tmp_path / "matmul.json").read_text())) == 2


def test_bf16_products_are_recognised(monkeypatch):
    """The probe sees what a CPU that computes "medium" in bfloat16 would do."""
    exact = torch.Tensor.__matmul__

    def rounded(a, b):
        return exact(a.bfloat16().float(), b.bfloat16().float()) if a.dtype == torch.float32 else exact(a, b)

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert engine.matmul_error() > 1e-3


def test_an_unknown_path_and_a_broken_file(tmp_path):
    with pytest.raises(UserError, match="one of medium, highest"):
        engine.use_matmul_path("fast")
    (tmp_path / "matmul.json").write_text("{")
    with pytest.raises(UserError, match=r"matmul\.json"):
        engine.matmul_path(tmp_path)


def test_what_is_recorded():
    versions = engine.versions()
    assert versions["torch"] == torch.__version__
    assert versions["cpu"]
    json.dumps(versions)
    assert engine.peak_memory() > 50 * 2**20


def test_small_matmuls_leave_the_chosen_path_as_it_was() -> None:
    before = engine.backends.mkldnn.matmul.fp32_precision
    try:
        engine.use_matmul_path("medium")
        for last in (engine.SMALL_MATMUL - 1, engine.SMALL_MATMUL):
            with engine.SizedMatmuls() as sized:
                sized(engine.SMALL_MATMUL)
                assert engine.backends.mkldnn.matmul.fp32_precision == "bf16"
                sized(engine.SMALL_MATMUL - 1)
                assert engine.backends.mkldnn.matmul.fp32_precision == "ieee"
                sized(last)
            assert engine.backends.mkldnn.matmul.fp32_precision == "bf16"
    finally:
        engine.backends.mkldnn.matmul.fp32_precision = before
