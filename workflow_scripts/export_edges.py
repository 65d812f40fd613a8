"""Export the kept edges of a round, with their weights at its end, as a CSV: seed, tensor, source, target, weight."""

import argparse
from pathlib import Path

from winnow import analysis, cli, io, provenance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder of a round")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="edges.csv or edges.csv.gz")
    args = parser.parse_args()
    provenance.start(args)
    io.write_table(args.out, "edges", analysis.edges(args.run))
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    cli.run(main)
