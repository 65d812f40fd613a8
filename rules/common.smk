# Typed configuration, constraints on wildcards, and what every rule asks of the plan (winnow/plan.py).

import os
import shlex
import sys
import time

import yaml

sys.path.insert(0, workflow.basedir)

from winnow import cli, config as typed_config, plan, store
from winnow.errors import UserError
from winnow.jobs import AFTER, WILDCARDS
from winnow.plan import STAGES
from winnow.report import captions
from winnow.watch import plan_file

cli.use_this_python(workflow.basedir)


def check_place():
    """Programs, config.yaml and results are named from the folder of the Snakefile: another one is refused."""
    if not os.path.samefile(os.getcwd(), workflow.basedir):
        raise UserError(
            f"snakemake works in {os.getcwd()}, but winnow runs in its own folder only, where its programs and config.yaml "
            f"are. Leave out --directory and -s, and call it there: cd {shlex.quote(workflow.basedir)}. For results "
            "elsewhere, set pathvars: results: in a config file."
        )


cli.run(check_place)


configfile: "config.yaml"


def read_config():
    """The typed configuration and its plan; a mistake is told in one paragraph and ends Snakemake with 1."""
    global CONFIG, PLAN
    # In the order of config.yaml: Snakemake puts an overlay's keys first, and tables list runs in the order of config.
    with open("config.yaml") as file:
        CONFIG = typed_config.load(yaml.safe_load(file), [config])
    if workflow.is_main_process:
        typed_config.check_folders(CONFIG)
    PLAN = plan.Plan(CONFIG)


cli.run(read_config)
RESULTS = PLAN.results
STORE = f"{RESULTS}/.store"
SWEEPS = f"{RESULTS}/.sweeps"
TUNINGS = f"{RESULTS}/.tunings"
# A resource, not a param: under Snakemake's own triggers a new param reruns the job. Text, since numbers are rounded.
STORE_GB = str(CONFIG.execution.store_gb)
LEDGER = f"{RESULTS}/.ledger"
ON_GPU = CONFIG.execution.device.partition(":")[0] not in ("cpu", "auto")
# Before the command of a training: several at once share the GPUs of a machine, unless config names one, as in cuda:1.
CLAIM_GPU = (
    "python workflow_scripts/claim_gpu.py " if CONFIG.execution.device == "cuda" else ""
)

if workflow.is_main_process:
    # The ledger's folder is an input of every job: `ancient` where the job's record is current, and newer than
    # everything where it is not (docs/decisions/0002-keys-and-ledger.md).
    os.makedirs(LEDGER, exist_ok=True)
    newest = (
        PLAN.newest_stale_output()
    )  # its time may lie in the future: a clock was corrected, a backup restored
    os.utime(LEDGER, (newest, newest) if newest > time.time() else None)


def one_of(*values):
    """A pattern that matches these names, or nothing if there are none."""
    return "|".join(dict.fromkeys(values)) or "(?!)"


wildcard_constraints:
    study=one_of(*CONFIG.run),
    arm=one_of(*PLAN.values("arm")),
    dataset=one_of(*PLAN.values("dataset")),
    train_on="holdout|all",
    rate=r"best|lr[0-9.]+",
    seeds=r"seeds[0-9,-]+",
    seed=r"\d+",
    round=r"[1-9]\d*",
    sweep=one_of(*PLAN.values("sweep")),
    worker=r"\d+",
    scenario=one_of(*PLAN.values("scenario")),
    group=one_of(*PLAN.values("group")),
    run=r"\w+",
    # Any name: the plan also makes what config does not name, and says what there is when it cannot.
    table=r"\w+",
    figure=r"\w+",
    format=r"\w+",


def made_from(rule, name):
    """Input function: the files that the plan calls `name` for this job."""

    def paths(wildcards):
        return PLAN.job(rule, wildcards).inputs[name]

    return paths


def ledger(rule):
    """Input function: the ledger's folder, which makes the job stale unless its record there is current."""

    def folder(wildcards):
        return ancient(LEDGER) if PLAN.job(rule, wildcards).current else LEDGER

    return folder


def waits_for(rule):
    """Input function: the files that the job, unless it is current, waits for without reading them."""

    def paths(wildcards):
        job = PLAN.job(rule, wildcards)
        return [] if job.current else job.inputs[AFTER]

    return paths


def arguments(rule):
    """Params function: what every program is told about its job (see winnow/provenance.py)."""

    def values(wildcards):
        return PLAN.job(rule, wildcards).arguments()

    return values


def best_argument(rule):
    """Params function: --best FILE where the job's learning rate is the selected one."""

    def values(wildcards):
        return [
            item
            for path in PLAN.job(rule, wildcards).inputs["best"]
            for item in ("--best", path)
        ]

    return values


def folder_of(rule, name):
    """Params function: the folder of the files that the plan calls `name` for this job."""

    def folder(wildcards):
        return os.path.dirname(PLAN.job(rule, wildcards).inputs[name][0])

    return folder


def output_folder(wildcards, output):
    """Params function: the folder of the job's outputs."""
    return os.path.dirname(output[0])


def growing(value):
    """Resource function: `value` at first, twice as much at the second attempt, ... (profiles/slurm retries)."""

    def resource(wildcards, attempt):
        return value * attempt

    return resource


def results_folder(wildcards, output):
    """Params function: the folder of all results, of an output two levels below."""
    return os.path.dirname(output_folder(wildcards, output))


def training_environment():
    """The conda environment of rules that train (used with --sdm conda only)."""
    return "../envs/gpu.yaml" if ON_GPU else "../envs/cpu.yaml"


def finished():
    """What onsuccess says: where to look, and the size of the store."""
    lines = []
    for study in CONFIG.run:
        lines += [
            f"Figures: {RESULTS}/{study}/figures/",
            f"Tables:  {RESULTS}/{study}/tables/",
        ]
    megabytes = store.size(STORE) / 1e6
    limit = f"limit {CONFIG.execution.store_gb:g} GB; `make clean-store` empties it"
    lines.append(
        f"Store:   {STORE}/ holds {megabytes:.0f} MB besides the files that results share with it ({limit})"
    )
    return "\n".join(lines)


def started():
    """What onstart does: the jobs of this run become a file for `make watch`. Inside a job there is no new run."""
    if not workflow.is_main_process:
        return
    logs = {
        PLAN.job(job.rule.name, job.wildcards).ledger: job.log[0]
        for job in workflow.dag.needrun_jobs()
        if job.log and job.rule.name in WILDCARDS
    }
    try:
        plan_file.begin(
            RESULTS, logs, [job for job in PLAN.jobs.values() if job.ledger in logs]
        )
    except OSError as error:
        print(f"`make watch` will not show this run: {error}", file=sys.stderr)
