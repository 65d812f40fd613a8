"""MNIST and CIFAR-10 from small files in their true formats: folders, archives, mirrors, pickles left unopened."""

import os
import pickle
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from dataset_files import batch, idx, idx_files, md5, pack, put, served

from winnow import data, download, vision
from winnow.datasets import _cifar, _sources, cifar10, fashion_mnist, mnist
from winnow.errors import UserError

FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"


@pytest.fixture
def digits(monkeypatch) -> dict[str, bytes]:
    """A tiny MNIST, {file name: contents}, whose checksums the plug-in is made to expect."""
    contents, files = idx_files(mnist.FILES)
    monkeypatch.setattr(mnist, "FILES", files)
    return contents


@pytest.fixture
def cifar(monkeypatch) -> types.SimpleNamespace:
    """A tiny CIFAR-10 of two images in each batch: its `contents` by file name, which the plug-in is made to expect."""
    generator = np.random.default_rng(1)
    made = types.SimpleNamespace(contents={}, images={}, labels={})
    files: dict[str, dict[str, str]] = {}
    for part, names in cifar10.FILES.items():
        files[part] = {}
        for number, name in enumerate(names):
            made.images[name] = generator.integers(0, 256, size=(2, 3072), dtype=np.uint8)
            made.labels[name] = [number, 9 - number]
            made.contents[name] = batch(name, made.images[name], made.labels[name], columns=number % 2 == 1)
            files[part][name] = md5(made.contents[name])
    monkeypatch.setattr(cifar10, "FILES", files)
    return made


@pytest.fixture
def no_torchvision(monkeypatch):
    def fail(dataset: str, scratch: Path) -> None:
        raise UserError("torchvision failed: URLError: Name or service not known")

    monkeypatch.setattr(_sources, "torchvision", fail)
    monkeypatch.setattr(_sources, "PAUSE", 0)


@pytest.fixture
def no_unpickling(monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("unpickled")

    monkeypatch.setattr(_cifar, "_Unpickler", fail)
    monkeypatch.setattr(pickle, "load", fail)
    monkeypatch.setattr(pickle, "loads", fail)


# --- what is expected of the published files --------------------------------------------------------------------------


def test_files_and_checksums_are_those_of_torchvision():
    published = vision.torchvision().datasets
    for plugin, dataset in ((mnist, published.MNIST), (fashion_mnist, published.FashionMNIST)):
        assert [f"{stem}.gz" for stem, _ in plugin.FILES.values()] == [name for name, _ in dataset.resources]
    assert cifar10.FILES["train"] == dict(published.CIFAR10.train_list)
    assert cifar10.FILES["test"] == dict(published.CIFAR10.test_list)
    assert (published.CIFAR10.filename, published.CIFAR10.base_folder) == (_cifar.ARCHIVE, _cifar.FOLDER)


# --- MNIST ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("nested", [".", "MNIST/raw"])
def test_mnist_from_a_folder(digits, tmp_path, gzipped, nested):
    put(tmp_path / "mine" / nested, digits, gzipped)
    download.pack("mnist", tmp_path / "mnist", tmp_path / "mine")
    loaded = data.load(tmp_path / "mnist")
    assert idx(loaded.train_images.squeeze(1)) == digits["train-images-idx3-ubyte"]
    assert idx(loaded.test_labels) == digits["t10k-labels-idx1-ubyte"]
    assert (loaded.shape, loaded.mean, loaded.std) == ((1, 28, 28), 0.1307, 0.3081)


def test_mnist_does_not_take_files_of_fashion_mnist(digits, tmp_path, no_torchvision):
    other = {name: contents[:-1] + b"\x07" for name, contents in digits.items()}
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte has other contents: MD5"):
        download.pack("mnist", tmp_path / "mnist", put(tmp_path / "mine", other))


# --- CIFAR-10 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [".", FOLDER, ARCHIVE])
def test_cifar10_from_a_folder(cifar, tmp_path, form):
    mine = tmp_path / "mine"
    further = {"readme.html": b"", "batches.meta": b"never read"}
    if form == ARCHIVE:
        put(mine, {ARCHIVE: pack({**cifar.contents, **further}, FOLDER)})
    else:
        put(mine / form, {**cifar.contents, **further})
    download.pack("cifar10", tmp_path / "cifar10", mine)
    loaded = data.load(tmp_path / "cifar10")
    train = [f"data_batch_{number}" for number in range(1, 6)]
    expected = np.concatenate([cifar.images[name] for name in train]).reshape(-1, 3, 32, 32)
    assert np.array_equal(loaded.train_images, expected)
    assert loaded.train_labels.tolist() == [label for name in train for label in cifar.labels[name]]
    assert np.array_equal(loaded.test_images, cifar.images["test_batch"].reshape(-1, 3, 32, 32))
    assert loaded.test_labels.tolist() == [0, 9]
    assert data.read_json(tmp_path / "cifar10" / "dataset.json")["source"] == "the folder named in config"
    images = data.to_device(loaded, "cpu")["train_images"]
    normalised = data.normalise(images, loaded.mean, loaded.std)
    green = (expected[3, 1, 5, 7] / 255 - 0.4822) / 0.2435
    assert normalised[3, 1, 5, 7].item() == pytest.approx(green, abs=1e-6)
    assert normalised.shape == (10, *loaded.shape) == (10, 3, 32, 32)
    assert normalised.dtype == torch.float32


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_with_other_contents_is_not_unpickled(cifar, tmp_path, no_torchvision, no_unpickling, packed):
    expected = md5(cifar.contents["data_batch_1"])
    cifar.contents["data_batch_1"] += b"\x00"
    if packed:
        mine = put(tmp_path / "mine", {ARCHIVE: pack(cifar.contents, FOLDER)})
    else:
        mine = put(tmp_path / "mine", cifar.contents)
    found = md5(cifar.contents["data_batch_1"])
    with pytest.raises(UserError, match=f"data_batch_1 has other contents: MD5 {found}, expected {expected}"):
        download.pack("cifar10", tmp_path / "cifar10", mine)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_batch_may_name_nothing_but_an_array_and_its_type(tmp_path):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(
            UserError, match=r"some/file is not a batch .*it asks for posix\.mkdir, which no batch needs"
        ):
            _cifar.parse(pickle.dumps({"data": Harmful(tmp_path / "made")}, protocol), "some/file")
    assert not (tmp_path / "made").exists()
    for module, name in (("numpy", "load"), ("builtins", "eval"), ("numpy.core.multiarray", "fromfile")):
        with pytest.raises(UserError, match=f"asks for {module}.{name}"):
            _cifar.parse(f"c{module}\n{name}\n.".encode(), "some/file")


ONE = np.zeros((1, 3072), dtype=np.uint8)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "EOFError"),
        (batch("short", ONE, [1])[:-2000], "UnpicklingError|EOFError"),
        (pickle.dumps([1, 2]), "TypeError"),
        (pickle.dumps({"labels": [1]}), "KeyError: 'data'"),
        (batch("two labels", ONE, [1, 2]), "not 3072 bytes for each label"),
        (batch("grey", ONE[:, :1024], [1]), "not 3072 bytes for each label"),
        (pickle.dumps({"data": b"", "labels": 3}), "labels are not small whole numbers"),
        (pickle.dumps({"data": b"", "labels": [-1]}), "labels are not small whole numbers"),
        (pickle.dumps({"data": b"", "labels": ["cat"]}), "labels are not small whole numbers"),
    ],
)
def test_what_is_not_a_batch_is_named(contents, message):
    with pytest.raises(UserError, match=f"some/file is not a batch of CIFAR images.*({message})"):
        _cifar.parse(contents, "some/file")


