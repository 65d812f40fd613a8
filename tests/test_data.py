"""Data sets in memory: the contract of every plug-in, the IDX format, checks on loading, splits, normalisation."""

import gzip
import json
import subprocess
import sys
import types

import numpy as np
import pytest
import torch
from dataset_files import idx

from winnow import data, download, plugins, vision
from winnow.datasets import _idx, digits
from winnow.errors import UserError

OFFLINE = ("digits",)


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


# --- contract of every data set ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", plugins.names("datasets"))
def test_constants_of_every_data_set(name):
    plugin = plugins.load("datasets", name)
    channels, height, width = plugin.SHAPE
    assert min(channels, height, width) >= 1
    assert len(plugin.CLASS_NAMES) == plugin.CLASSES == len(set(plugin.CLASS_NAMES)) >= 2
    for values in (plugin.MEAN, plugin.STD):
        assert isinstance(values, float) or len(values) == channels
        assert all(0 < value < 1 for value in np.atleast_1d(values))
    assert callable(plugin.fetch)
    # Readable without an import, while a Snakefile is parsed.
    assert plugins.constant("datasets", name, "SHAPE") == plugin.SHAPE


@pytest.mark.parametrize("name", OFFLINE)
def test_arrays_of_every_offline_data_set(name, tmp_path):
    plugin = plugins.load("datasets", name)
    arrays = plugin.fetch(tmp_path, None)
    assert set(arrays) == set(data.ARRAYS)
    assert all(array.dtype == np.uint8 for array in arrays.values())
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        assert images.reshape(-1, *plugin.SHAPE).shape[0] == len(labels) > 0
        assert set(labels.tolist()) == set(range(plugin.CLASSES))
    scaled = arrays["train_images"] / 255
    assert scaled.mean() == pytest.approx(np.mean(plugin.MEAN), abs=5e-5)
    assert scaled.std() == pytest.approx(np.mean(plugin.STD), abs=5e-5)
    again = plugin.fetch(tmp_path, None)
    assert all(np.array_equal(arrays[key], again[key]) for key in arrays)


def test_digits_are_all_there_once(tmp_path):
    from sklearn.datasets import load_digits

    arrays = digits.fetch(tmp_path)
    assert (len(arrays["train_labels"]), len(arrays["test_labels"])) == (1500, 297)
    images = np.concatenate([arrays["train_images"], arrays["test_images"]])
    expected = digits.enlarge(load_digits().images)
    assert sorted(image.tobytes() for image in images) == sorted(image.tobytes() for image in expected)


def test_enlarging_agrees_with_torch_bilinear():
    small = np.random.default_rng(0).integers(0, 17, size=(5, 8, 8))
    scaled = torch.tensor(small, dtype=torch.float64)[:, None] * (255 / 16)
    expected = torch.nn.functional.interpolate(scaled, size=(28, 28), mode="bilinear", align_corners=False)[:, 0]
    assert np.abs(digits.enlarge(small) - expected.numpy()).max() <= 0.5 + 1e-9
    assert digits.enlarge(np.full((1, 8, 8), 16)).min() == 255


# --- IDX --------------------------------------------------------------------------------------------------------------


def test_idx_round_trip():
    assert np.array_equal(_idx.parse(idx(IMAGES), "x", 3), IMAGES)
    labels = np.array([3, 1, 2], dtype=np.uint8)
    assert np.array_equal(_idx.parse(idx(labels), "x", 1), labels)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "starts with nothing"),
        (b"\x00\x00\x0d\x03" + idx(IMAGES)[4:], "starts with 00 00 0d 03, not with 00 00 08 03"),
        (idx(IMAGES.reshape(6, 4)), "starts with 00 00 08 02"),
        (idx(IMAGES)[:10], "ends within its header of 16 bytes"),
        (idx(IMAGES)[:-1], r"has 39 bytes, but its header \(shape \(2, 3, 4\)\) asks for 40"),
        (idx(IMAGES) + b"\x00", "has 41 bytes"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "has 16 bytes"),
    ],
)
def test_broken_idx_names_the_file(contents, message):
    with pytest.raises(UserError, match=f"some/file .*{message}"):
        _idx.parse(contents, "some/file", 3)


