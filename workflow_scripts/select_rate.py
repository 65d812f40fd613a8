"""Choose an arm's learning rate by validation loss (winnow/selection.py) and write best.json."""

import argparse
from pathlib import Path

from winnow import cli, io, provenance, selection


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the best.json to write")
    args = parser.parse_args()
    spec = provenance.start(args)
    last, candidates = selection.read(spec)
    scores = {}
    for rate, folders in candidates.items():
        tables = [io.read_table(Path(folder) / "metrics.csv", "metrics") for folder in folders]
        scores[rate] = selection.score(tables, last)
    io.write_json(args.out, selection.select(scores))
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    cli.run(main)
