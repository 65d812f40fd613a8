# The benchmark of optimisers: each is tuned in its scenarios, then trained with the setting that was chosen.


rule tune:
    """Tune an optimiser in a scenario: short trials of a fixed number of settings, the best again in full."""
    input:
        data=made_from("tune", "data"),
        ledger=ledger("tune"),
    output:
        trials="<results>/{study}/{arm}/{scenario}/tuning/trials.csv",
        best="<results>/{study}/{arm}/{scenario}/tuning/best.json",
    log:
        "<results>/logs/tune/{study}/{arm}/{scenario}.log",
    benchmark:
        "<results>/benchmarks/tune/{study}/{arm}/{scenario}.tsv"
    conda:
        training_environment()
    threads: CONFIG.execution.threads
    resources:
        mem_mb=growing(8000),
        runtime=growing(720),
        gpu=int(ON_GPU),
    params:
        job=arguments("tune"),
        claim_gpu=CLAIM_GPU,
        data=folder_of("tune", "data"),
        out=output_folder,
        store=STORE,
        tunings=TUNINGS,
    message:
        "Tuning {wildcards.study}/{wildcards.arm} in the scenario {wildcards.scenario}"
    shell:
        "{params.claim_gpu}python workflow_scripts/tune.py {params.job:q} --data {params.data:q} --tunings {params.tunings:q}"
        " --store {params.store:q} --out {params.out:q} > {log:q} 2>&1"


rule train_scenario:
    """Train an optimiser in a scenario with the setting that its tuning chose, a seed block at a time."""
    input:
        data=made_from("train_scenario", "data"),
        best=made_from("train_scenario", "best"),
        ledger=ledger("train_scenario"),
    output:
        metrics="<results>/{study}/{arm}/{scenario}/final/{seeds}/metrics.csv",
        steps="<results>/{study}/{arm}/{scenario}/final/{seeds}/steps.csv",
        mask="<results>/{study}/{arm}/{scenario}/final/{seeds}/mask.safetensors",
        final="<results>/{study}/{arm}/{scenario}/final/{seeds}/final.safetensors",
        run="<results>/{study}/{arm}/{scenario}/final/{seeds}/run.json",
    log:
        "<results>/logs/train_scenario/{study}/{arm}/{scenario}/{seeds}.log",
    benchmark:
        "<results>/benchmarks/train_scenario/{study}/{arm}/{scenario}/{seeds}.tsv"
    conda:
        training_environment()
    threads: CONFIG.execution.threads
    resources:
        mem_mb=growing(8000),
        runtime=growing(720),
        gpu=int(ON_GPU),
        store_gb=STORE_GB,
    params:
        job=arguments("train_scenario"),
        claim_gpu=CLAIM_GPU,
        data=folder_of("train_scenario", "data"),
        best=best_argument("train_scenario"),
        out=output_folder,
        store=STORE,
    message:
        "Training {wildcards.study}/{wildcards.arm} in the scenario {wildcards.scenario}, {wildcards.seeds}"
    shell:
        "{params.claim_gpu}python workflow_scripts/train_scenario.py {params.job:q} {params.best:q} --data {params.data:q}"
        " --out {params.out:q} --store {params.store:q} --store-gb {resources.store_gb} > {log:q} 2>&1"
