"""Iterations per second of LeNet-300-100 and LeNet-5 with Adam and a mask: winnow against the usual loop.

The usual loop: a DataLoader over PIL images with torchvision's ToTensor and Normalize, one torch.nn network,
torch.optim.Adam, the mask multiplied into the weights after each step, the loss read at each step. Ours is the training
loop of every workflow job (winnow/train.py), whole: batches, masks, optimiser and bookkeeping; a longer run adds the
evaluations. Each turn measures all ways once, one after the other, so that a change in the machine's load meets them
alike; the table has medians over turns.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from train_step import data

from winnow import data as datasets
from winnow import engine
from winnow.duration import Duration
from winnow.models._feed_forward import FeedForward
from winnow.models.lenet5 import LeNet5
from winnow.models.lenet_300_100 import LeNet300100
from winnow.seeds import stream
from winnow.timeline import Timeline
from winnow.train import Trainer
from winnow.training_job import TrainingJob as Job
from winnow.vision import torchvision

RATE, DENSITY, EVERY = 1.2e-3, 0.5, 100
WARM_UP, LARGEST_DIFFERENCE = 20, 1e-5
EVALUATED = 6000  # iterations
ROUNDS, LENGTH = 16, 40_000
CHAIN = (ROUNDS + 1) * LENGTH
WAYS = {"usual": "usual loop", "1": "winnow, one lane", "4": "winnow, per lane of 4", "bf16": "winnow bf16, one lane"}


@dataclass(frozen=True)
class Case:
    """A network of ours, and the usual one, whose parameters come in the same order."""

    title: str
    model: FeedForward
    batch: int
    layers: Callable[[], list[nn.Module]]


CASES = {
    "lenet_300_100": Case("LeNet-300-100", LeNet300100(), 60, lambda: [
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10),
    ]),
    "lenet5": Case("LeNet-5", LeNet5(), 64, lambda: [
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    ]),
}  # fmt: skip
CASES["lenet5_batch_1"] = replace(CASES["lenet5"], batch=1)


class Images(Dataset):
    """What torchvision's MNIST classes do with an image of `part`, "train" or "test"; normalised or in [0, 1]."""

    def __init__(self, held: datasets.Data, part: str = "train", normalised: bool = True) -> None:
        torchvision()
        from PIL import Image
        from torchvision import transforms

        images, labels = getattr(held, f"{part}_images"), getattr(held, f"{part}_labels")
        self.images, self.labels = np.array(images[:, 0]), labels.tolist()
        self.open = Image.fromarray
        steps = [transforms.ToTensor(), *([transforms.Normalize((held.mean,), (held.std,))] if normalised else [])]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.transform(self.open(self.images[i])), self.labels[i]


