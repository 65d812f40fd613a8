"""Write the rounds of one seed as a CSV with the columns round, remaining, ES, val, test (percent, at early stop)."""

import argparse
from pathlib import Path

from winnow import cli, early_stop, io, provenance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--dense", type=Path, required=True, metavar="DIR", help="folder of the dense run")
    parser.add_argument("--rounds", type=Path, nargs="+", required=True, metavar="DIR", help="those of rounds 1, 2...")
    parser.add_argument("--seed", type=int, required=True, help="the lane to export")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the CSV file to write")
    args = parser.parse_args()
    provenance.start(args)
    io.write_table(args.out, "ticket", early_stop.chain([args.dense, *args.rounds], args.seed))
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    cli.run(main)
