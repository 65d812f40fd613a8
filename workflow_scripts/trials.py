"""Write the finished trials of a sweep as tables, and its configurations, the best first."""

import argparse
from pathlib import Path

from winnow import cli, io, provenance, sweep
from winnow.errors import UserError
from winnow.search import Search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--sweep", required=True, help="name of the sweep")
    parser.add_argument("--data", type=Path, required=True, help="folder of the packed data set")
    parser.add_argument("--sweeps", type=Path, required=True, help="where sweeps are recorded")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    args = parser.parse_args()
    spec = sweep.read(provenance.start(args))
    search = Search(sweep.folder(args.sweeps, spec, args.data), spec["space"], spec["stop_hopeless"])
    trials = search.finished()[: spec["trials"]]
    if len(trials) < spec["trials"]:
        raise UserError(
            f"{search.folder} has {len(trials)} of the {spec['trials']} trials of the sweep {args.sweep}. Was it "
            f"removed? Delete {args.out}/worker*.json and run the same command again: it trains what is missing."
        )
    io.write_table(args.out / "trials.csv", "trials", sweep.trial_rows(args.sweep, trials))
    io.write_table(args.out / "epochs.csv", "trial_epochs", sweep.epoch_rows(args.sweep, trials))
    best = {"dataset": spec["dataset"], "configurations": sweep.configurations(args.sweep, trials)}
    io.write_json(args.out / "best.json", best)
    provenance.finish(args, [args.out / name for name in ("trials.csv", "epochs.csv", "best.json")])


if __name__ == "__main__":
    cli.run(main)
