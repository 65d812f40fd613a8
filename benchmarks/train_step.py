"""One training step of the RNN: winnow against DataLoader and nn.RNN.

The usual way is a Dataset with ToTensor and Normalize per image, DataLoader, `torch.nn.RNN`, clip_grad_norm_ and
torch.optim.SGD at PyTorch's defaults; winnow's way is its own training loop as a job runs it. Every measurement has a
process of its own; the ways take turns, and the table gives medians over turns of the median step. Jobs side by side
start their measured steps together.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from winnow import data as datasets
from winnow import engine
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.models.rnn import RNN
from winnow.seeds import stream
from winnow.timeline import Timeline
from winnow.train import Trainer
from winnow.training_job import TrainingJob

BATCH, RATE, MOMENTUM, DECAY, CLIP = 256, 0.022, 0.9, 1e-6, 1.0
WARM_UP, LARGEST_DIFFERENCE = 4, 1e-5
PLACE = Path("results/data/fashion_mnist")
WAYS = {"usual": "DataLoader + nn.RNN", "fp32": "winnow fp32", "bf16": "winnow bf16"}


def data() -> tuple[datasets.Data, str]:
    """Fashion-MNIST if it is there, or noise of its shape; and what to call it."""
    try:
        return datasets.load(PLACE, verify=False), "Fashion-MNIST"
    except UserError:
        noise = np.random.default_rng(0).integers(0, 256, (60_000, 1, 28, 28), dtype=np.uint8)
        labels = np.random.default_rng(1).integers(0, 10, 60_000, dtype=np.uint8)
        shape = (1, 28, 28)
        return datasets.Data("noise", noise, labels, noise[:1], labels[:1], shape, 10, 0.286, 0.353), "synthetic images"


class Images(Dataset):
    """A torchvision data set with ToTensor and Normalize, less its detour through PIL."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, mean: float, std: float) -> None:
        self.images, self.labels = torch.from_numpy(np.array(images)), labels.tolist()
        self.mean, self.std = torch.tensor(mean).view(1, 1, 1), torch.tensor(std).view(1, 1, 1)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.images[i].to(torch.float32).div(255).sub_(self.mean).div_(self.std), self.labels[i]


