"""Say which jobs are stale and because of which change, from the ledger; changes nothing. `make why` calls it."""

import argparse
import os
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from winnow import argument_types, cli, config, plan, why
from winnow.errors import UserError


def read(path: Path) -> dict[str, object]:
    """One YAML file."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML: {error}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--configfile", type=Path, nargs="*", default=[], metavar="FILE", help="overlays, as Snakemake's"
    )
    parser.add_argument(
        "--jobs", type=argument_types.whole("--jobs", 0), default=8, metavar="N",
        help="jobs named per reason (default: 8)",
    )  # fmt: skip
    args = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    overlays = [path.resolve() for path in args.configfile]
    os.chdir(root)
    checked = config.load(read(root / "config.yaml"), [read(path) for path in overlays])
    print(why.report(why.reasons(plan.Plan(checked)), args.jobs))


if __name__ == "__main__":
    cli.run(main)
