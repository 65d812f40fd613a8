"""Put the best configurations of a sweep in the order of their mean accuracy over fresh seeds (winnow/finalists.py)."""

import argparse
from pathlib import Path

from winnow import cli, finalists, io, provenance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--best", type=Path, required=True, help="best.json of the sweep")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    args = parser.parse_args()
    spec, best = provenance.start(args), io.read_json(args.best)
    reached: dict[int, list[float]] = {}
    for run in spec["runs"]:
        reached.setdefault(run["rank"], []).append(finalists.accuracy(Path(run["folder"])))
    found = {"dataset": best["dataset"], "configurations": finalists.ranked(best["configurations"], reached)}
    io.write_json(args.out, found)
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    cli.run(main)
