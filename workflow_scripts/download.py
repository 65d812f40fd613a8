"""Fetch a data set, check its contents and pack it into a folder (winnow/download.py)."""

import argparse
import logging
from pathlib import Path

from winnow import cli, data, download, plugins, provenance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--dataset", required=True, help=f"one of {', '.join(plugins.names('datasets'))}")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make, e.g. results/data/NAME")
    parser.add_argument("--folder", type=Path, help="a folder that already holds the original files; it is tried first")
    args = parser.parse_args()
    provenance.start(args)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    download.pack(args.dataset, args.out, args.folder)
    loaded = data.load(args.out)
    print(f"{args.out}: {len(loaded.train_images)} training and {len(loaded.test_images)} test images of {loaded.name}")
    provenance.finish(args, [args.out / f"{name}.npy" for name in data.ARRAYS] + [args.out / "dataset.json"])


if __name__ == "__main__":
    cli.run(main)