def test_broken_and_incomplete_archives_are_named(cifar, tmp_path):
    whole = pack(cifar.contents, FOLDER)
    for broken in (whole[: len(whole) // 2], b"no archive"):
        mine = put(tmp_path / "mine", {ARCHIVE: broken})
        with pytest.raises(UserError, match=r"mine/cifar-10-python\.tar\.gz cannot be unpacked"):
            _cifar.read_folder(mine, cifar10.FILES)
    del cifar.contents["data_batch_3"]
    put(mine, {ARCHIVE: pack(cifar.contents, FOLDER)})
    with pytest.raises(UserError, match=r"mine/cifar-10-python\.tar\.gz holds no data_batch_3\."):
        _cifar.read_folder(mine, cifar10.FILES)
    put(mine / FOLDER, cifar.contents)
    with pytest.raises(UserError, match=rf"mine/{FOLDER} holds no data_batch_3\."):
        _cifar.read_folder(mine, cifar10.FILES)


def test_torchvision_fetches_the_archive_without_unpickling(cifar, tmp_path, monkeypatch):
    dataset = vision.torchvision().datasets.CIFAR10
    site = put(tmp_path / "site", {ARCHIVE: pack(cifar.contents, FOLDER)})
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(dataset, "tgz_md5", md5((site / ARCHIVE).read_bytes()))
    monkeypatch.setattr(pickle, "load", lambda *arguments, **options: pytest.fail("unpickled"))

    def in_this_process(name: str, scratch: Path) -> None:
        vision.main([name, str(scratch)])

    monkeypatch.setattr(_sources, "torchvision", in_this_process)
    with served(site) as address:
        monkeypatch.setattr(dataset, "url", address + ARCHIVE)
        download.pack("cifar10", tmp_path / "cifar10")
    assert data.read_json(tmp_path / "cifar10" / "dataset.json")["source"] == "torchvision's mirrors"
    assert len(data.load(tmp_path / "cifar10").train_labels) == 10


# --- every source fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "title", "reason", "files"),
    [
        ("mnist", "MNIST", "holds neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz", "t10k-labels-idx1"),
        (
            "cifar10",
            "CIFAR-10",
            f"holds neither {ARCHIVE} nor {FOLDER}/",
            f"{ARCHIVE} (packed, or its folder {FOLDER})",
        ),
    ],
)
def test_when_all_sources_fail_the_error_names_each_and_nothing_stays(
    tmp_path, no_torchvision, name, title, reason, files
):
    mine = tmp_path / "mine"
    mine.mkdir()
    with pytest.raises(UserError) as raised:
        download.pack(name, tmp_path / "results" / name, mine)
    message = str(raised.value)
    assert "\n" not in message
    for part in (
        f"{title} could not be fetched. Sources: (1) the folder named in config: {mine} {reason}",
        "(2) torchvision's mirrors (tried 2 times): torchvision failed: URLError: Name or service not known.",
        files,
        f"config.yaml under data.{name}.folder",
    ):
        assert part in message
    assert "Debian" not in message
    assert list((tmp_path / "results").iterdir()) == []
