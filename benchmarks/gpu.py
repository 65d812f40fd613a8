"""Lanes on a GPU: winnow's captured steps against the usual PyTorch loop for one model on the same GPU.

The usual loop keeps the images on the device, gathers minibatches by index and trains one model with torch.nn (cuDNN's
RNN and convolutions), clip_grad_norm_ and torch.optim, in the same precision. Steps are timed after warming up, between
two synchronisations; an epoch is its number of steps times that. The sweep at the end is measured whole: both arms of
`gd_vs_eg`, 17 rates x 5 seeds x 20 epochs, with its evaluations.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch.nn import functional

from winnow import data as datasets
from winnow import engine, plugins
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.seeds import stream
from winnow.timeline import Timeline
from winnow.train import Trainer
from winnow.training_job import TrainingJob

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "results/data/fashion_mnist"
GREY, COLOUR = (1, 28, 28), (3, 32, 32)
WARM_UP = 12
SWEEP_SEEDS, SWEEP_EPOCHS = 5, 20


@dataclasses.dataclass(frozen=True)
class Case:
    """A network as its study trains it."""

    title: str
    model: str
    shape: tuple[int, int, int]
    images: int
    batch: int
    optimizer: dict[str, Any]
    lr: float
    clip: float | None = None


CASES = [
    Case("RNN 3 x 256", "rnn", GREY, 60_000, 256, {"name": "gd", "momentum": 0.9, "weight_decay": 1e-6}, 0.022, 1.0),
    Case("LeNet-5", "lenet5", GREY, 60_000, 64, {"name": "sgd", "momentum": 0.9}, 0.02),
    Case("LeNet-300-100", "lenet_300_100", GREY, 55_000, 60, {"name": "adam"}, 0.0012),
    Case("Conv-6", "conv6", COLOUR, 45_000, 60, {"name": "adam"}, 0.0003),
]


def noise(shape: tuple[int, int, int], images: int) -> datasets.Data:
    """Random images: timing needs no others."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (images, *shape), dtype=np.uint8)
    labels = random.integers(0, 10, images, dtype=np.uint8)
    return datasets.Data("noise", pixels, labels, pixels[:1], labels[:1], shape, 10, 0.286, 0.353)


def network(case: Case) -> Any:
    return plugins.load_class("models", case.model)(shape=case.shape)


