# Tickets: in rounds of prune - restart - train, or inside one run.


rule prune:
    """One round of a recipe: prune the round before, restart the survivors, train them."""
    input:
        data=made_from("prune", "data"),
        dense=made_from("prune", "dense"),
        previous=made_from("prune", "previous"),
        best=made_from("prune", "best"),
        ledger=ledger("prune"),
    output:
        mask="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/mask.safetensors",
        final="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/final.safetensors",
        metrics="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/metrics.csv",
        run="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/run.json",
    log:
        "<results>/logs/prune/{study}/{arm}/{recipe}/{seeds}/round{round}.log",
    benchmark:
        "<results>/benchmarks/prune/{study}/{arm}/{recipe}/{seeds}/round{round}.tsv"
    wildcard_constraints:
        recipe=one_of(*PLAN.values("recipe", "prune")),
    conda:
        training_environment()
    threads: CONFIG.execution.threads
    resources:
        mem_mb=growing(4000),
        runtime=growing(720),
        gpu=int(ON_GPU),
        store_gb=STORE_GB,
    params:
        job=arguments("prune"),
        claim_gpu=CLAIM_GPU,
        data=folder_of("prune", "data"),
        dense=folder_of("prune", "dense"),
        previous=folder_of("prune", "previous"),
        best=best_argument("prune"),
        out=output_folder,
        store=STORE,
    message:
        "Pruning and training {wildcards.study}/{wildcards.arm} {wildcards.recipe}, {wildcards.seeds}, round {wildcards.round}"
    shell:
        "{params.claim_gpu}python workflow_scripts/prune.py {params.job:q} {params.best:q} --data {params.data:q} --dense {params.dense:q}"
        " --previous {params.previous:q} --out {params.out:q} --store {params.store:q} --store-gb {resources.store_gb}"
        " > {log:q} 2>&1"


rule prune_in_run:
    """Train one network and prune it on the way: at moments, as the seed study does, or by a sparsifier."""
    input:
        data=made_from("prune_in_run", "data"),
        best=made_from("prune_in_run", "best"),
        ledger=ledger("prune_in_run"),
    output:
        mask="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/mask.safetensors",
        final="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/final.safetensors",
        metrics="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/metrics.csv",
        run="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/run.json",
    log:
        "<results>/logs/prune_in_run/{study}/{arm}/{recipe}/{seeds}/round{round}.log",
    benchmark:
        "<results>/benchmarks/prune_in_run/{study}/{arm}/{recipe}/{seeds}/round{round}.tsv"
    wildcard_constraints:
        recipe=one_of(*PLAN.values("recipe", "prune_in_run")),
    conda:
        training_environment()
    threads: CONFIG.execution.threads
    resources:
        mem_mb=growing(4000),
        runtime=growing(720),
        gpu=int(ON_GPU),
        store_gb=STORE_GB,
    params:
        job=arguments("prune_in_run"),
        claim_gpu=CLAIM_GPU,
        data=folder_of("prune_in_run", "data"),
        best=best_argument("prune_in_run"),
        out=output_folder,
        store=STORE,
    message:
        "Training and pruning {wildcards.study}/{wildcards.arm} {wildcards.recipe}, {wildcards.seeds}"
    shell:
        "{params.claim_gpu}python workflow_scripts/prune_in_run.py {params.job:q} {params.best:q} --data {params.data:q}"
        " --out {params.out:q} --store {params.store:q} --store-gb {resources.store_gb} > {log:q} 2>&1"


rule instability:
    """Train copies of a round in other data orders, and measure the error on the lines between them."""
    input:
        data=made_from("instability", "data"),
        dense=made_from("instability", "dense"),
        run=made_from("instability", "run"),
        best=made_from("instability", "best"),
        ledger=ledger("instability"),
    output:
        table="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/instability.csv",
    log:
        "<results>/logs/instability/{study}/{arm}/{recipe}/{seeds}/round{round}.log",
    benchmark:
        "<results>/benchmarks/instability/{study}/{arm}/{recipe}/{seeds}/round{round}.tsv"
    wildcard_constraints:
        recipe=one_of(*PLAN.values("recipe", "instability")),
        round=r"\d+",  # 0: the dense network
    conda:
        training_environment()
    threads: CONFIG.execution.threads
    resources:
        mem_mb=growing(4000),
        runtime=growing(1440),
        gpu=int(ON_GPU),
        store_gb=STORE_GB,
    params:
        job=arguments("instability"),
        claim_gpu=CLAIM_GPU,
        data=folder_of("instability", "data"),
        dense=folder_of("instability", "dense"),
        run=lambda wildcards, input: (
            ["--run", os.path.dirname(input.run[0])] if input.run else []
        ),
        best=best_argument("instability"),
        out=output_folder,
        store=STORE,
    message:
        "Training copies of {wildcards.study}/{wildcards.arm} {wildcards.recipe}, {wildcards.seeds}, round {wildcards.round}"
    shell:
        "{params.claim_gpu}python workflow_scripts/instability.py {params.job:q} {params.best:q} --data {params.data:q} --dense {params.dense:q}"
        " {params.run:q} --out {params.out:q} --store {params.store:q} --store-gb {resources.store_gb} > {log:q} 2>&1"
