"""The store: checkpoints, finished runs, the lock between processes, and its bound."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from winnow import atomic, io, store
from winnow.errors import UserError

ARRAYS = {"w": np.arange(6, dtype=np.float32)}


def fill(folder: Path) -> None:
    io.write_tensors(folder / "final.safetensors", ARRAYS)
    atomic.write(folder / "metrics.csv", b"seed\n0\n")


def test_a_finished_run_is_linked_out_and_survives_the_loss_of_its_outputs(tmp_path: Path) -> None:
    with store.locked(tmp_path / "s", "k") as entry:
        assert entry.whole() is None
        entry.save({"iteration": 3}, ARRAYS)
        entry.finish(fill)
        assert entry.checkpoint() is None
        for _ in range(2):
            entry.link(entry.whole() or [], tmp_path / "out")
            files = sorted((tmp_path / "out").glob("[!.]*"))
            assert [file.name for file in files] == ["final.safetensors", "metrics.csv"]
            np.testing.assert_array_equal(io.read_tensors(tmp_path / "out/final.safetensors")[0]["w"], ARRAYS["w"])
            for file in files:
                file.unlink()


def test_linked_outputs_are_newer_than_what_was_there_before(tmp_path: Path) -> None:
    with store.locked(tmp_path / "s", "k") as entry:
        entry.finish(fill)
        for name in ("final.safetensors", "metrics.csv"):
            os.utime(entry.folder / name, (1, 1))
        before = time.time() - 1
        entry.link(["final.safetensors", "metrics.csv"], tmp_path / "out")
    assert (tmp_path / "out/metrics.csv").stat().st_mtime > before


@pytest.mark.parametrize("name", ["final.safetensors", "metrics.csv"])
def test_a_corrupt_finished_file_is_named_and_never_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with store.locked(tmp_path, "k") as entry:
        entry.finish(fill)
        contents = bytearray((entry.folder / name).read_bytes())
        contents[-2] ^= 1
        (entry.folder / name).write_bytes(contents)
        assert entry.whole() is None
        assert f"{name} is corrupt" in capsys.readouterr().out
        assert [file.name for file in entry.folder.iterdir()] == ["lock"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_corrupt_checkpoint_is_named_and_never_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    with store.locked(tmp_path, "k") as entry:
        entry.save({"iteration": 3}, ARRAYS)
        state, arrays = entry.checkpoint() or ({}, {})
        assert state == {"iteration": 3}
        np.testing.assert_array_equal(arrays["w"], ARRAYS["w"])
        path = entry.folder / "checkpoint.safetensors"
        whole = path.read_bytes()
        path.write_bytes({"truncate": whole[:-3], "flip": whole[:-1] + b"\x7f", "empty": b""}[damage])
        assert entry.checkpoint() is None
        assert "checkpoint.safetensors" in capsys.readouterr().out


def test_an_orphan_makes_a_second_trainer_wait_and_is_named(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from winnow import store\n"
        "with store.locked(Path(sys.argv[1]), 'k') as entry:\n"
        "    print('got', flush=True); time.sleep(float(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    root = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    first = subprocess.Popen([*command, "60"], stdout=subprocess.PIPE, text=True, env=root)
    assert first.stdout is not None
    assert first.stdout.readline() == "got\n"
    second = subprocess.Popen([*command, "0"], stdout=subprocess.PIPE, text=True, env=root)
    assert second.stdout is not None
    line = second.stdout.readline()
    assert f"process {first.pid} on" in line
    assert "Waiting" in line
    assert second.poll() is None
    first.kill()
    first.wait()
    assert second.communicate(timeout=20)[0] == "got\n"
    first.stdout.close()


def test_an_older_job_of_another_key_cannot_overwrite_the_newer_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with store.locked(tmp_path / "s", "older") as older, store.locked(tmp_path / "s", "newer") as newer:
        store.claim(out, "older")
        older.finish(fill)
        store.claim(out, "newer")
        newer.finish(lambda folder: atomic.write(folder / "metrics.csv", b"newer"))
        newer.link(["metrics.csv"], out)
        with pytest.raises(UserError, match=r"Another training job \(newer\) was begun in .*out after this one"):
            older.link(["final.safetensors", "metrics.csv"], out)
        assert (out / "metrics.csv").read_bytes() == b"newer"
        assert not (out / "final.safetensors").exists()
        store.claim(out, "older")  # the edit was taken back
        older.link(["metrics.csv"], out)
        assert (out / "metrics.csv").read_bytes() == b"seed\n0\n"


def test_shrink_removes_the_entries_unused_longest_but_no_locked_one(tmp_path: Path) -> None:
    for age, key in enumerate(["new", "old", "older"]):
        with store.locked(tmp_path, key) as entry:
            entry.finish(fill)
        os.utime(tmp_path / key / "lock", (1e9 - age, 1e9 - age))
    one = store.size(tmp_path) // 3
    (tmp_path / "ledger").mkdir()
    with store.locked(tmp_path, "held"):
        os.utime(tmp_path / "held/lock", (1, 1))
        assert store.shrink(tmp_path, 2 * one + 100) == ["older"]
        assert store.shrink(tmp_path, 0) == ["old", "new"]
        assert (tmp_path / "held").exists()
    assert (tmp_path / "ledger").exists()


def test_shrink_measures_every_entry_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("a", "b", "c"):
        with store.locked(tmp_path, key) as entry:
            entry.finish(fill)
    measured: list[str] = []
    measure = store._own_bytes
    monkeypatch.setattr(store, "_own_bytes", lambda folder: (measured.append(folder.name), measure(folder))[1])
    assert sorted(store.shrink(tmp_path, 0)) == ["a", "b", "c"]
    assert sorted(measured) == ["a", "b", "c"]


def test_files_linked_into_results_cost_the_store_nothing(tmp_path: Path) -> None:
    with store.locked(tmp_path / "s", "k") as entry:
        entry.finish(fill)
        before = store.size(tmp_path / "s")
        entry.link(["final.safetensors"], tmp_path / "out")
    assert store.size(tmp_path / "s") < before


def test_no_two_outputs_are_links_to_the_same_file(tmp_path: Path) -> None:
    with store.locked(tmp_path / "s", "k") as entry:
        entry.finish(fill)
        for out in ("a", "b", "a"):
            entry.link(["metrics.csv"], tmp_path / out)
        assert not (tmp_path / "a/metrics.csv").samefile(tmp_path / "b/metrics.csv")
        assert (tmp_path / "a/metrics.csv").samefile(entry.folder / "metrics.csv")
        assert (tmp_path / "b/metrics.csv").read_bytes() == b"seed\n0\n"


def test_the_size_can_be_asked_without_numpy(tmp_path: Path) -> None:
    code = (
        "import sys; from winnow import store; assert store.size(sys.argv[1]) == 0; assert 'numpy' not in sys.modules"
    )
    root = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=root, check=True)


def test_housekeeping_does_not_mind_files_that_vanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("a", "b"):
        with store.locked(tmp_path, key) as entry:
            entry.finish(fill)
    known = store.entries(tmp_path)
    monkeypatch.setattr(store, "entries", lambda folder: [*known, tmp_path / "gone"])
    assert store.size(tmp_path) > 0
    assert sorted(store.shrink(tmp_path, 0)) == ["a", "b"]


def test_a_checkpoint_that_the_disk_refuses_is_named(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk; the checkpoint before stays."""
    code = (
        "import resource, sys; from pathlib import Path; import numpy as np; from winnow import cli, store\n"
        "def main():\n"
        "    with store.locked(Path(sys.argv[1]), 'k') as entry:\n"
        "        entry.save(1, {'w': np.zeros(10)})\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "        entry.save(2, {'w': np.zeros(1000)})\n"
        "cli.run(main)\n"
    )
    root = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    text = " ".join(done.stderr.split())
    assert text.startswith(
        f"Error: {tmp_path}/k/checkpoint.safetensors could not be opened or written: File too large (not written; "
        "nothing half-written stays)."
    )
    assert sorted(file.name for file in (tmp_path / "k").iterdir()) == ["checkpoint.safetensors", "lock"]
    with store.locked(tmp_path, "k") as entry:
        assert entry.checkpoint()[0] == 1
