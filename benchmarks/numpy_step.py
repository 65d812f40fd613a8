"""One training step of the NumPy network: winnow's float32 in place against a plain float64 loop.

784-128-128-128-10 with ReLU, cross-entropy, Adam and batches of 32, one thread each. The plain loop is that of the
original study: at the start of an epoch it copies the images in their new order, a step takes the next rows of the
copy, allocates every array anew, keeps lists of weights and biases and updates each by itself. (In place of that
study's decay term, which was 0, its Adam has the bias corrections, as many passes: so the losses of both ways can be
compared.) Ours is the step of winnow/scratch/training.py, which gathers its images itself; so a step of each way costs
its share of the epoch's new order, too. Times are the processor's. The ways take turns, so that a change in the
machine's load meets both alike; the table has medians over turns of the median step.
"""

import argparse
import os
import statistics
import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits
from train_step import data

from winnow import data as datasets
from winnow.scratch.images import Images
from winnow.scratch.settings import Settings
from winnow.scratch.training import Training

SETTINGS = Settings(layers=(128, 128, 128), optimizer="adam", batch_size=32)
WARM_UP, LARGEST_DIFFERENCE = 50, 1e-4
Layers = list[np.ndarray]


class Plain:
    """The plain loop, from the same weights."""

    def __init__(self, training: Training, images: np.ndarray, labels: np.ndarray) -> None:
        self.x = images.reshape(len(images), -1) / 255.0
        self.y = np.eye(10)[labels]
        self.weights = [weight.astype(np.float64) for weight in training.network.weights]
        self.biases = [bias.astype(np.float64)[None] for bias in training.network.biases]
        parameters = [*self.weights, *self.biases]
        self.m, self.v = ([np.zeros_like(parameter) for parameter in parameters] for _ in range(2))
        self.t = self.right = 0
        self.passes(self.x[:6000])  # as to evaluate: once it freed larger arrays, malloc keeps the memory of steps

    def shuffle(self, order: np.ndarray) -> None:
        self.x, self.y = self.x[order], self.y[order]

    def passes(self, x: np.ndarray) -> tuple[Layers, Layers]:
        z_values, activations = [], [x]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            z_values.append(activations[-1] @ weight + bias)
            activations.append(np.maximum(0, z_values[-1]))
        z = activations[-1] @ self.weights[-1] + self.biases[-1]
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        return z_values, [*activations, e / np.sum(e, axis=1, keepdims=True)]

    def gradients(self, x: np.ndarray, y: np.ndarray) -> tuple[float, Layers]:
        z_values, activations = self.passes(x)
        p = activations[-1]
        loss = -np.mean(np.sum(y * np.log(p + 1e-8), axis=1))
        self.right += np.sum(np.argmax(p, axis=1) == np.argmax(y, axis=1))
        error, by_weight, by_bias = p - y, [], []
        for layer in reversed(range(len(self.weights))):
            by_weight.insert(0, activations[layer].T @ error / len(y))
            by_bias.insert(0, np.mean(error, axis=0, keepdims=True))
            if layer > 0:
                error = (error @ self.weights[layer].T) * (z_values[layer - 1] > 0).astype(float)
        return float(loss), [*by_weight, *by_bias]

    def step(self, start: int) -> float:
        rows = slice(start, start + SETTINGS.batch_size)
        loss, gradients = self.gradients(self.x[rows], self.y[rows])
        self.t += 1
        for i, (parameter, gradient) in enumerate(zip([*self.weights, *self.biases], gradients, strict=True)):
            self.m[i] = SETTINGS.beta1 * self.m[i] + (1 - SETTINGS.beta1) * gradient
            self.v[i] = SETTINGS.beta2 * self.v[i] + (1 - SETTINGS.beta2) * gradient**2
            mean = self.m[i] / (1 - SETTINGS.beta1**self.t)
            square = self.v[i] / (1 - SETTINGS.beta2**self.t)
            parameter -= SETTINGS.learning_rate * mean / (np.sqrt(square) + SETTINGS.epsilon)
        return loss


class Ours:
    """The same two calls."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def shuffle(self, order: np.ndarray) -> None:
        self.order = datasets.order(0, 0, np.sort(order))

    def step(self, start: int) -> float:
        return self.training.step(self.order[start : start + SETTINGS.batch_size])[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7, help="measurements of each way (default: 7)")
    parser.add_argument("--steps", type=int, default=300, help="measured steps in each (default: 300)")
    arguments = parser.parse_args()
    load, clock = os.getloadavg()[0], time.process_time
    held, name = data()
    images = Images(held.train_images, held.train_labels, held.classes)
    training = Training(SETTINGS, images, np.arange(len(images.labels)), {})
    ways = {"plain": Plain(training, np.asarray(held.train_images), images.labels), "ours": Ours(training)}
    order, steps = datasets.order(0, 0, training.train), WARM_UP + arguments.steps
    starts = np.arange(steps) * SETTINGS.batch_size
    shuffles, times = ({way: [] for way in ways} for _ in range(2))
    losses: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(arguments.turns):
        print(f"turn {turn + 1} of {arguments.turns}", file=sys.stderr, flush=True)
        for way, loop in ways.items():
            began = clock()
            loop.shuffle(order)
            shuffles[way].append((clock() - began) / training.per_epoch)
            taken = []
            for start in starts:
                began = clock()
                losses[way].append(loop.step(start))
                taken.append(clock() - began)
            times[way].append(statistics.median(taken[WARM_UP:]))
    difference = float(np.abs(np.subtract(*losses.values()))[:WARM_UP].max())
    verdict = "within" if difference <= LARGEST_DIFFERENCE else "NOT within"
    print(f"| {name}: milliseconds per step | plain float64 loop | winnow float32 | ratio (least to most) |")
    print("| --- | ---: | ---: | ---: |")
    together = {way: np.add(times[way], shuffles[way]) for way in ways}
    for row, values in {"the step alone": times, "with its share of the epoch's order": together}.items():
        ratios = np.divide(values["plain"], values["ours"])
        cells = [f"{1000 * statistics.median(values[way]):.2f}" for way in ways]
        cells.append(f"{statistics.median(ratios):.2f} times ({ratios.min():.2f} to {ratios.max():.2f})")
        print(f"| {row} | {' | '.join(cells)} |")
    print(f"\nThe losses of the first {WARM_UP} steps differ by {difference:.1e} ({verdict} {LARGEST_DIFFERENCE:.0e}).")
    print(f"Load of the machine when the benchmark began: {load:.1f} (times mean little if it was busy).")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
