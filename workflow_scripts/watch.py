"""Watch a run of the workflow from the files that it writes, here or on a cluster; changes nothing and asks nobody."""

import argparse
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.live import Live

from winnow import cli
from winnow.errors import UserError
from winnow.watch import view
from winnow.watch.states import Watcher

REFRESH = 1.0  # seconds; looking takes at most a tenth of the time, however many jobs there are


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="results root (default: results)")
    parser.add_argument("--once", action="store_true", help="print how it stands now and end, as without a terminal")
    args = parser.parse_args()
    results = args.results.absolute()
    os.chdir(Path(__file__).resolve().parent.parent)  # what files say is relative to it
    if not results.is_dir():
        raise UserError(f"--results {args.results} is no folder; valid is a results root, such as results/quick.")
    watcher, console = Watcher(results), Console(highlight=False)
    if console.is_terminal and not args.once:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # the terminal is put back
        with contextlib.suppress(KeyboardInterrupt):
            live(watcher, args.results, console)
    console.print(view.frame(args.results, watcher.look(), console))


def live(watcher: Watcher, results: Path, console: Console) -> None:
    """Show how it stands until the run is over."""
    with Live(console=console, screen=True, auto_refresh=False) as screen:
        while True:
            began = time.monotonic()
            if (run := watcher.look()).over:
                return
            screen.update(view.frame(results, run, console, console.height), refresh=True)
            time.sleep(max(REFRESH, 9 * (time.monotonic() - began)))


if __name__ == "__main__":
    cli.run(main)