def start(case: Case, lanes: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Masked initial weights of the lanes, and the masks: random, half of each weight tensor."""
    drawn = [case.model.initialise(stream(seed, "init")) for seed in range(lanes)]
    weights = {name: np.stack([lane[name] for lane in drawn]).astype(np.float32) for name in case.model.shapes}
    shapes = {name: value.shape for name, value in weights.items() if name.endswith(".weight")}
    mask = {name: np.random.default_rng(0).random(shape) < DENSITY for name, shape in shapes.items()}
    return {name: value * mask[name] if name in mask else value for name, value in weights.items()}, mask


def network(case: Case) -> tuple[nn.Module, dict[Tensor, Tensor]]:
    """The usual network with our first lane's weights, and its masks."""
    model = nn.Sequential(*case.layers())
    weights, mask = start(case, 1)
    masks = {}
    for parameter, (name, value) in zip(model.parameters(), weights.items(), strict=True):
        parameter.data.copy_(torch.from_numpy(value[0]))
        if name in mask:
            masks[parameter] = torch.from_numpy(mask[name][0]).float()
    return model, masks


def usual(case: Case, images: Images, steps: int) -> float:
    """Median seconds per iteration."""
    engine.use_matmul_path("highest")  # PyTorch's default
    model, masks = network(case)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    times = [time.perf_counter()]
    for step, (inputs, labels) in enumerate(DataLoader(images, batch_size=case.batch, shuffle=True), start=1):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for weight, mask in masks.items():
                weight.mul_(mask)
        loss.item()
        times.append(time.perf_counter())
        if step == WARM_UP + steps:
            break
    return statistics.median(np.diff(times[WARM_UP:]))


def trainer(case: Case, held: datasets.Data, last: int, every: int, lanes: int, dtype: str) -> Trainer:
    """A training of ours that ends at iteration `last`, evaluated as in the ticket study: see config.yaml."""
    weights, mask = start(case, lanes)
    train, validation = datasets.holdout(len(held.train_labels), 5000)
    job = Job(
        model=case.model, optimizer={"name": "adam"}, lr=RATE, factor=lambda _: 1.0, start=weights, mask=mask,
        seeds=list(range(lanes)), train=train, validation=validation, first=0, last=last,
        timeline=Timeline(len(train), {0: case.batch}), evaluate_every=Duration(every, "it"),
        test_every=Duration(10 * every, "it"), rewind=None,
        batch_size=case.batch, clip=None, dtype=engine.dtype(dtype), device=torch.device("cpu"),
    )  # fmt: skip
    return Trainer(job, held)


def ours(case: Case, held: datasets.Data, steps: int, lanes: int, path: str, dtype: str) -> float:
    """Median seconds per iteration of one of the lanes."""
    engine.use_matmul_path(path)
    times: list[float] = []
    last = WARM_UP + steps
    trainer(case, held, last, last, lanes, dtype).run(tick=lambda _: times.append(time.perf_counter()))
    return statistics.median(np.diff(times)[WARM_UP:]) / lanes


def evaluated(case: Case, held: datasets.Data, path: str) -> tuple[float, float]:
    """Seconds per iteration of one lane in a training with evaluations, and the share that they took."""
    engine.use_matmul_path(path)
    began, last_step, evaluation = time.perf_counter(), 0.0, 0.0

    def tick(_: int) -> None:
        nonlocal last_step
        last_step = time.perf_counter()

    def mark(_: Trainer) -> None:
        nonlocal evaluation
        evaluation += time.perf_counter() - last_step

    trainer(case, held, EVALUATED, EVERY, 1, "fp32").run(mark, tick)
    whole = time.perf_counter() - began
    return whole / EVALUATED, evaluation / whole


def gradient_difference(case: Case, held: datasets.Data) -> float:
    """Largest relative difference, over tensors, between both ways' first gradients on the same batch."""
    model, _ = network(case)
    images = torch.from_numpy(np.array(held.train_images[: case.batch]))
    inputs, labels = (
        datasets.normalise(images, held.mean, held.std),
        torch.from_numpy(held.train_labels[: case.batch].astype(np.int64)),
    )
    functional.cross_entropy(model(inputs), labels).backward()
    parameters = {name: torch.from_numpy(value) for name, value in start(case, 1)[0].items()}
    gradients = {name: torch.empty_like(value) for name, value in parameters.items()}
    workspace = case.model.workspace(1, case.batch, torch.device("cpu"), torch.float32)
    workspace.loss(parameters, inputs[None], labels[None])
    workspace.backward(gradients)
    pairs: Any = zip(model.parameters(), gradients.values(), strict=True)
    return max(float((mine[0] - theirs.grad).norm() / theirs.grad.norm()) for theirs, mine in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", choices=CASES, default=list(CASES), help="default: all")
    parser.add_argument("--turns", type=int, default=5, help="measurements of each way (default: 5)")
    parser.add_argument("--steps", type=int, default=300, help="measured iterations in each (default: 300)")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, os.cpu_count() or 1], help="default: 1 and all")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    held, name = data()
    if len(held.test_labels) < 10_000:  # noise: its training images serve
        test = {"test_images": held.train_images[:10_000], "test_labels": held.train_labels[:10_000]}
        held = datasets.Data(**{**vars(held), **test})
    images, path = Images(held), engine.matmul_path(None)
    print(f"| {name}: iterations per second | {' | '.join(WAYS.values())} |")
    print(f"| --- |{' ---: |' * len(WAYS)}", flush=True)
    notes = []
    for case in (CASES[model] for model in arguments.models):
        for threads in dict.fromkeys(arguments.threads):
            engine.set_threads(threads)
            found: dict[str, list[float]] = {way: [] for way in WAYS}
            for turn in range(arguments.turns):
                print(f"turn {turn + 1} of {arguments.turns}, {threads} threads", file=sys.stderr, flush=True)
                found["usual"].append(usual(case, images, arguments.steps))
                for way in list(WAYS)[1:]:
                    lanes, dtype = (1, "bf16") if way == "bf16" else (int(way), "fp32")
                    found[way].append(ours(case, held, arguments.steps, lanes, path, dtype))
            times = {way: statistics.median(values) for way, values in found.items()}
            cells = [
                f"{1 / t:,.0f}" + (f" ({times['usual'] / t:.1f} times)" if w != "usual" else "")
                for w, t in times.items()
            ]
            row = f"{case.title}, batch {case.batch}, {threads} thread{'s' if threads > 1 else ''}"
            print(f"| {row} | {' | '.join(cells)} |", flush=True)
            seconds, share = evaluated(case, held, path)
            notes.append(
                f"{row}: {1000 * seconds:.2f} ms per iteration with evaluations, which take {share:.0%} of it; a chain "
                f"of {ROUNDS} rounds of {LENGTH:,} iterations, and the dense run, {seconds * CHAIN / 60:.0f} minutes "
                "at that pace."
            )
        engine.use_matmul_path(path)
        difference = gradient_difference(case, held)
        verdict = "within" if difference <= LARGEST_DIFFERENCE else "NOT within"
        notes.append(
            f"{case.title}, batch {case.batch}: first-step gradients in fp32 differ by {difference:.1e} at most "
            f"({verdict} {LARGEST_DIFFERENCE:.0e}), relative to each tensor's norm."
        )
    print(f"\nEvaluations are those of the ticket study, over the first {EVALUATED:,} iterations of one lane: 5,000")
    print(f"validation images every {EVERY}, and 10,000 test images every {10 * EVERY} and at each new minimum of the")
    print("validation loss, of which the beginning of a training has most.\n")
    print("\n".join(f"- {note}" for note in notes))
    print(f"\nMatmul path: {path}. Load of the machine when the benchmark began: {load:.1f} (times mean little if it")
    print("was busy).")


if __name__ == "__main__":
    main()
