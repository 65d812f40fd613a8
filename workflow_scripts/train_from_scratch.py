"""Train the network from scratch with the settings of a configuration of a sweep, or drawn from its space."""

import argparse
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from winnow import cli, data, provenance, scratch_run
from winnow.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument(
        "--best", type=Path, help="best.json or finalists.json of the sweep whose configuration is trained"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the packed data set")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--store", type=Path, required=True, help="where finished runs are kept")
    parser.add_argument("--store-gb", type=float, default=20.0, help="largest size of the store")
    args = parser.parse_args()
    spec = provenance.start(args)
    if "seed" not in spec or not ("rank" in spec or {"space", "pair", "loss"} <= spec.keys()):
        raise UserError(
            '--spec must say what to train: {"rank": 1, "seed": 0} with --best FILE, or {"space": SPACE, "pair": 0, '
            '"loss": "cross_entropy", "seed": 0}. For settings of your own: workflow_scripts/train_numpy.py'
        )
    settings = scratch_run.settings_of(spec, args.best)
    packed = data.load(args.data)
    scratch_run.stored(settings, packed, args.data, args.out, args.store, int(args.store_gb * 1e9), sys.stdout)
    provenance.finish(args, [args.out / name for name in scratch_run.FILES])


if __name__ == "__main__":
    with threadpool_limits(1):  # more threads would be slower for matrices of this size, and change bits
        cli.run(main)