def test_broken_gzip_names_the_file(tmp_path):
    path = tmp_path / "images.gz"
    for broken in (gzip.compress(idx(IMAGES))[:-9], b"\x1f\x8b" + b"\x00" * 20):
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"images\.gz cannot be decompressed"):
            _idx.contents(path)


# --- loading ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "digits"
    download.pack("digits", folder)
    return folder


@pytest.fixture
def copied(packed, tmp_path):
    for file in packed.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_loaded_data(packed, tmp_path):
    loaded = data.load(packed)
    assert (loaded.name, loaded.shape, loaded.classes) == ("digits", (1, 28, 28), 10)
    assert (loaded.mean, loaded.std) == (digits.MEAN, digits.STD)
    arrays = digits.fetch(tmp_path)
    for key in data.ARRAYS:
        assert isinstance(getattr(loaded, key), np.memmap)
        assert np.array_equal(getattr(loaded, key).squeeze(), arrays[key])
    assert loaded.train_images.shape == (1500, 1, 28, 28)


@pytest.mark.parametrize("name", data.ARRAYS)
def test_truncated_file_is_named(copied, name):
    path = copied / f"{name}.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"{name}\.npy has \d+ bytes, but \d+ were written.*Delete the folder"):
        data.load(copied, verify=False)


@pytest.mark.parametrize("name", data.ARRAYS)
@pytest.mark.parametrize("position", [-1, 40])
def test_altered_file_is_named(copied, name, position):
    path = copied / f"{name}.npy"
    contents = bytearray(path.read_bytes())
    contents[position] ^= 1
    path.write_bytes(contents)
    message = rf"{name}\.npy is corrupt: SHA-256 \w+, expected \w+\. Delete the folder"
    with pytest.raises(UserError, match=message) as raised:
        data.load(copied)
    # Running the workflow alone helps nothing: the files are there.
    assert f"Delete the folder {copied}. Then fetch the data set anew: by `python " in str(raised.value)


@pytest.mark.parametrize("name", data.ARRAYS)
def test_missing_file_is_named(copied, name):
    (copied / f"{name}.npy").unlink()
    with pytest.raises(UserError, match=rf"{name}\.npy cannot be read"):
        data.load(copied)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (None, "dataset.json is missing"),
        ("{", "cannot be read as JSON"),
        ("[]", "not written by this version"),
        ('{"format": "0", "name": "digits"}', "not written by this version"),
        ('{"format": "1", "name": "digits", "files": {}}', r"train_images\.npy cannot be read"),
    ],
)
def test_broken_description_is_named(copied, contents, message):
    path = copied / "dataset.json"
    path.unlink() if contents is None else path.write_text(contents)
    with pytest.raises(UserError, match=message) as raised:
        data.load(copied)
    assert str(copied) in str(raised.value)


def test_description_says_where_the_data_came_from(packed):
    description = json.loads((packed / "dataset.json").read_text())
    assert description["name"] == "digits"
    assert description["source"] == "scikit-learn"
    assert description["files"]["test_images.npy"]["shape"] == [297, 1, 28, 28]


# --- splits and orders ------------------------------------------------------------------------------------------------


def test_holdout_is_a_partition_that_never_changes():
    train, validation = data.holdout(60000, 5000)
    assert (len(train), len(validation)) == (55000, 5000)
    assert np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(60000))
    assert validation[:4].tolist() == [57091, 38799, 6778, 3584]  # every reported number depends on it
    fewer, more = data.holdout(60000, 4000)
    assert np.array_equal(more, validation[1000:])
    assert np.array_equal(fewer[:55000], train)


