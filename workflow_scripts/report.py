"""Write the report: one HTML page about the studies of a results folder, complete in itself; of what is there, all."""

import argparse
from pathlib import Path

from winnow import atomic, cli, provenance
from winnow.errors import UserError
from winnow.report import page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--results", type=Path, required=True, help="folder that holds the studies, such as results/quick")
    parser.add_argument("--configfile", nargs="*", default=[], metavar="FILE", help="overlays that the page's commands name")
    parser.add_argument("--out", type=Path, required=True, help="the .html file to write")
    args = parser.parse_args()
    spec = provenance.start(args)
    if not args.results.is_dir():
        raise UserError(f"--results {args.results} is no folder. Name a results root, such as results/quick.")
    config = spec.get("config", {})
    html = page.render(args.results, config, config, args.configfile)
    atomic.write(args.out, html.encode())
    print(f"{args.out}: {len(html.encode()) / 1e6:.1f} MB")
    provenance.finish(args, [args.out])


if __name__ == "__main__":
    cli.run(main)
