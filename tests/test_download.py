"""Fetching and packing: sources in order, wrong contents, Debian package without root, full disks, no remains."""

import errno
import hashlib
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from dataset_files import idx, idx_files, put, served

from winnow import data, download, plugins, vision
from winnow.datasets import _idx, _sources, fashion_mnist
from winnow.errors import UserError

PROGRAM = Path(__file__).parents[1] / "workflow_scripts" / "download.py"


@pytest.fixture
def original(monkeypatch) -> dict[str, bytes]:
    """A tiny Fashion-MNIST, {file name: contents}, whose checksums the plug-in is made to expect."""
    contents, files = idx_files(fashion_mnist.FILES)
    monkeypatch.setattr(fashion_mnist, "FILES", files)
    monkeypatch.setattr(_sources, "PAUSE", 0)
    monkeypatch.setattr(_sources, "POLL", 0.01)
    return contents


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A PATH with nothing but the shell scripts that the test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        (folder / name).chmod(0o755)

    return add


@pytest.fixture
def no_torchvision(monkeypatch):
    calls = []

    def fail(dataset: str, scratch: Path) -> None:
        calls.append(dataset)
        raise UserError("torchvision failed: URLError: Name or service not known")

    monkeypatch.setattr(_sources, "torchvision", fail)
    return calls


