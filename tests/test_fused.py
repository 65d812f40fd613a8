"""Sweeps whose rates and seeds are lanes of one job: the same files as jobs of their own, nothing trained twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from winnow import io, runs, store, stored_run
from winnow.errors import UserError
from winnow.spec import FusedSpec, TrainSpec
from winnow.stored_run import Place

RATES = ("0.05", "0.1")
BLOCKS = ([0, 1], [2])


def fused(spec: dict[str, Any], root: Path, rates: tuple[str, ...] = RATES) -> FusedSpec:
    members = [
        {"lr": lr, "seeds": seeds, "folder": str(root / f"lr{lr}-{seeds[0]}")} for lr in rates for seeds in BLOCKS
    ]
    return FusedSpec.read({"training": spec, "members": members})


def short(tiny: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Twenty steps, over which lanes agree whatever their companions."""
    return {**tiny, "length": "20it", "rewind": "3it", "evaluate_every": "5it", **changes}


def place(root: Path, digits: Path, out: str = "fused") -> Place:
    return Place(digits, root / out, root / "store")


def continuations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The iterations at which trainings go on from a checkpoint, from now on."""
    found: list[int] = []
    restore = stored_run.Trainer.restore
    monkeypatch.setattr(
        stored_run.Trainer, "restore", lambda self, *given: (restore(self, *given), found.append(self.iteration))
    )
    return found


def test_fused_runs_are_found_by_jobs_of_their_own_and_agree_with_them(
    tiny: dict[str, Any], digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = fused(short(tiny, step_losses=True), tmp_path)
    alone = tmp_path / "alone"
    for one, folder in spec.runs():
        runs.train_dense(one, Place(digits, alone / folder.name, alone / "store"))
    done = runs.train_fused(spec, place(tmp_path, digits))
    assert done["lanes"] == 6
    assert len(store.entries(tmp_path / "store")) == 4  # that of the whole job is gone
    assert done["trained"] == [str(folder) for _, folder in spec.runs()]
    monkeypatch.setattr(stored_run, "_train", lambda *_: pytest.fail("it trained again"))
    for one, folder in spec.runs():
        runs.train_dense(one, place(tmp_path, digits, folder.name))
        expected = alone / folder.name
        assert sorted(f.name for f in folder.iterdir()) == sorted(
            f.name for f in expected.iterdir() if f.name != "progress.json"
        )
        for name in ("init", "rewind", "final"):
            (found, meta), (wanted, wanted_meta) = (
                io.read_tensors(at / f"{name}.safetensors") for at in (folder, expected)
            )
            assert meta["seeds"] == wanted_meta["seeds"]
            for key, value in wanted.items():
                np.testing.assert_allclose(found[key], value, rtol=0, atol=1e-5 * np.abs(value).max())
        record, other = (json.loads((at / "run.json").read_text()) for at in (folder, expected))
        assert {key: record[key] for key in ("spec", "lr", "seeds", "lane_key", "diverged", "sample_gradients")} == {
            key: other[key] for key in ("spec", "lr", "seeds", "lane_key", "diverged", "sample_gradients")
        }
        assert record["lanes"] == 6 != other["lanes"] == len(one.seeds)
        tables = [io.read_table(at / "metrics.csv", "metrics").to_dict("records") for at in (folder, expected)]
        for row, wanted_row in zip(*tables, strict=True):
            assert (row["seed"], row["iteration"], row["lr"]) == (
                wanted_row["seed"], wanted_row["iteration"], wanted_row["lr"],
            )  # fmt: skip
            assert row["validation_loss"] == pytest.approx(wanted_row["validation_loss"], rel=1e-5)
        steps = [io.read_table(at / "steps.csv", "steps").to_dict("records") for at in (folder, expected)]
        assert [row["seed"] for row in steps[0]] == [row["seed"] for row in steps[1]]
        assert [row["loss"] for row in steps[0]] == pytest.approx([row["loss"] for row in steps[1]], rel=1e-4)
    seconds = [json.loads((folder / "run.json").read_text())["train_seconds"] for _, folder in spec.runs()]
    assert sum(seconds) == pytest.approx(done["train_seconds"])


def test_lanes_that_are_there_are_not_trained_again(tiny: dict[str, Any], digits: Path, tmp_path: Path) -> None:
    spec = short(tiny)
    first = TrainSpec.read({**spec, "lr": "0.1", "seeds": [2]})
    folder = tmp_path / "lr0.1-2"
    runs.train_dense(first, place(tmp_path, digits, folder.name))
    before = (folder / "final.safetensors").read_bytes()
    assert runs.train_fused(fused(spec, tmp_path), place(tmp_path, digits))["found"] == [str(folder)]
    # A further rate trains its own lanes alone, although the store was emptied: the files of one lie in its folder.
    for entry in store.entries(tmp_path / "store"):
        if entry.name == io.read_json(folder / "run.json")["lane_key"]:
            store.Entry(entry).drop()
    done = runs.train_fused(fused(spec, tmp_path, (*RATES, "0.2")), place(tmp_path, digits))
    assert [Path(name).name for name in done["trained"]] == ["lr0.2-0", "lr0.2-2"]
    assert done["lanes"] == 3
    again = runs.train_fused(fused(spec, tmp_path, (*RATES, "0.2")), place(tmp_path, digits))
    assert again["trained"] == []
    assert (folder / "final.safetensors").read_bytes() == before


def test_a_killed_fused_job_goes_on_with_the_same_bits(
    tiny: dict[str, Any], digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = fused(tiny, tmp_path)
    runs.train_fused(spec, place(tmp_path / "whole", digits))
    marks = 0
    save = store.Entry.save

    def killed(self: store.Entry, *state: Any) -> None:
        nonlocal marks
        save(self, *state)
        marks += 1
        raise KeyboardInterrupt

    monkeypatch.setattr(store.Entry, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.train_fused(spec, place(tmp_path, digits))
    monkeypatch.setattr(store.Entry, "save", save)
    continued = continuations(monkeypatch)
    runs.train_fused(spec, place(tmp_path, digits))
    assert marks == 1
    assert continued == [6]
    for entry in store.entries(tmp_path / "whole/store"):
        if (entry / "final.safetensors").exists():
            mine = tmp_path / "store" / entry.name / "final.safetensors"
            assert mine.read_bytes() == (entry / "final.safetensors").read_bytes()


def test_a_run_that_diverges_ends_as_it_would_alone_and_leaves_the_others_alone(
    tiny: dict[str, Any], digits: Path, tmp_path: Path
) -> None:
    """Rows, costs, steps, and when the test images were looked at: at a new minimum of the run's own losses."""
    changes = {"clip": None, "evaluate_every": "2it", "test_every": "20it", "step_losses": True}
    spec, skipped = fused(short(tiny, **changes), tmp_path, ("0.3", "1e30")), 0
    runs.train_fused(spec, place(tmp_path, digits))
    for one, folder in spec.runs():
        runs.train_dense(one, place(tmp_path, digits, folder.name))
        runs.train_dense(one, Place(digits, tmp_path / "alone" / folder.name, tmp_path / "alone/store"))
        found, expected = (
            {name: io.read_table(at / f"{name}.csv", name) for name in ("metrics", "steps")}
            | {"run": io.read_json(at / "run.json")}
            for at in (folder, tmp_path / "alone" / folder.name)
        )
        assert found["run"]["diverged"] == (one.seeds if one.lr == "1e30" else [])
        for key in ("diverged", "sample_gradients"):
            assert found["run"][key] == expected["run"][key]
        for name, columns in (("metrics", ["seed", "iteration", "diverged_step"]), ("steps", ["seed", "step"])):
            assert found[name][columns].equals(expected[name][columns])
        looks = [table["metrics"]["test_accuracy"].notna().tolist() for table in (found, expected)]
        assert looks[0] == looks[1]
        skipped += looks[0].count(False) if one.lr == "0.3" else 0
    assert skipped


