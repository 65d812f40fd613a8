# The network from scratch: sweeps by any number of workers, trainings of what they found, and images they classify.


localrules:
    trials,
    finalists,
    classify,


rule sweep:
    """Train trials of a sweep, beside its other workers, until it has as many as it should."""
    input:
        data=made_from("sweep", "data"),
        ledger=ledger("sweep"),
    output:
        worker="<results>/{study}/sweeps/{sweep}/worker{worker}.json",
    log:
        "<results>/logs/sweep/{study}/{sweep}/worker{worker}.log",
    benchmark:
        "<results>/benchmarks/sweep/{study}/{sweep}/worker{worker}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(720),
    params:
        job=arguments("sweep"),
        data=folder_of("sweep", "data"),
        sweeps=SWEEPS,
    message:
        "Searching {wildcards.study}/{wildcards.sweep}, worker {wildcards.worker}"
    shell:
        "python workflow_scripts/sweep.py {params.job:q} --worker {wildcards.worker} --data {params.data:q}"
        " --sweeps {params.sweeps:q} --out {output.worker:q} > {log:q} 2>&1"


rule trials:
    """Write the trials of a sweep as tables, and its configurations, the best first."""
    input:
        data=made_from("trials", "data"),
        workers=made_from("trials", "workers"),
        ledger=ledger("trials"),
    output:
        trials="<results>/{study}/sweeps/{sweep}/trials.csv",
        epochs="<results>/{study}/sweeps/{sweep}/epochs.csv",
        best="<results>/{study}/sweeps/{sweep}/best.json",
    log:
        "<results>/logs/trials/{study}/{sweep}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        job=arguments("trials"),
        data=folder_of("trials", "data"),
        sweeps=SWEEPS,
        out=output_folder,
    message:
        "Ranking the trials of {wildcards.study}/{wildcards.sweep}"
    shell:
        "python workflow_scripts/trials.py {params.job:q} --sweep {wildcards.sweep} --data {params.data:q}"
        " --sweeps {params.sweeps:q} --out {params.out:q} > {log:q} 2>&1"


rule train_from_scratch:
    """Train the network from scratch with the settings of a configuration of a sweep, or drawn from its space."""
    input:
        data=made_from("train_from_scratch", "data"),
        best=made_from("train_from_scratch", "best"),
        ledger=ledger("train_from_scratch"),
    output:
        metrics="<results>/{study}/runs/{group}/{run}/metrics.csv",
        final="<results>/{study}/runs/{group}/{run}/final.safetensors",
        config="<results>/{study}/runs/{group}/{run}/config.json",
        confusion="<results>/{study}/runs/{group}/{run}/confusion.csv",
        run="<results>/{study}/runs/{group}/{run}/run.json",
    log:
        "<results>/logs/train_from_scratch/{study}/{group}/{run}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
        store_gb=STORE_GB,
    params:
        job=arguments("train_from_scratch"),
        data=folder_of("train_from_scratch", "data"),
        best=best_argument("train_from_scratch"),
        out=output_folder,
        store=STORE,
    message:
        "Training {wildcards.study} {wildcards.group}, {wildcards.run}"
    shell:
        "python workflow_scripts/train_from_scratch.py {params.job:q} {params.best:q} --data {params.data:q}"
        " --out {params.out:q} --store {params.store:q} --store-gb {resources.store_gb} > {log:q} 2>&1"


rule finalists:
    """Put the best configurations of a sweep in the order of their mean accuracy over fresh seeds."""
    input:
        best=made_from("finalists", "best"),
        runs=made_from("finalists", "runs"),
        ledger=ledger("finalists"),
    output:
        ranked="<results>/{study}/sweeps/{sweep}/finalists.json",
    log:
        "<results>/logs/finalists/{study}/{sweep}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        job=arguments("finalists"),
    message:
        "Choosing among the finalists of {wildcards.study}/{wildcards.sweep}"
    shell:
        "python workflow_scripts/finalists.py {params.job:q} --best {input.best:q} --out {output.ranked:q}"
        " > {log:q} 2>&1"


rule classify:
    """Class probabilities of one image by the best networks, and an image of every class."""
    input:
        data=made_from("classify", "data"),
        runs=made_from("classify", "runs"),
        ledger=ledger("classify"),
    output:
        probabilities="<results>/{study}/classify/probabilities.csv",
        samples="<results>/{study}/classify/samples.csv",
    log:
        "<results>/logs/classify/{study}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        job=arguments("classify"),
        data=folder_of("classify", "data"),
        out=output_folder,
    message:
        "Classifying an image with the best networks of {wildcards.study}"
    shell:
        "python workflow_scripts/classify.py {params.job:q} --data {params.data:q} --out {params.out:q} > {log:q} 2>&1"