def job(case: Case, lanes: int, last: int, precision: str, device: torch.device, **changes: Any) -> TrainingJob:
    """A training of `lanes` seeds up to iteration `last`, with nothing to do on the way."""
    model = network(case)
    drawn = [model.initialise(stream(seed, "init")) for seed in range(lanes)]
    made = TrainingJob(
        model=model, optimizer=case.optimizer, lr=case.lr, factor=lambda _: 1.0,
        start={name: np.stack([lane[name] for lane in drawn]).astype(np.float32) for name in model.shapes},
        mask=None, seeds=list(range(lanes)), train=np.arange(case.images), validation=np.arange(0), first=0, last=last,
        timeline=Timeline(case.images, {0: case.batch}), evaluate_every=Duration(last, "it"), rewind=None,
        batch_size=case.batch, clip=case.clip, dtype=engine.dtype(precision), device=device,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


class Clock:
    """Seconds per step between the step `first` and the step `last`, with everything before either of them finished."""

    def __init__(self, device: torch.device, first: int, last: int) -> None:
        self.device, self.first, self.last, self.began, self.seconds = device, first, last, 0.0, 0.0

    def __call__(self, step: int) -> None:
        if step in (self.first, self.last):
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            now = time.perf_counter()
            self.seconds, self.began = (now - self.began) / (self.last - self.first), now


def ours(case: Case, held: datasets.Data, lanes: int, steps: int, precision: str, device: torch.device) -> float:
    """Seconds of a step of all lanes."""
    clock = Clock(device, WARM_UP, WARM_UP + steps)
    trainer = Trainer(job(case, lanes, WARM_UP + steps, precision, device), held)
    trainer.run(tick=clock)
    return clock.seconds


class Elman(torch.nn.Module):
    """The RNN of torch.nn, with its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.output = torch.nn.RNN(28, 256, 3, batch_first=True), torch.nn.Linear(256, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.output(self.rnn(images.squeeze(1))[0][:, -1])


def torch_network(case: Case) -> torch.nn.Module:
    """The same network of torch.nn's layers."""
    if case.model == "rnn":
        return Elman()
    model, layers, channels = network(case), [], case.shape[0]
    function = torch.nn.Tanh if case.model == "lenet5" else torch.nn.ReLU
    for layer in model.convolutions.values():
        layers += [torch.nn.Conv2d(channels, layer.channels, layer.size, padding=layer.padding), function()]
        layers += [torch.nn.MaxPool2d(2)] if layer.pool else []
        channels = layer.channels
    layers.append(torch.nn.Flatten())
    for below, above in zip(model.sizes, model.sizes[1:], strict=False):
        layers += [torch.nn.Linear(below, above), function()]
    return torch.nn.Sequential(*layers[:-1])


def usual(case: Case, held: datasets.Data, steps: int, device: torch.device) -> float:
    """Seconds of a step of one model."""
    images = torch.from_numpy(np.array(held.train_images)).to(device)
    labels = torch.from_numpy(held.train_labels.astype(np.int64)).to(device)
    model = torch_network(case).to(device)
    if case.optimizer["name"] == "adam":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=case.lr)
    else:
        momentum, decay = case.optimizer["momentum"], case.optimizer.get("weight_decay", 0.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=case.lr, momentum=momentum, weight_decay=decay)
    clock, order = Clock(device, WARM_UP, WARM_UP + steps), torch.randperm(len(images), device=device)
    per_epoch = len(images) // case.batch
    for step in range(1, WARM_UP + steps + 1):
        first = step % per_epoch * case.batch
        index = order[first : first + case.batch]
        inputs = images[index].float().div_(255).sub_(0.286).div_(0.353)
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs), labels[index]).backward()
        if case.clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), case.clip)
        optimizer.step()
        clock(step)
    return clock.seconds


def operations(case: Case) -> float:
    """Floating point operations of a lane's step that no product can leave out: the input layer has no dL/dx."""
    model = network(case)
    uses = {name: times * float(np.prod(model.shapes[name])) for name, times in model.multiply_adds.items()}
    return 2 * case.batch * sum((2 if model.roles[name] == "input" else 3) * n for name, n in uses.items())


def peak(device: torch.device, size: int) -> float:
    """Operations per second of a large matrix product, as precision is set now: the best of five."""
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
    best = 0.0
    for turn in range(6):
        clock = Clock(device, 0, 4)
        clock(0)
        for _ in range(4):
            a @ b
        clock(4)
        best = max(best, 2 * size**3 / clock.seconds if turn else 0.0)
    return best


