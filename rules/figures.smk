# Figures, drawn from the joint tables alone.


localrules:
    figure,


rule figure:
    """Draw one figure of a study in one format."""
    input:
        tables=made_from("figure", "tables"),
        ledger=ledger("figure"),
    output:
        figure=report(
            "<results>/{study}/figures/{figure}.{format}",
            caption="captions/plugin.rst",
            category="{study}",
            subcategory="figures",
            labels={"figure": "{figure}", "format": "{format}"},
        ),
    log:
        "<results>/logs/figure/{study}/{figure}.{format}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        job=arguments("figure"),
        tables=folder_of("figure", "tables"),
        caption=lambda wildcards: captions.caption("figures", wildcards.figure),
    message:
        "Drawing {wildcards.figure}.{wildcards.format} of {wildcards.study}"
    shell:
        "python workflow_scripts/draw.py {params.job:q} --figure {wildcards.figure} --tables {params.tables:q}"
        " --out {output.figure:q} > {log:q} 2>&1"
