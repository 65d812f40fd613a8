# Dense runs (the unpruned network) and the selection of learning rates.


localrules:
    select,


rule fuse:
    """Train all rates and seeds of an arm's sweep as lanes of one job, into the store, where rule dense finds them."""
    input:
        data=made_from("fuse", "data"),
        ledger=ledger("fuse"),
    output:
        lanes="<results>/{study}/{arm}/dense/fused/lanes.json",
    log:
        "<results>/logs/fuse/{study}/{arm}.log",
    benchmark:
        "<results>/benchmarks/fuse/{study}/{arm}.tsv"
    conda:
        training_environment()
    threads: CONFIG.execution.threads
    resources:
        mem_mb=growing(16000),
        runtime=growing(720),
        gpu=int(ON_GPU),
        store_gb=STORE_GB,
    params:
        job=arguments("fuse"),
        claim_gpu=CLAIM_GPU,
        data=folder_of("fuse", "data"),
        out=output_folder,
        store=STORE,
    message:
        "Training the sweep of {wildcards.study}/{wildcards.arm}, all rates and seeds together"
    shell:
        "{params.claim_gpu}python workflow_scripts/train_fused.py {params.job:q} --data {params.data:q} --out {params.out:q}"
        " --store {params.store:q} --store-gb {resources.store_gb} > {log:q} 2>&1"


rule dense:
    """Train the unpruned network of an arm at one learning rate, a seed block at a time; keep its rewind point."""
    input:
        data=made_from("dense", "data"),
        best=made_from("dense", "best"),
        after=waits_for("dense"),
        ledger=ledger("dense"),
    output:
        metrics="<results>/{study}/{arm}/dense/{train_on}/{rate}/{seeds}/metrics.csv",
        init="<results>/{study}/{arm}/dense/{train_on}/{rate}/{seeds}/init.safetensors",
        rewind="<results>/{study}/{arm}/dense/{train_on}/{rate}/{seeds}/rewind.safetensors",
        final="<results>/{study}/{arm}/dense/{train_on}/{rate}/{seeds}/final.safetensors",
        run="<results>/{study}/{arm}/dense/{train_on}/{rate}/{seeds}/run.json",
    log:
        "<results>/logs/dense/{study}/{arm}/{train_on}/{rate}/{seeds}.log",
    benchmark:
        "<results>/benchmarks/dense/{study}/{arm}/{train_on}/{rate}/{seeds}.tsv"
    conda:
        training_environment()
    threads: CONFIG.execution.threads
    resources:
        mem_mb=growing(4000),
        runtime=growing(720),
        gpu=int(ON_GPU),
        store_gb=STORE_GB,
    params:
        job=arguments("dense"),
        claim_gpu=CLAIM_GPU,
        data=folder_of("dense", "data"),
        best=best_argument("dense"),
        out=output_folder,
        store=STORE,
    message:
        "Training {wildcards.study}/{wildcards.arm} dense on {wildcards.train_on} at {wildcards.rate}, {wildcards.seeds}"
    shell:
        "{params.claim_gpu}python workflow_scripts/train_dense.py {params.job:q} {params.best:q} --data {params.data:q} --out {params.out:q}"
        " --store {params.store:q} --store-gb {resources.store_gb} > {log:q} 2>&1"


rule select:
    """Select an arm's learning rate: the smallest mean validation loss over the last epochs and the sweep's seeds."""
    input:
        metrics=made_from("select", "metrics"),
        ledger=ledger("select"),
    output:
        best="<results>/{study}/{arm}/best.json",
    log:
        "<results>/logs/select/{study}/{arm}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        job=arguments("select"),
    message:
        "Selecting a learning rate for {wildcards.study}/{wildcards.arm}"
    shell:
        "python workflow_scripts/select_rate.py {params.job:q} --out {output.best:q} > {log:q} 2>&1"
