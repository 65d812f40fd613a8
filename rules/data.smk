# Data sets: fetched, checked and packed once.


localrules:
    download,


rule download:
    """Fetch a data set, check its contents and pack it. Depends on no library file: an edit downloads nothing."""
    output:
        train_images="results/data/{dataset}/train_images.npy",
        train_labels="results/data/{dataset}/train_labels.npy",
        test_images="results/data/{dataset}/test_images.npy",
        test_labels="results/data/{dataset}/test_labels.npy",
        dataset="results/data/{dataset}/dataset.json",
    log:
        "results/data/{dataset}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        out=output_folder,
        folder=lambda wildcards: (
            ["--folder", CONFIG.data[wildcards.dataset].folder]
            if wildcards.dataset in CONFIG.data
            and CONFIG.data[wildcards.dataset].folder
            else []
        ),
    message:
        "Fetching {wildcards.dataset}"
    shell:
        "python workflow_scripts/download.py --dataset {wildcards.dataset} --out {params.out:q} {params.folder:q}"
        " > {log:q} 2>&1"
