"""Imported by every Python of the SLURM test at its start: notes what the workflow's programs are and where they run.

A file in orders/ that names a part of a program's --out folder is obeyed once: `hold-*` stops the process with SIGSTOP
as soon as its training has a checkpoint, so that it can be killed on the way for certain; `fail-*` lets it fail.
"""

import json
import os
import signal
import sys
import threading
import time


def begin() -> None:
    arguments = sys.orig_argv[1:]
    if not arguments or not arguments[0].startswith("workflow_scripts/") or "--out" not in arguments:
        return
    out = arguments[arguments.index("--out") + 1]
    note = {
        "program": os.path.basename(arguments[0]), "out": out, "began": time.time(),
        "job": os.environ.get("SLURM_JOB_ID"), "devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }  # fmt: skip
    with open("programs.jsonl", "a") as file:
        file.write(json.dumps(note) + "\n")
    for name in os.listdir("orders"):
        with open(f"orders/{name}") as file:
            if file.read().strip() not in out:
                continue
        if name.startswith("fail-"):
            sys.stderr.write("ordered to fail\n")
            sys.stderr.flush()
            os._exit(3)
        if name.startswith("hold-"):
            store = arguments[arguments.index("--store") + 1]
            threading.Thread(target=hold, args=(name, store), daemon=True).start()


def hold(name: str, store: str) -> None:
    mine = f"process {os.getpid()} on "
    while True:
        time.sleep(0.02)
        for entry in os.scandir(store) if os.path.isdir(store) else ():
            checkpoint = os.path.join(entry.path, "checkpoint.safetensors")
            if os.path.exists(checkpoint):
                with open(os.path.join(entry.path, "lock")) as file:
                    if file.read().startswith(mine):
                        os.rename(f"orders/{name}", f"orders/held-{os.environ.get('SLURM_JOB_ID')}-{name}")
                        os.kill(os.getpid(), signal.SIGSTOP)
                        return


begin()
