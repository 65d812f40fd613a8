"""Train a network in a scenario, with the setting that its tuning chose. By hand: train_dense.py, prune_in_run.py."""

import argparse
from pathlib import Path

from winnow import cli, io, provenance, tuned
from winnow.runs import train_scenario
from winnow.spec import ScenarioSpec
from winnow.stored_run import Place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--best", type=Path, help="best.json of the tuning")
    parser.add_argument("--data", type=Path, required=True, help="folder of the packed data set")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--store", type=Path, required=True, help="where finished runs are kept")
    parser.add_argument("--store-gb", type=float, default=20.0, help="largest size of the store")
    args = parser.parse_args()
    spec = tuned.resolve(ScenarioSpec.read(provenance.start(args)), args.best)
    train_scenario(spec, Place(args.data, args.out, args.store, int(args.store_gb * 1e9)))
    if not spec.training.step_losses:
        io.write_table(args.out / "steps.csv", "steps", [])  # a rule's outputs are the same for all of its jobs
    names = ("metrics.csv", "steps.csv", "mask.safetensors", "final.safetensors", "run.json")
    provenance.finish(args, [args.out / name for name in names])


if __name__ == "__main__":
    cli.run(main)
