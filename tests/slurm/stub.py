"""Stands in for the commands of SLURM, under their names: jobs run at once, as children; all is noted in $STUB.

$STUB/fail names parts of --comment: such a submission ends as TIMEOUT without running, once for every line.
"""

import json
import os
import subprocess
import sys

STUB = os.environ["STUB"]


def sbatch(arguments: list[str]) -> None:
    number = 1
    while True:
        try:
            os.mkdir(f"{STUB}/{number}")
            break
        except FileExistsError:
            number += 1
    (wrapped,) = [text.partition("=")[2] for text in arguments if text.startswith("--wrap=")]
    with open(f"{STUB}/{number}/call.json", "w") as file:
        json.dump([text for text in arguments if not text.startswith("--wrap=")], file)
    comment = arguments[arguments.index("--comment") + 1]
    with open(f"{STUB}/fail") as file:
        lines = file.read().split()
    if failing := [line for line in lines if line in comment]:
        lines.remove(failing[0])
        with open(f"{STUB}/fail", "w") as file:
            file.write("\n".join(lines))
        end = "echo TIMEOUT > state"
    else:
        environment = {**os.environ, "SLURM_JOB_ID": str(number), "CUDA_VISIBLE_DEVICES": "0"}
        log = f"{STUB}/{number}/log"
        command = f"{{ {wrapped} ; }} > {log} 2>&1 && end=COMPLETED || end=FAILED; echo $end > {STUB}/{number}/state"
        subprocess.Popen(
            ["sh", "-c", command], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = "true"
    subprocess.run(end, shell=True, cwd=f"{STUB}/{number}", check=True)
    print(number)


def status() -> None:
    for name in filter(str.isdigit, os.listdir(STUB)):
        try:
            with open(f"{STUB}/{name}/state") as file:
                state = file.read().strip()
        except FileNotFoundError:
            state = ""
        print(f"{name}|{state or 'RUNNING'}")


def main() -> None:
    name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
    with open(f"{STUB}/calls", "a") as file:
        file.write(f"{name} {' '.join(arguments)[:60]}\n")
    if name == "sbatch":
        sbatch(arguments)
    elif name == "srun":
        command = next(i for i, text in enumerate(arguments) if not text.startswith("-"))
        os.execvp(arguments[command], arguments[command:])
    elif name == "squeue" or (name == "sacct" and "--name" in arguments):
        status()
    elif name == "scontrol":
        print(f"MinJobAge = {os.environ['MIN_JOB_AGE']} sec")
    elif name == "sacctmgr":
        print("my_account")
    elif name == "sinfo":
        print("cluster*")


main()
