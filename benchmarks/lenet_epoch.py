"""An epoch of LeNet-5 with its evaluation: winnow against the starter script of the optimiser study.

The starter: DataLoaders of torchvision's ToTensor over PIL images, 64 at a time, one torch.nn network, torch.optim.SGD,
the loss read at each step, then all test images. Its printing is left out. Ours is the training loop of every workflow
job (winnow/train.py) with the same settings: all training images, then all test images. Each turn measures all ways
once, one after the other; the table has medians over turns.
"""

import argparse
import os
import statistics
import sys
import time

import numpy as np
import torch
from lenet_step import CASES, Images
from torch import nn
from torch.utils.data import DataLoader
from train_step import data

from winnow import data as datasets
from winnow import engine
from winnow.duration import Duration
from winnow.models.lenet5 import LeNet5
from winnow.seeds import stream
from winnow.timeline import Timeline
from winnow.train import Trainer
from winnow.training_job import TrainingJob

RATE, BATCH = 0.001, 64
WAYS = {"starter": "starter script", "1": "winnow, one lane", "4": "winnow, per lane of 4"}


def starter(train: Images, test: Images) -> float:
    """Seconds of an epoch."""
    engine.use_matmul_path("highest")  # PyTorch's default
    model, criterion = nn.Sequential(*CASES["lenet5"].layers()), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    began = time.perf_counter()
    for images, labels in DataLoader(train, batch_size=BATCH, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()
    test_loss, correct = 0.0, torch.tensor(0)
    with torch.no_grad():
        for images, labels in DataLoader(test, batch_size=BATCH):
            output = model(images)
            test_loss += criterion(output, labels).item()
            correct += torch.argmax(output, dim=1).eq(labels).sum()
    return time.perf_counter() - began


def ours(held: datasets.Data, lanes: int, path: str) -> float:
    """Seconds of an epoch of one of the lanes, everything around it included."""
    engine.use_matmul_path(path)
    began, model = time.perf_counter(), LeNet5(init="kaiming_uniform")
    drawn = [model.initialise(stream(seed, "init")) for seed in range(lanes)]
    count = len(held.train_labels)
    timeline = Timeline(count, {0: BATCH})
    job = TrainingJob(
        model=model, optimizer={"name": "sgd"}, lr=RATE, factor=lambda _: 1.0,
        start={name: np.stack([lane[name] for lane in drawn]).astype(np.float32) for name in drawn[0]}, mask=None,
        seeds=list(range(lanes)), train=np.arange(count), validation=np.arange(0), first=0, last=timeline.per_epoch(0),
        timeline=timeline, evaluate_every=Duration(1, "ep"), rewind=None, batch_size=BATCH, clip=None,
        dtype=torch.float32, device=torch.device("cpu"),
    )  # fmt: skip
    Trainer(job, held).run()
    return (time.perf_counter() - began) / lanes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="measurements of each way (default: 3)")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, os.cpu_count() or 1], help="default: 1 and all")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    held, name = data()
    train, test = (Images(held, part, normalised=False) for part in ("train", "test"))
    path = engine.matmul_path(None)
    print(f"| {name}, {len(train):,} + {len(test):,} images: seconds per epoch | {' | '.join(WAYS.values())} |")
    print(f"| --- |{' ---: |' * len(WAYS)}", flush=True)
    for threads in dict.fromkeys(arguments.threads):
        engine.set_threads(threads)
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for turn in range(arguments.turns):
            print(f"turn {turn + 1} of {arguments.turns}, {threads} threads", file=sys.stderr, flush=True)
            found["starter"].append(starter(train, test))
            for lanes in (1, 4):
                found[str(lanes)].append(ours(held, lanes, path))
        times = {way: statistics.median(values) for way, values in found.items()}
        cells = [
            f"{t:.1f}" + (f" ({times['starter'] / t:.1f} times as fast)" if way != "starter" else "")
            for way, t in times.items()
        ]
        print(f"| {threads} thread{'s' if threads > 1 else ''} | {' | '.join(cells)} |", flush=True)
    print(f"\nMatmul path: {path}. Load of the machine when the benchmark began: {load:.1f} (times mean little if it")
    print("was busy).")


if __name__ == "__main__":
    main()