def test_a_job_killed_while_it_writes_its_lanes_goes_on_from_its_checkpoint(
    tiny: dict[str, Any], digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, written = fused(tiny, tmp_path), []
    write = store.Entry.write

    def killed(self: store.Entry, given: Any) -> Any:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(self)
        return write(self, given)

    monkeypatch.setattr(store.Entry, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.train_fused(spec, place(tmp_path, digits))
    monkeypatch.setattr(store.Entry, "write", write)
    continued = continuations(monkeypatch)
    assert len(runs.train_fused(spec, place(tmp_path, digits))["trained"]) == 4
    assert continued
    assert continued[0] > 0


def test_more_lanes_than_the_store_holds_or_the_device_has_memory_for(
    tiny: dict[str, Any], digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Place(digits, tmp_path / "fused", tmp_path / "store", store_limit=20_000)
    with pytest.raises(UserError, match=r"6 lanes .* need .* GB of the store, which is limited to 2e-05 GB"):
        runs.train_fused(fused(tiny, tmp_path), small)

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(stored_run, "_train", full)
    with pytest.raises(UserError, match="6 lanes at once do not fit into the memory of cpu"):
        runs.train_fused(fused(tiny, tmp_path), place(tmp_path, digits))


@pytest.mark.parametrize("members", [[], [{"lr": "0.1"}], [{"lr": "0.1", "seeds": [0], "folder": "x", "more": 1}]])
def test_wrong_members(tiny: dict[str, Any], members: list[Any]) -> None:
    with pytest.raises(UserError, match="folder, lr and seeds"):
        FusedSpec.read({"training": tiny, "members": members})
