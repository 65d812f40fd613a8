"""Tune an optimiser in a scenario: trials of short trainings, the best again in full; which of these is chosen."""

import argparse
from pathlib import Path

from winnow import cli, io, provenance, tuning
from winnow.spec import TuningSpec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packed data set")
    parser.add_argument("--tunings", type=Path, required=True, help="where tunings are recorded")
    parser.add_argument("--store", type=Path, required=True, help="store of finished runs")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    args = parser.parse_args()
    spec = TuningSpec.read(provenance.start(args))
    rows, chosen = tuning.tune(spec, args.data, args.tunings, args.store, args.out / "progress.json")
    io.write_table(args.out / "trials.csv", "tuning_trials", rows)
    io.write_json(args.out / "best.json", chosen)
    provenance.finish(args, [args.out / name for name in ("trials.csv", "best.json")])


if __name__ == "__main__":
    cli.run(main)
