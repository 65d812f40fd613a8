"""Draw one figure from the tables of a study; the ending of --out (png, pdf, svg) says the format."""

import argparse
from pathlib import Path

from winnow import cli, io, plugins, provenance
from winnow.figures import _style


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--figure", required=True, help="one of: " + ", ".join(plugins.names("figures")))
    parser.add_argument("--tables", type=Path, required=True, help="folder of the study's tables")
    parser.add_argument("--out", type=Path, required=True, help="the .png, .pdf or .svg file to write")
    args = parser.parse_args()
    figure = plugins.load("figures", args.figure)
    provenance.start(args)
    tables = {name: io.read_table(args.tables / f"{name}.csv", name) for name in figure.TABLES}
    _style.render(figure.draw, tables, args.out)
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    cli.run(main)