def source(out: Path) -> str:
    return data.read_json(out / "dataset.json")["source"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


WHOLE = ["dataset.json", "test_images.npy", "test_labels.npy", "train_images.npy", "train_labels.npy"]


# --- a folder of the user ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("nested", [".", "FashionMNIST/raw"])
def test_files_from_a_folder(original, tmp_path, gzipped, nested):
    folder = tmp_path / "mine"
    put(folder / nested, original, gzipped)
    out = tmp_path / "results" / "fashion_mnist"
    download.pack("fashion_mnist", out, folder)
    loaded = data.load(out)
    assert idx(loaded.train_images.squeeze(1)) == original["train-images-idx3-ubyte"]
    assert idx(loaded.test_images.squeeze(1)) == original["t10k-images-idx3-ubyte"]
    assert idx(loaded.train_labels) == original["train-labels-idx1-ubyte"]
    assert source(out) == "the folder named in config"
    assert names(out.parent) == ["fashion_mnist"]
    assert names(out) == WHOLE


def test_wrong_folder_is_reported_and_the_next_source_used(original, tmp_path, monkeypatch, caplog):
    damaged = bytearray(original["t10k-images-idx3-ubyte"])
    damaged[-1] ^= 1
    mine = put(tmp_path / "mine", {**original, "t10k-images-idx3-ubyte": bytes(damaged)})

    def fake(dataset: str, scratch: Path) -> None:
        put(scratch / dataset / "raw", original)

    monkeypatch.setattr(_sources, "torchvision", fake)
    download.pack("fashion_mnist", tmp_path / "out", mine)
    assert source(tmp_path / "out") == "torchvision's mirrors"
    found, expected = hashlib.md5(damaged).hexdigest(), fashion_mnist.FILES["test_images"][1]
    assert f"{mine}/t10k-images-idx3-ubyte has other contents: MD5 (decompressed) {found}, expected {expected}" in (
        caplog.text
    )


# --- every source fails -----------------------------------------------------------------------------------------------


def test_when_all_sources_fail_the_error_names_each_and_nothing_stays(original, tmp_path, no_torchvision, programs):
    del original["train-labels-idx1-ubyte"]
    mine = put(tmp_path / "mine", original)
    out = tmp_path / "results" / "fashion_mnist"
    with pytest.raises(UserError) as raised:
        download.pack("fashion_mnist", out, mine)
    message = str(raised.value)
    assert "\n" not in message
    for part in (
        f"(1) the folder named in config: {mine} holds neither train-labels-idx1-ubyte nor",
        "(2) torchvision's mirrors (tried 2 times): torchvision failed: URLError: Name or service not known;",
        "(3) the Debian package dataset-fashion-mnist: there is no apt-get on this system.",
        "config.yaml under data.fashion_mnist.folder",
    ):
        assert part in message
    assert no_torchvision == ["FashionMNIST", "FashionMNIST"]
    assert names(out.parent) == []


@pytest.mark.parametrize(("folder", "reason"), [(None, "is not set"), ("missing", "missing, which is not a folder")])
def test_folder_not_given_or_missing(original, tmp_path, no_torchvision, programs, folder, reason):
    with pytest.raises(UserError, match=rf"\(1\) the folder named in config: data\.fashion_mnist\.folder .*{reason}"):
        download.pack("fashion_mnist", tmp_path / "out", folder and tmp_path / folder)


# --- the Debian package -----------------------------------------------------------------------------------------------

APT = """
echo "$@" >> {log}
lists=; archives=
for word in "$@"; do case "$word" in
  Dir::State::Lists=*) lists="${{word#*=}}";; Dir::Cache::archives=*) archives="${{word#*=}}";;
esac; done
test -d "$lists/partial" && test -d "$archives/partial" || {{ echo "E: no partial folders"; exit 100; }}
case "$*" in *update) {update};; *"download dataset-fashion-mnist") {download};; *) exit 1;; esac
"""
DPKG = '[ "$1" = -x ] && mkdir -p "$3/usr/share/datasets" && cp -r {package} "$3/usr/share/datasets/fashion-mnist"'


def test_debian_package_without_root(original, tmp_path, no_torchvision, programs):
    package = put(tmp_path / "package", original, gzipped=True)
    log = tmp_path / "log"
    programs("apt-get", APT.format(log=log, update='echo "E: one repository is down"; exit 100', download="> x_1.deb"))
    programs("dpkg", DPKG.format(package=package))
    out = tmp_path / "results" / "fashion_mnist"
    download.pack("fashion_mnist", out)
    assert source(out) == "the Debian package dataset-fashion-mnist"
    assert idx(data.load(out).test_labels) == original["t10k-labels-idx1-ubyte"]
    commands = log.read_text().splitlines()
    assert [command.split()[-1] for command in commands] == ["update", "dataset-fashion-mnist"]
    for command in commands:  # nothing outside the scratch folder is written
        for option in ("Dir::State::Lists", "Dir::Cache", "Dir::Cache::archives"):
            assert f"-o {option}={out.parent}/.fashion_mnist.download-" in command
        assert "-o APT::Update::Error-Mode=any" in command
    assert names(out.parent) == ["fashion_mnist"]


def test_debian_errors_are_quoted_and_tried_twice(original, tmp_path, no_torchvision, programs):
    log = tmp_path / "log"
    quote = 'echo "E: Unable to locate package"; echo "noise"; exit 100'
    programs("apt-get", APT.format(log=log, update='echo "E: no network"; exit 100', download=quote))
    programs("dpkg", "exit 1")
    with pytest.raises(UserError) as raised:
        download.pack("fashion_mnist", tmp_path / "out")
    assert (
        "dataset-fashion-mnist (tried 2 times): apt-get failed: E: Unable to locate package; "
        "before that, with update, apt-get failed: E: no network. What you can do"
    ) in str(raised.value)
    assert len(log.read_text().splitlines()) == 4


def test_a_silent_program_is_stopped_and_not_tried_again(original, tmp_path, no_torchvision, programs, monkeypatch):
    monkeypatch.setattr(_sources, "STALL", 0.3)
    log = tmp_path / "log"
    programs("apt-get", APT.format(log=log, update="exec sleep 60", download="exit 1"))
    programs("dpkg", "exit 1")
    with pytest.raises(UserError, match=r"fashion-mnist: apt-get was stopped: nothing arrived for 0\.3 seconds"):
        download.pack("fashion_mnist", tmp_path / "out")
    assert len(log.read_text().splitlines()) == 1


def test_a_slow_program_that_makes_progress_is_not_stopped(tmp_path, programs, monkeypatch):
    monkeypatch.setattr(_sources, "STALL", 1.0)
    monkeypatch.setattr(_sources, "POLL", 0.02)
    programs("slow", "for i in 1 2 3 4 5 6; do sleep 0.25; echo $i >> arriving; done")
    _sources.run("slow", ["slow"], tmp_path)
    assert (tmp_path / "arriving").read_text().split() == list("123456")


# --- torchvision's downloader -----------------------------------------------------------------------------------------


def test_torchvision_runs_in_a_child_process_and_gives_its_reason(tmp_path):
    with pytest.raises(UserError, match=r"torchvision failed: AttributeError: .*NoSuchDataset") as raised:
        _sources.torchvision("NoSuchDataset", tmp_path)
    assert "\n" not in str(raised.value)


def test_torchvision_class_fetches_from_its_mirror(original, tmp_path, monkeypatch):
    site = put(tmp_path / "site", original, gzipped=True)
    checksums = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in site.iterdir()]
    dataset = vision.torchvision().datasets.FashionMNIST
    monkeypatch.setenv("no_proxy", "*")
    with served(site) as address:
        monkeypatch.setattr(dataset, "mirrors", [address])
        monkeypatch.setattr(dataset, "resources", checksums)
        vision.main(["FashionMNIST", str(tmp_path / "root")])
    arrays = _idx.read_folder(tmp_path / "root", fashion_mnist.FILES, "FashionMNIST/raw")
    assert idx(arrays["train_images"]) == original["train-images-idx3-ubyte"]


