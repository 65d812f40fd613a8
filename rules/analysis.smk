# Edge lists, measures with null models, and the joint tables of a study.


localrules:
    export_rounds,
    export_edges,
    table,


rule export_rounds:
    """Write the rounds of one seed with the columns round, remaining, ES, val, test."""
    input:
        dense=made_from("export_rounds", "dense"),
        rounds=made_from("export_rounds", "rounds"),
        ledger=ledger("export_rounds"),
    output:
        table="<results>/{study}/{arm}/{recipe}/{seeds}/seed{seed}.csv",
    log:
        "<results>/logs/export_rounds/{study}/{arm}/{recipe}/{seeds}/seed{seed}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        job=arguments("export_rounds"),
        dense=folder_of("export_rounds", "dense"),
        rounds=lambda wildcards, input: [os.path.dirname(path) for path in input.rounds],
    message:
        "Exporting the rounds of {wildcards.study}/{wildcards.arm} {wildcards.recipe}, seed {wildcards.seed}"
    shell:
        "python workflow_scripts/export_rounds.py {params.job:q} --seed {wildcards.seed} --dense {params.dense:q}"
        " --rounds {params.rounds:q} --out {output.table:q} > {log:q} 2>&1"


rule export_edges:
    """Write the kept edges of a ticket with their weights."""
    input:
        run=made_from("export_edges", "run"),
        ledger=ledger("export_edges"),
    output:
        edges="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/edges.csv.gz",
    log:
        "<results>/logs/export_edges/{study}/{arm}/{recipe}/{seeds}/round{round}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        job=arguments("export_edges"),
        run=folder_of("export_edges", "run"),
    message:
        "Exporting edges of {wildcards.study}/{wildcards.arm} {wildcards.recipe}, {wildcards.seeds}, round {wildcards.round}"
    shell:
        "python workflow_scripts/export_edges.py {params.job:q} --run {params.run:q} --out {output.edges:q}"
        " > {log:q} 2>&1"


rule measure_dense:
    """Measure the weights of a dense run: at initialisation, at the rewind point, and trained."""
    input:
        run=made_from("measure_dense", "run"),
        ledger=ledger("measure_dense"),
    output:
        weights="<results>/{study}/{arm}/dense/{train_on}/{rate}/{seeds}/weights.csv",
        histograms="<results>/{study}/{arm}/dense/{train_on}/{rate}/{seeds}/histograms.csv",
    log:
        "<results>/logs/measure_dense/{study}/{arm}/{train_on}/{rate}/{seeds}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        job=arguments("measure_dense"),
        run=folder_of("measure_dense", "run"),
        out=output_folder,
    message:
        "Measuring {wildcards.study}/{wildcards.arm} dense on {wildcards.train_on} at {wildcards.rate}, {wildcards.seeds}"
    shell:
        "python workflow_scripts/measure.py {params.job:q} --run {params.run:q} --dense {params.run:q}"
        " --out {params.out:q} > {log:q} 2>&1"


rule measure:
    """Measure a ticket's graphs, against null models, and its weights."""
    input:
        run=made_from("measure", "run"),
        dense=made_from("measure", "dense"),
        previous=made_from("measure", "previous"),
        ledger=ledger("measure"),
    output:
        graph="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/graph.csv",
        nodes="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/nodes.csv",
        weights="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/weights.csv",
        histograms="<results>/{study}/{arm}/{recipe}/{seeds}/round{round}/histograms.csv",
    log:
        "<results>/logs/measure/{study}/{arm}/{recipe}/{seeds}/round{round}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        job=arguments("measure"),
        run=folder_of("measure", "run"),
        dense=folder_of("measure", "dense"),
        previous=lambda wildcards, input: (
            ["--previous", os.path.dirname(input.previous[0])]
            if input.previous
            else []
        ),
        out=output_folder,
    message:
        "Measuring {wildcards.study}/{wildcards.arm} {wildcards.recipe}, {wildcards.seeds}, round {wildcards.round}"
    shell:
        "python workflow_scripts/measure.py {params.job:q} --run {params.run:q} --dense {params.dense:q}"
        " {params.previous:q} --out {params.out:q} > {log:q} 2>&1"


rule table:
    """Join the files of all runs of a study into one table."""
    input:
        runs=made_from("table", "runs"),
        best=made_from("table", "best"),
        ledger=ledger("table"),
    output:
        table=report(
            "<results>/{study}/tables/{table}.csv",
            caption="captions/plugin.rst",
            category="{study}",
            subcategory="tables",
            labels={"table": "{table}"},
        ),
    log:
        "<results>/logs/table/{study}/{table}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        job=arguments("table"),
        caption=lambda wildcards: captions.caption("tables", wildcards.table),
    message:
        "Joining the table {wildcards.table} of {wildcards.study}"
    shell:
        "python workflow_scripts/make_table.py {params.job:q} --table {wildcards.table} --out {output.table:q}"
        " > {log:q} 2>&1"
