"""Train trials of a sweep until it has enough of them; any number of these programs work on one sweep at once."""

import argparse
from pathlib import Path

from threadpoolctl import threadpool_limits

from winnow import argument_types, cli, data, io, provenance, sweep
from winnow.search import Search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--worker", type=argument_types.whole("--worker", 0), default=0, help="number of this worker")
    parser.add_argument("--data", type=Path, required=True, help="folder of the packed data set")
    parser.add_argument("--sweeps", type=Path, required=True, help="where sweeps are recorded")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write at the end")
    args = parser.parse_args()
    spec = sweep.read(provenance.start(args))
    search = Search(sweep.folder(args.sweeps, spec, args.data), spec["space"], spec["stop_hopeless"])
    shown = args.out.with_suffix(".progress.json")  # workers share the folder
    sweep.work(search, data.load(args.data), spec["trials"], args.worker, shown)
    mine = [trial for trial in search.finished() if trial.user_attrs["result"]["worker"] == args.worker]
    io.write_json(args.out, {"worker": args.worker, "trials": len(mine)})
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    with threadpool_limits(1):  # more threads would be slower for matrices of this size, and change bits
        cli.run(main)