def sweep(device: torch.device, precision: str, epochs: int) -> list[tuple[str, int, float]]:
    """(arm, lanes, seconds) of the learning-rate sweep of `gd_vs_eg`, all rates and seeds of an arm in one job."""
    study = yaml.safe_load((ROOT / "config.yaml").read_text())["gd_vs_eg"]
    try:
        held = datasets.load(PLACE, verify=False)
    except UserError:
        held = noise(GREY, 60_000)
        tested = {"test_images": held.train_images[:10_000], "test_labels": held.train_labels[:10_000]}
        held = dataclasses.replace(held, **tested)
    train, validation = datasets.holdout(60_000, study["validation"])
    found = []
    for arm in ("gd", "eg"):
        values = study["arms"][arm]
        case = dataclasses.replace(CASES[0], images=len(train), optimizer=values["optimizer"])
        seeds = [seed for _ in values["rates"] for seed in range(SWEEP_SEEDS)]
        rates = tuple(float(rate) for rate in values["rates"] for _ in range(SWEEP_SEEDS))
        one = job(case, SWEEP_SEEDS, 1, precision, device)
        start = {name: np.concatenate([value] * len(values["rates"])) for name, value in one.start.items()}
        whole = dataclasses.replace(
            one, start=start, seeds=seeds, lr=rates, train=train, validation=validation,
            last=one.timeline.start(epochs), evaluate_every=Duration(1, "ep"), test_every=Duration(1, "ep"),
        )  # fmt: skip
        began = time.perf_counter()
        Trainer(whole, held).run()  # its last row was read back, so all is done
        found.append((arm, len(seeds), time.perf_counter() - began))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    titles = [case.model for case in CASES]
    parser.add_argument("--device", default="cuda", help="(default: cuda)")
    parser.add_argument("--precision", default="tf32", choices=("fp32", "tf32", "bf16"), help="(default: tf32)")
    parser.add_argument("--models", nargs="*", default=titles, choices=titles, help="(default: all)")
    parser.add_argument("--lanes", nargs="*", type=int, default=[1, 4, 16, 64, 256], help="(default: 1 4 16 64 256)")
    parser.add_argument("--steps", type=int, default=100, help="timed steps, fewer for many lanes (default: 100)")
    parser.add_argument("--sweep-epochs", type=int, default=SWEEP_EPOCHS, help="0: no sweep (default: 20)")
    parser.add_argument("--size", type=int, default=8192, help="of the product that measures the peak (default: 8192)")
    given = parser.parse_args(arguments)
    measured = given.device == "cpu" or torch.cuda.is_available()
    cases = [case for case in CASES if case.model in given.models]
    device = torch.device(given.device)
    if measured:
        engine.check_precision(given.precision, device)
        engine.use_matmul_path("highest", given.precision)
    top = peak(device, given.size) if measured else 0.0
    print("| network, batch | lanes | s per epoch | s per epoch and lane | usual loop, s | throughput | of the peak |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for case in cases:
        held = noise(case.shape, case.images) if measured else None
        alone = usual(case, held, given.steps, device) if held is not None else 0.0
        for lanes in given.lanes:
            cells = ["not measured"] * 5
            if held is not None:
                print(f"{case.title}, {lanes} lanes", file=sys.stderr, flush=True)
                cells = row(case, held, lanes, alone, top, given, device)
            print(f"| {case.title}, {case.batch} | {lanes} | {' | '.join(cells)} |", flush=True)
    print()
    if not measured:
        print("There was no CUDA device: nothing was measured. `make bench-gpu` on a machine with one fills this in.")
        return
    for arm, lanes, seconds in sweep(device, given.precision, given.sweep_epochs) if given.sweep_epochs else []:
        print(f"- Sweep of `gd_vs_eg`, {arm}: {lanes} lanes x {given.sweep_epochs} epochs in {seconds:.0f} s.")
    name = torch.cuda.get_device_name() if device.type == "cuda" else engine.cpu_model()
    print(f"\n{name}, {given.precision}; its largest product reached {top / 1e12:.3g} TFLOP/s. Throughput: lanes per")
    print("second against the usual loop's one model; images are random ones.")


def row(
    case: Case, held: datasets.Data, lanes: int, alone: float, top: float, given: Any, device: torch.device
) -> list[str]:
    """The cells of a measured row."""
    steps = max(2, given.steps // (1 if lanes <= 16 else 4))
    try:
        step = ours(case, held, lanes, steps, given.precision, device)
    except torch.OutOfMemoryError:
        return ["out of memory"] * 5
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
    epoch = step * -(-case.images // case.batch)
    share = operations(case) * lanes / step / top
    times = (epoch, epoch / lanes, epoch * alone / step)
    return [*(f"{seconds:.3g}" for seconds in times), f"{alone * lanes / step:.1f} times", f"{share:.0%}"]


if __name__ == "__main__":
    main()
