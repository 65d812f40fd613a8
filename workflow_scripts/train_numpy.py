"""Train the network from scratch (NumPy only, no automatic differentiation), with the seed study's command line.

    python workflow_scripts/train_numpy.py -d fashion_mnist -e 10 -b 32 -o adam -lr 0.001 -nhl 3 -sz 128 -a sigmoid

10 % of the training images validate, unless --train_on all. OUT gets metrics.csv (a row per epoch), config.json (for
--config), final.safetensors (weights and biases), confusion.csv (of the test images) and run.json (cost). With -wp or
-we the finished training becomes a run of that Weights & Biases project and entity, offline, in OUT/wandb.
"""

import sys
from collections.abc import Mapping
from typing import Any

from threadpoolctl import threadpool_limits

from winnow import cli, data, download, numpy_options, scratch_run
from winnow.trackers import runs
from winnow.trackers.export import export
from winnow.trackers.wandb import PROJECT, WandB


def main() -> None:
    run = numpy_options.read(sys.argv[1:], __doc__)
    tracker = _tracker(run.values) if run.tracked else None
    download.pack(run.dataset, run.data)
    packed = data.load(run.data, verify=False)
    last = scratch_run.train(run.settings, packed, run.out, run.values, sys.stderr)
    if last["diverged_step"] is not None:
        print(f"The loss was no finite number at iteration {last['diverged_step']}; a smaller rate may help.")
    else:
        parts = [part for part in ("validation", "test") if last[f"{part}_accuracy"] is not None]
        print(f"{run.out}: " + ", ".join(f"{part} accuracy {last[f'{part}_accuracy']:.2%}" for part in parts))
    if tracker:
        (folder,), _ = export([runs.by_hand(run.out)], run.out / "wandb", tracker)
        print(f"{folder} is a W&B run; `wandb sync {folder}` uploads it.")


def _tracker(values: Mapping[str, Any]) -> WandB:
    """The tracker that was asked for. UserError, before the training, where it is not installed."""
    return WandB(values.get("wandb_project", PROJECT), values.get("wandb_entity"))


if __name__ == "__main__":
    with threadpool_limits(1):  # more threads would be slower for matrices of this size, and change bits
        cli.run(main)
