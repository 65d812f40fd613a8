"""Write the report: one HTML page, complete in itself, about what there is in a results folder."""

import argparse
from pathlib import Path

from winnow import atomic, cli, provenance
from winnow.errors import UserError
from winnow.report import by_hand, page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    provenance.arguments(parser)
    parser.add_argument("--results", type=Path, required=True, help="folder that holds the studies, e.g. results/quick")
    parser.add_argument(
        "--configfile",
        nargs="*",
        metavar="FILE",
        help="overlays named in commands (default: the preset of these results)",
    )
    parser.add_argument("--out", type=Path, help="the file to write (default: report/index.html below --results)")
    args = parser.parse_args()
    spec = provenance.start(args)
    if not args.results.is_dir():
        raise UserError(f"--results {args.results} is no folder; valid is a results root, such as results/quick.")
    out = args.out or args.results / "report/index.html"
    files = by_hand.overlays(provenance.ROOT, args.results) if args.configfile is None else args.configfile
    config = spec.get("config")
    studies = list(config) if config else by_hand.studies(provenance.ROOT, args.results, files)
    purposes = by_hand.purposes(provenance.ROOT, files)
    html = page.render(args.results, studies, config or {}, files, purposes).encode()
    atomic.write(out, html)
    print(f"{out}: {len(html) / 1e6:.1f} MB")
    provenance.finish(args, [out])


if __name__ == "__main__":
    cli.run(main)
