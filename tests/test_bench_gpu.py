"""The benchmark of GPUs, in the small on a CPU, and what it says where there is nothing to measure."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import gpu

from winnow import plugins


def table(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")][2:]


def test_small_on_a_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--lanes", "1", "2", "--steps", "2", "--sweep-epochs", "0", "--size", "64"]
    gpu.main(["--device", "cpu", "--precision", "fp32", "--models", "lenet_300_100", *small])
    rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["LeNet-300-100, 60", "1"], ["LeNet-300-100, 60", "2"]]
    for row in rows:
        epoch, per_lane, usual = map(float, row[2:5])
        assert per_lane == pytest.approx(epoch / int(row[1]), rel=0.01)
        assert float(row[5].removesuffix(" times")) == pytest.approx(usual / per_lane, rel=0.05, abs=0.06)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_gpu_every_row_says_that_it_was_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main([])
    text = capsys.readouterr().out
    assert {tuple(row[2:]) for row in table(text)} == {("not measured",) * 5}
    assert "There was no CUDA device: nothing was measured." in text


@pytest.mark.parametrize("case", gpu.CASES, ids=lambda case: case.model)
def test_the_usual_network_is_the_same(case: gpu.Case) -> None:
    theirs, ours = gpu.torch_network(case), plugins.load_class("models", case.model)(shape=case.shape)
    assert [tuple(p.shape) for p in theirs.parameters()] == list(ours.shapes.values())
    assert theirs(torch.zeros(2, *case.shape)).shape == (2, 10)


def test_operations_by_hand() -> None:
    """LeNet-300-100: 235,200 + 30,000 + 1,000 weights; two products with the first, three with the others."""
    (case,) = (case for case in gpu.CASES if case.model == "lenet_300_100")
    assert gpu.operations(case) == 2 * 60 * (2 * 235_200 + 3 * 31_000)


def test_the_sweep_trains_every_rate_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = []

    class Stub:
        def __init__(self, job: object, held: object) -> None:
            jobs.append(job)

        def run(self) -> None:
            pass

    monkeypatch.setattr(gpu, "Trainer", Stub)
    assert [(arm, lanes) for arm, lanes, _ in gpu.sweep(torch.device("cpu"), "fp32", 20)] == [("gd", 45), ("eg", 40)]
    for job in jobs:
        assert job.last == 20 * 215
        assert {len(value) for value in job.start.values()} == {len(job.seeds)} == {len(job.rates)}
        np.testing.assert_array_equal(job.start["output.weight"][:5], job.start["output.weight"][5:10])