@pytest.mark.parametrize(
    ("validation", "left"), [(0, "validation"), (-1, "validation"), (100, "training"), (101, "training")]
)
def test_holdout_that_leaves_nothing(validation, left):
    with pytest.raises(UserError, match=rf"No {left} images left: validation is {validation},.*Valid: 1 to 99"):
        data.holdout(100, validation)


def test_order_depends_on_seed_and_epoch_only():
    indices = np.arange(100, 200)
    orders = [data.order(seed, epoch, indices) for seed in (0, 1) for epoch in (0, 1)]
    assert all(np.array_equal(np.sort(order), indices) for order in orders)
    assert len({order.tobytes() for order in orders}) == 4
    assert np.array_equal(data.order(1, 0, indices), orders[2])


# --- tensors ----------------------------------------------------------------------------------------------------------


def test_tensors_on_the_device(packed):
    loaded = data.load(packed)
    tensors = data.to_device(loaded, "cpu")
    for key in data.ARRAYS:
        assert tensors[key].dtype == (torch.uint8 if key.endswith("images") else torch.int64)
        assert np.array_equal(tensors[key].numpy(), getattr(loaded, key))
    tensors["train_images"].zero_()  # its own memory, not the file's
    assert loaded.train_images.max() == 255


@pytest.mark.parametrize(
    ("mean", "std"), [(0.2860, 0.3530), ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))], ids=["grey", "colour"]
)
def test_normalise_equals_torchvision(mean, std):
    transforms = vision.torchvision().transforms
    channels = np.size(mean)
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(channels, axis=3)
    reference = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    expected = torch.stack([reference(image) for image in images])
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    torch.testing.assert_close(data.normalise(tensor, mean, std), expected, rtol=0, atol=1e-6)
    out = torch.full(expected.shape, torch.nan)
    assert data.normalise(tensor, mean, std, out=out) is out
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-6)
    lanes = data.normalise(tensor.expand(2, *tensor.shape), mean, std)
    torch.testing.assert_close(lanes[1], expected, rtol=0, atol=1e-6)


def test_normalise_refuses_other_buffers():
    images = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    for out in (torch.empty(2, 1, 4, 4, dtype=torch.bfloat16), torch.empty(3, 1, 4, 4)):
        with pytest.raises(ValueError, match="out must be float32 of shape"):
            data.normalise(images, 0.5, 0.5, out=out)


# --- torchvision ------------------------------------------------------------------------------------------------------


def test_torchvision_imports_in_a_fresh_process_without_warnings():
    code = (
        "from winnow.vision import torchvision as t; print(t().datasets.FashionMNIST.mirrors, t().transforms.ToTensor)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "http" in done.stdout


@pytest.fixture
def fresh_vision(monkeypatch):
    """winnow.vision as if torchvision had not been imported yet; what it imports and declares is recorded, not done."""
    log = []
    library = types.SimpleNamespace(define=lambda schema: log.append(schema.split("(")[0]))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(vision, "_declared", [])
    monkeypatch.setattr(vision.importlib, "import_module", lambda name: log.append(f"import {name}"))
    monkeypatch.setattr(torch.library, "Library", lambda *arguments: log.append(arguments) or library)
    return log


def test_schemas_are_declared_only_where_the_compiled_part_cannot_be_loaded(fresh_vision, monkeypatch):
    monkeypatch.setattr(torch.ops, "load_library", lambda path: None)
    vision.torchvision()
    assert fresh_vision == ["import torchvision"]

    def refuse(path):
        raise OSError("libtorch_cuda.so: cannot open shared object file")

    monkeypatch.setattr(torch.ops, "load_library", refuse)
    vision.torchvision()
    vision.torchvision()
    declared = [("torchvision", "FRAGMENT"), "nms", "qnms", "import torchvision", "import torchvision"]
    assert fresh_vision[1:] == declared
    assert len(vision._declared) == 1
