"""How a program under workflow_scripts/ ends: a user's mistake is one paragraph on stderr, never a traceback."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from winnow.errors import UserError


def use_this_python(root: str | Path) -> None:
    """Let child processes find this Python as `python` and import the winnow below `root`, installed or not."""
    others = {"PATH": os.path.dirname(sys.executable), "PYTHONPATH": str(root)}
    for name, first in others.items():
        rest = [item for item in os.environ.get(name, "").split(os.pathsep) if item and item != first]
        os.environ[name] = os.pathsep.join([first, *rest])


def run(main: Callable[[], None]) -> None:
    """Call `main`; a UserError is printed as one wrapped paragraph and exits with 1, other exceptions pass."""
    try:
        main()
    except UserError as error:
        width = min(shutil.get_terminal_size().columns, 100)
        text = textwrap.fill(f"Error: {error}", width, break_long_words=False, break_on_hyphens=False)
        print(text, file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output has gone, e.g. `| head`
        sys.stderr.close()
        sys.exit(1)
