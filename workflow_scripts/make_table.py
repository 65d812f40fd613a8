"""Join the files of many runs into one table of a study (winnow/tables/<name>.py says which files and how)."""

import argparse
from pathlib import Path

from winnow import cli, io, plugins, provenance
from winnow.errors import UserError
from winnow.tables._runs import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--table", required=True, help="one of: " + ", ".join(plugins.names("tables")))
    parser.add_argument("--out", type=Path, required=True, help="the CSV file to write")
    args = parser.parse_args()
    table = plugins.load("tables", args.table)
    spec = provenance.start(args)
    if "runs" not in spec:
        raise UserError(
            "--spec must name the runs to join, as the workflow does: a JSON object with the key 'runs', or @FILE with "
            "that in it. To make a table of a study: snakemake --cores 1 results/STUDY/tables/TABLE.csv"
        )
    runs = [Run(**entry) for entry in spec["runs"]]
    io.write_table(args.out, args.table, table.rows([run for run in runs if run.group in table.GROUPS], spec))
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    cli.run(main)