# --- packing ----------------------------------------------------------------------------------------------------------


def test_packing_twice_changes_nothing_and_repairs_what_is_broken(tmp_path):
    out = tmp_path / "digits"
    download.pack("digits", out)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.iterdir()}
    assert sorted(before) == WHOLE
    download.pack("digits", out)
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.iterdir()} == before
    (out / "train_images.npy").write_bytes(before["train_images.npy"][1][:1000])
    download.pack("digits", out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {key: value[1] for key, value in before.items()}


def test_another_data_set_is_not_overwritten(tmp_path):
    out = tmp_path / "digits"
    download.pack("digits", out)
    with pytest.raises(UserError, match="holds the data set digits, not mnist"):
        download.pack("mnist", out)
    assert sorted(path.name for path in out.iterdir()) == WHOLE
    assert data.load(out).name == "digits"


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("succeed_first", range(5))
def test_no_space_left(tmp_path, monkeypatch, call, succeed_first):
    real, calls = getattr(os, call), []

    def full(*arguments):
        calls.append(arguments)
        if len(calls) > succeed_first:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments)

    monkeypatch.setattr(os, call, full)
    out = tmp_path / "results" / "digits"
    with pytest.raises(UserError, match=r"digits could not be written to .*No space left on device.*space left"):
        download.pack("digits", out)
    assert len(calls) == succeed_first + 1
    assert names(tmp_path / "results") == []


def test_no_space_left_while_fetching_ends_the_search(original, tmp_path, monkeypatch, no_torchvision):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("winnow.datasets._idx.read_folder", full)
    with pytest.raises(UserError, match="No space left on device"):
        download.pack("fashion_mnist", tmp_path / "results" / "x", put(tmp_path / "mine", original))
    assert no_torchvision == []
    assert names(tmp_path / "results") == []


def test_a_program_that_fills_the_disk(tmp_path, programs, monkeypatch):
    programs("fills", "exit 1")
    with pytest.raises(UserError, match="fills failed: it printed nothing"):
        _sources.run("fills", ["fills"], tmp_path)
    monkeypatch.setattr(_sources.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=4096))
    with pytest.raises(OSError, match="No space left on device"):
        _sources.run("fills", ["fills"], tmp_path)


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid in (dead.pid, os.getppid()):
        (tmp_path / f".digits.download-{pid}" / "scratch").mkdir(parents=True)
    download.pack("digits", tmp_path / "digits")
    assert names(tmp_path) == [f".digits.download-{os.getppid()}", "digits"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_labels": np.full(6, 10, dtype=np.uint8)}, r"train labels of shape \(6,\) do not fit"),
        ({"test_labels": np.zeros(2, dtype=np.uint8)}, r"test labels of shape \(2,\) do not fit"),
        ({"test_images": np.zeros((3, 28, 28))}, "must return uint8 arrays"),
        ({"further": np.zeros(3, dtype=np.uint8)}, "must return uint8 arrays"),
    ],
)
def test_a_faulty_plugin_is_noticed(original, tmp_path, monkeypatch, change, message):
    real = fashion_mnist.fetch
    monkeypatch.setattr(fashion_mnist, "fetch", lambda work, folder: {**real(work, folder), **change})
    with pytest.raises(ValueError, match=message):
        download.pack("fashion_mnist", tmp_path / "results" / "x", put(tmp_path / "mine", original))
    assert names(tmp_path / "results") == []


# --- the program ------------------------------------------------------------------------------------------------------


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "error", PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROGRAM.parents[1])


def test_the_program(tmp_path):
    done = run("--dataset", "digits", "--out", tmp_path / "digits")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1500 training and 297 test images of digits" in done.stdout
    assert names(tmp_path / "digits") == WHOLE


def test_the_program_names_the_valid_data_sets(tmp_path):
    done = run("--dataset", "digit", "--out", tmp_path / "digits")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Did you mean 'digits'? Valid names: {', '.join(plugins.names('datasets'))}." in " ".join(
        done.stderr.split()
    )
    assert "Traceback" not in done.stderr
    assert names(tmp_path) == []
