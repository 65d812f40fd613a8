"""Join the files of many runs into one table of a study (winnow/tables/<name>.py says which files and how)."""

import argparse
from pathlib import Path

from winnow import cli, io, plugins, provenance
from winnow.tables._runs import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--table", required=True, help="one of: " + ", ".join(plugins.names("tables")))
    parser.add_argument("--out", type=Path, required=True, help="the CSV file to write")
    args = parser.parse_args()
    table = plugins.load("tables", args.table)
    spec = provenance.start(args)
    runs = [Run.from_spec(entry) for entry in spec["runs"]]
    io.write_table(args.out, args.table, table.rows([run for run in runs if run.group in table.GROUPS], spec))
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    cli.run(main)
