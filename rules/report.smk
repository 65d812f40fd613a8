# The report page, from all joint tables and the figures in PNG.


localrules:
    report,


rule report:
    """Write the report: one page about every study, complete in itself."""
    input:
        tables=made_from("report", "tables"),
        figures=made_from("report", "figures"),
        ledger=ledger("report"),
    output:
        page="<results>/report/index.html",
    log:
        "<results>/logs/report.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        job=arguments("report"),
        results=results_folder,
        overlays=[
            os.path.relpath(path) for path in workflow.config_settings.configfiles
        ],
    message:
        "Writing the report"
    shell:
        "python workflow_scripts/report.py {params.job:q} --results {params.results:q} --configfile {params.overlays:q}"
        " --out {output.page:q} > {log:q} 2>&1"
