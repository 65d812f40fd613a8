"""Tell TensorBoard or Weights & Biases the finished runs of a results folder, without network or account.

    python workflow_scripts/export_tracker.py --to tensorboard --results results
    python workflow_scripts/export_tracker.py --to wandb --results results --study scratch --project activations

Each lane of a training, each trial and the figures of a study become a run. Exporting again writes what has changed.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from winnow import cli
from winnow.argument_types import Help
from winnow.errors import UserError
from winnow.trackers import places, runs
from winnow.trackers.export import Writer, export
from winnow.trackers.tensorboard import TensorBoard
from winnow.trackers.wandb import PROJECT, WandB

HINTS = {
    "tensorboard": "tensorboard --logdir {out}",
    "wandb": "wandb sync {out}/offline-run-* uploads them, to a server of your own or after `wandb login`",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("--to", required=True, choices=list(HINTS), help="the tracker")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder that holds the studies")
    parser.add_argument("--study", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    parser.add_argument("--out", type=Path, help="folder to write to (default: trackers/NAME below --results)")
    parser.add_argument("--project", help=f"of wandb (default: {PROJECT})")
    parser.add_argument("--entity", help="of wandb: a user or team (default: whoever uploads)")
    args = parser.parse_args()
    if args.to != "wandb" and (args.project or args.entity):
        raise UserError(f"--project and --entity belong to --to wandb; {args.to} has none: leave them out.")
    out = args.out or args.results / "trackers" / args.to
    found, unfinished = places.find(args.results, args.study)
    writer: Writer = WandB(args.project or PROJECT, args.entity) if args.to == "wandb" else TensorBoard()
    broken: list[str] = []
    written, kept = export(_shown(found, broken), out, writer)
    print(f"{out}: {len(written)} runs written, {kept} as they were.")
    if unfinished:
        print(f"{unfinished} trainings that have not finished were left out.")
    print(HINTS[args.to].format(out=out))
    if broken:
        raise UserError(f"{len(broken)} places could not be read and were left out: {' '.join(broken)}")


def _shown(found: list[places.Place], broken: list[str]) -> Iterator[runs.Tracked]:
    """The runs; prints where they come from, and notes in `broken` what cannot be read."""
    for number, place in enumerate(found, start=1):
        print(f"{number}/{len(found)} {'/'.join((place.study, *place.parts))}", flush=True)
        try:
            told = list(runs.told(place))
        except UserError as error:
            broken.append(str(error))
            continue
        yield from told


if __name__ == "__main__":
    cli.run(main)
