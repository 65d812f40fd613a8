# winnow: how the optimiser shapes sparse, trainable networks.
#
# Paths (<results> is `results`; a preset may say otherwise, see `pathvars` in presets/quick.yaml)
#   results/data/{dataset}/                                       the packed data set, one copy for all presets
#   <results>/{study}/{arm}/dense/{train_on}/{rate}/{seeds}/      a dense run; rate is lr0.022 or best, seeds seeds0-2
#   <results>/{study}/{arm}/best.json                             the learning rate selected on validation data
#   <results>/{study}/{arm}/{recipe}/{seeds}/round{round}/        a ticket: mask, weights, metrics, edges, measures
#   <results>/{study}/sweeps/{sweep}/                             trials of a sweep of the network from scratch
#   <results>/{study}/runs/{group}/{run}/, {study}/classify/      trainings of what sweeps found; images they classify
#   <results>/{study}/{arm}/{scenario}/tuning/, final/{seeds}/    an optimiser's tuning; its runs with what that chose
#   <results>/{study}/tables/{table}.csv                          joint tables
#   <results>/{study}/figures/{figure}.{format}                   figures
#   <results>/report/index.html                                   the report, one page about all studies (target report)
#   <results>/logs/, <results>/benchmarks/                        by rule and wildcards
#   <results>/.store/    finished runs and checkpoints            <results>/.ledger/    what each output was made from
#   <results>/.sweeps/, .tunings/    the trials of sweeps and tunings    <results>/.watch/    what `make watch` reads
# docs/files.md describes every file. `snakemake --list-rules` explains the rules, `make why` what would rerun and why.


include: "rules/common.smk"  # reads config.yaml
include: "rules/data.smk"
include: "rules/dense.smk"
include: "rules/pruning.smk"
include: "rules/scratch.smk"
include: "rules/benchmark.smk"
include: "rules/analysis.smk"
include: "rules/figures.smk"
include: "rules/report.smk"


rule all:
    """Everything that the studies listed in config.yaml ask for, the outputs of every stage."""
    default_target: True
    input:
        PLAN.outputs(),
    message:
        "Everything is made"


rule dense_runs:
    """Train every dense run: the learning-rate sweep and the runs at the pruning rate."""
    input:
        PLAN.outputs(*STAGES["dense_runs"]),
    message:
        "All dense runs are made"


rule selection:
    """Select a learning rate for every arm on validation data."""
    input:
        PLAN.outputs(*STAGES["selection"]),
    message:
        "All learning rates are selected"


rule pruning:
    """Make every ticket: all rounds of all recipes."""
    input:
        PLAN.outputs(*STAGES["pruning"]),
    message:
        "All tickets are made"


rule sweeps:
    """Search the spaces of the network from scratch."""
    input:
        PLAN.outputs(*STAGES["sweeps"]),
    message:
        "All sweeps are finished"


rule from_scratch:
    """Train what the sweeps found: best configurations, pairs of losses, another data set; classify an image."""
    input:
        PLAN.outputs(*STAGES["from_scratch"]),
    message:
        "All networks from scratch are trained"


rule tuning:
    """Tune every optimiser in the scenarios of a benchmark."""
    input:
        PLAN.outputs(*STAGES["tuning"]),
    message:
        "All optimisers are tuned"


rule scenarios:
    """Train every optimiser in the scenarios of a benchmark, with the settings that were chosen."""
    input:
        PLAN.outputs(*STAGES["scenarios"]),
    message:
        "All optimisers are trained in their scenarios"


rule analysis:
    """Edge lists, graph and weight measures, and the joint tables."""
    input:
        PLAN.outputs(*STAGES["analysis"]),
    message:
        "Everything is measured and tabulated"


rule figures:
    """Draw every figure."""
    input:
        PLAN.outputs(*STAGES["figures"]),
    message:
        "All figures are drawn"


onstart:
    started()


onsuccess:
    print(finished())
