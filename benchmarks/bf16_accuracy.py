"""Training in bf16 against fp32: loss and accuracy after a few epochs, paired by seed.

Both precisions start from the same weights and see the same batches, with winnow's own training loop and the seed
study's settings at its published rates. The loss is the mean over the last epoch's batches; accuracy is on the test
images. "Within noise" means that the paired difference's 95 % interval (Student t) holds zero.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from winnow import data as datasets
from winnow import engine
from winnow.duration import Duration
from winnow.models.rnn import RNN
from winnow.seeds import stream
from winnow.timeline import Timeline
from winnow.train import Trainer
from winnow.training_job import TrainingJob

RATES = {"gd": 0.022, "eg": 0.7}
PRECISIONS = ("fp32", "bf16")


def train(data: datasets.Data, optimizer: str, precision: str, seeds: list[int], epochs: int) -> list[dict]:
    """The last epoch's row of metrics for each seed."""
    model = RNN()
    drawn = [model.initialise(stream(seed, "init")) for seed in seeds]
    count = len(data.train_labels)
    timeline = Timeline(count, {0: 256})
    job = TrainingJob(
        model=model,
        optimizer={"name": optimizer, "momentum": 0.9, "weight_decay": 1e-6},
        lr=RATES[optimizer],
        factor=lambda _: 1.0,
        start={name: np.stack([one[name] for one in drawn]).astype(np.float32) for name in model.shapes},
        mask=None,
        seeds=seeds,
        train=np.arange(count),
        validation=np.arange(0),
        first=0,
        last=timeline.start(epochs),
        timeline=timeline,
        evaluate_every=Duration(1, "ep"),
        rewind=None,
        batch_size=256,
        clip=1.0,
        dtype=engine.dtype(precision),
        device=torch.device("cpu"),
    )
    return Trainer(job, data).run().rows[-len(seeds) :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("results/data/fashion_mnist"), help="packed data set")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default: 3)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of each run (default: 3)")
    parser.add_argument("--threads", type=int, default=0, help="threads (default: PyTorch's own number)")
    arguments = parser.parse_args()
    if arguments.threads:
        engine.set_threads(arguments.threads)
    engine.use_matmul_path(engine.matmul_path(None))
    data, seeds = datasets.load(arguments.data), list(range(arguments.seeds))
    print(
        f"| optimiser | loss, {' | loss, '.join(PRECISIONS)} | ratio | accuracy, {' | accuracy, '.join(PRECISIONS)}",
        end="",
    )
    print(" | difference, 95 % interval |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for optimizer in RATES:
        loss, accuracy = {}, {}
        for precision in PRECISIONS:
            print(f"{optimizer} in {precision} ...", file=sys.stderr, flush=True)
            rows = train(data, optimizer, precision, seeds, arguments.epochs)
            loss[precision] = np.array([row["train_loss"] for row in rows])
            accuracy[precision] = 100 * np.array([row["test_accuracy"] for row in rows])
        difference = accuracy["bf16"] - accuracy["fp32"]
        half = stats.t.ppf(0.975, len(seeds) - 1) * difference.std(ddof=1) / np.sqrt(len(seeds))
        cells = [optimizer, *(f"{loss[p].mean():.4f}" for p in PRECISIONS)]
        cells.append(f"{(loss['bf16'] / loss['fp32']).mean():.4f}")
        cells += [f"{accuracy[p].mean():.2f} ± {accuracy[p].std(ddof=1):.2f} %" for p in PRECISIONS]
        cells.append(f"{difference.mean():+.2f} ± {half:.2f}")
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\n{arguments.epochs} epochs of {data.name}, seeds 0 to {arguments.seeds - 1}; mean ± standard deviation.")


if __name__ == "__main__":
    main()
