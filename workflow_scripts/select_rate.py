"""Choose an arm's learning rate by validation loss (winnow/selection.py) and write best.json."""

import argparse
from pathlib import Path

from winnow import cli, io, provenance, selection
from winnow.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the best.json to write")
    args = parser.parse_args()
    spec = provenance.start(args)
    if not {"last", "candidates"} <= spec.keys():
        raise UserError(
            "--spec must say what to choose from: "
            '{"last": 3, "candidates": [{"lr": "0.7", "folders": ["DIR"]}]}, or @FILE with that in it. A '
            "folder is that of a dense run with validation images."
        )
    scores = {}
    for candidate in spec["candidates"]:
        tables = [io.read_table(Path(folder) / "metrics.csv", "metrics") for folder in candidate["folders"]]
        scores[candidate["lr"]] = selection.score(tables, spec["last"])
    io.write_json(args.out, selection.select(scores))
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    cli.run(main)
