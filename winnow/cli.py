"""How a program under workflow_scripts/ ends: a user's mistake or a full disk is one paragraph, never a traceback."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from winnow.errors import UserError

# What a user can put right about a disk; EDQUOT: the user's share of it is used up.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
# A file stands where a folder is needed, or the other way round.
IN_THE_WAY = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


def use_this_python(root: str | Path) -> None:
    """Let child processes find this Python as `python` and import the winnow below `root`, installed or not."""
    others = {"PATH": os.path.dirname(sys.executable), "PYTHONPATH": str(root)}
    for name, first in others.items():
        rest = [item for item in os.environ.get(name, "").split(os.pathsep) if item and item != first]
        os.environ[name] = os.pathsep.join([first, *rest])


def run(main: Callable[[], None]) -> None:
    """Call `main`; a UserError, or a disk that refuses a file, is printed as one wrapped paragraph and exits with 1.

    Other exceptions pass.
    """
    try:
        main()
    except UserError as error:
        _stop(str(error))
    except BrokenPipeError:  # the reader of our output has gone, e.g. `| head`
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno in IN_THE_WAY:
            _stop(
                f"{error.filename or 'A file'} could not be opened or written: {error.strerror}. A file stands where a "
                "folder is needed, or a folder where a file is: name another place."
            )
        if error.errno not in DISK:
            raise
        _stop(
            f"{error.filename or 'A file'} could not be opened or written: {error.strerror}. Make sure that you may "
            "write there and that there is space left (`make clean-store` empties the store, execution: store_gb in "
            "config limits it), then run the same command again."
        )


def _stop(text: str) -> NoReturn:
    width = min(shutil.get_terminal_size().columns, 100)
    print(textwrap.fill(f"Error: {text}", width, break_long_words=False, break_on_hyphens=False), file=sys.stderr)
    sys.exit(1)
