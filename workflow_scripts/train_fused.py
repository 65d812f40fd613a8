"""Train dense runs that differ in learning rate and seeds as lanes of one job, into the store.

What it leaves is found there by train_dense.py, under the same keys as if each run had been trained by itself.
"""

import argparse
from pathlib import Path

from winnow import cli, io, provenance
from winnow.runs import train_fused
from winnow.spec import FusedSpec
from winnow.stored_run import Place


def main() -> None:
    """Parse, train, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    provenance.arguments(parser)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packed data set")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--store", type=Path, required=True, help="store of finished runs")
    parser.add_argument("--store-gb", type=float, default=20.0, help="its largest size")
    args = parser.parse_args()
    spec = FusedSpec.read(provenance.start(args))
    done = train_fused(spec, Place(args.data, args.out, args.store, int(args.store_gb * 1e9)))
    io.write_json(args.out / "lanes.json", done)
    provenance.finish(args, [args.out / "lanes.json"])


if __name__ == "__main__":
    cli.run(main)