class Network(torch.nn.Module):
    """The seed study's network, starting from our weights."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.rnn = torch.nn.RNN(28, 256, 3, batch_first=True)
        self.output = torch.nn.Linear(256, 10)
        self.load_state_dict(weights)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.rnn(images.squeeze(1))[0][:, -1])


def weights() -> dict[str, np.ndarray]:
    return {name: value.astype(np.float32) for name, value in RNN().initialise(stream(0, "init")).items()}


def usual(held: datasets.Data, steps: int, tick: Callable[[int], None]) -> None:
    model = Network({name: torch.from_numpy(value) for name, value in weights().items()})
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    images = Images(held.train_images, held.train_labels, held.mean, held.std)
    total = 0.0
    for step, (inputs, labels) in enumerate(DataLoader(images, batch_size=BATCH, shuffle=True), start=1):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(inputs), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        total += loss.item()
        tick(step)
        if step == steps:
            break


def ours(held: datasets.Data, steps: int, tick: Callable[[int], None], precision: str) -> None:
    train, none = np.arange(len(held.train_labels)), np.arange(0)
    job = TrainingJob(
        model=RNN(),
        optimizer={"name": "gd", "momentum": MOMENTUM, "weight_decay": DECAY},
        lr=RATE,
        factor=lambda _: 1.0,
        start={name: value[None] for name, value in weights().items()},
        mask=None,
        seeds=[0],
        train=train,
        validation=none,
        first=0,
        last=steps,
        timeline=Timeline(len(train), {0: BATCH}),
        evaluate_every=Duration(steps, "it"),
        rewind=None,
        batch_size=BATCH,
        clip=CLIP,
        dtype=engine.dtype(precision),
        device=torch.device("cpu"),
    )
    one = dataclasses.replace(held, test_images=held.test_images[:1], test_labels=held.test_labels[:1])
    Trainer(job, one).run(tick=tick)


def operations(model: RNN) -> int:
    """Floating point operations in the matmuls that a step cannot do without."""
    steps, hidden, features = model.shape[1], model.hidden, model.shape[0] * model.shape[2]
    recurrent = model.layers * (steps - 1) * hidden**2
    below = (model.layers - 1) * steps * hidden**2
    return 2 * BATCH * (3 * (recurrent + below + hidden * model.classes) + 2 * steps * features * hidden)


def peak(dtype: torch.dtype) -> float:
    """The most operations per second that a matmul of any of these sizes reaches, with the settings in force."""
    best = 0.0
    for rows, size in ((256, 256), (512, 512), (1024, 1024), (7168, 256)):
        a, b = torch.randn(rows, size).to(dtype), torch.randn(size, size).to(dtype)
        out = torch.empty(rows, size, dtype=dtype)
        for _ in range(12):
            start = time.perf_counter()
            torch.mm(a, b, out=out)
            best = max(best, 2 * rows * size**2 / (time.perf_counter() - start))
    return best


def child(way: str, threads: int, steps: int) -> None:
    """Measure one way: says "ready" after warming up, waits for a line, answers in JSON."""
    held, _ = data()
    if threads:
        engine.set_threads(threads)
    if way != "usual":
        engine.use_matmul_path(engine.matmul_path(None))
    times: list[float] = []

    def tick(step: int) -> None:
        if step == WARM_UP:
            print("ready", flush=True)
            sys.stdin.readline()
        if step >= WARM_UP:
            times.append(time.perf_counter())

    if way == "usual":
        usual(held, WARM_UP + steps, tick)
    else:
        ours(held, WARM_UP + steps, tick, way)
    memory = engine.peak_memory()
    print(json.dumps({"step": statistics.median(np.diff(times)), "memory": memory}), flush=True)
    sys.stdin.readline()
    dtype = torch.bfloat16 if way == "bf16" else torch.float32
    print(json.dumps({"peak": peak(dtype)}), flush=True)


def measure(way: str, jobs: int, threads: int, steps: int) -> dict[str, float]:
    """Run `jobs` processes side by side: median step of each divided by their number, memory of one, matmul peak."""
    command = [sys.executable, __file__, "--child", way, "--threads", str(threads), "--steps", str(steps)]
    root = str(Path(__file__).resolve().parent.parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env=environment)
        for _ in range(jobs)
    ]
    answers: list[dict[str, float]] = [{} for _ in started]
    for phase in ("ready", "step", "peak"):
        for process, answer in zip(started, answers, strict=True):
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"the measurement of {way} failed")
            answer.update(json.loads(line) if phase != "ready" else {})
        for process in started:
            if phase != "peak":
                process.stdin.write("go\n")
                process.stdin.flush()
    for process in started:
        process.communicate()
    result = {key: statistics.mean(answer[key] for answer in answers) for key in answers[0]}
    return result | {"step": result["step"] / jobs}


def gradient_difference(held: datasets.Data) -> float:
    """Largest relative difference, over tensors, between both ways' first gradients on the same batch."""
    images = Images(held.train_images[:BATCH], held.train_labels[:BATCH], held.mean, held.std)
    inputs, labels = next(iter(DataLoader(images, batch_size=BATCH)))
    network = Network({name: torch.from_numpy(value) for name, value in weights().items()})
    functional.cross_entropy(network(inputs), labels).backward()
    engine.use_matmul_path(engine.matmul_path(None))
    parameters = {name: torch.from_numpy(value)[None] for name, value in weights().items()}
    gradients = {name: torch.empty_like(value) for name, value in parameters.items()}
    workspace = RNN().workspace(1, BATCH, torch.device("cpu"), torch.float32)
    workspace.loss(parameters, inputs[None], labels[None])
    workspace.backward(gradients)
    pairs = [(parameter.grad, gradients[name][0]) for name, parameter in network.named_parameters()]
    return max(float((found - expected).norm() / expected.norm()) for expected, found in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="measurements of each way (default: 3)")
    parser.add_argument("--steps", type=int, default=20, help="measured steps in each (default: 20)")
    parser.add_argument("--threads", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.threads, arguments.steps)
        return
    load = os.getloadavg()[0]
    held, name = data()
    difference = gradient_difference(held)
    cores = torch.get_num_threads()
    setups = {f"one job, {cores} threads (PyTorch's default)": (1, 0), "one job, 1 thread": (1, 1)}
    setups |= {"two one-thread jobs side by side, per step of either": (2, 1)} if cores > 1 else {}
    cells: dict[tuple[str, str], list[dict[str, float]]] = {}
    for turn in range(arguments.turns):
        for setup, (jobs, threads) in setups.items():
            for way in WAYS:
                print(f"turn {turn + 1} of {arguments.turns}: {setup}: {WAYS[way]}", file=sys.stderr, flush=True)
                cells.setdefault((setup, way), []).append(measure(way, jobs, threads, arguments.steps))

    def median(setup: str, way: str, key: str) -> float:
        return statistics.median(cell[key] for cell in cells[setup, way])

    print(f"| {name}, batch {BATCH} | {' | '.join(WAYS.values())} |\n| --- |{' ---: |' * len(WAYS)}")
    for setup in setups:
        times = {way: median(setup, way, "step") for way in WAYS}
        texts = [
            f"{times[way] * 1e3:.1f} ms ({times['usual'] / times[way]:.2f} times)" for way in WAYS if way != "usual"
        ]
        print(f"| {setup} | {times['usual'] * 1e3:.1f} ms | {' | '.join(texts)} |")
    for setup in list(setups)[:2]:
        rates = {way: operations(RNN()) / median(setup, way, "step") for way in WAYS}
        peaks = {way: max(cell["peak"] for cell in cells[setup, way]) for way in WAYS}
        peaks["usual"] = peaks["fp32"] = max(peaks["usual"], peaks["fp32"])  # the better of two libraries
        texts = [f"{rates[way] / peaks[way]:.0%} of {peaks[way] / 1e9:.0f}" for way in WAYS]
        print(f"| {setup.split(' (')[0]}: share of the measured matmul peak, GFLOP/s | {' | '.join(texts)} |")
    memory = [f"{median('one job, 1 thread', way, 'memory') / 2**20:.0f} MiB" for way in WAYS]
    print(f"| peak memory of a job | {' | '.join(memory)} |")
    verdict = "within" if difference <= LARGEST_DIFFERENCE else "NOT within"
    print(
        f"\nFirst-step gradients in fp32 differ by {difference:.1e} at most ({verdict} {LARGEST_DIFFERENCE:.0e}),",
        end="",
    )
    print(f" relative to each tensor's norm. A step needs {operations(RNN()) / 1e9:.1f} GFLOP in matmuls.", end="")
    print(f" Load of the machine when the benchmark began: {load:.1f} (times mean little if it was busy).")


if __name__ == "__main__":
    main()
