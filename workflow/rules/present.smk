"""What a reader sees: the paper's four tables and five figures, our own beside them, and one page with all of them.

Needs: the classifications, histories, FROC tables and maps of the configured experiments.
Makes: results/tables/{table-{1,...,4,protocol,comparison,ablations},reconciliation}.{csv,md}, results/report.html,
       results/figures/{figure-{1,...,5}.{png,svg},breast-regions-{dataset}.png,augmented-patches-{dataset}.{png,svg}}.
"""

CLASSIFICATION = STUDY.classification_runs
DETECTION = STUDY.detection_runs
SHOWN = STUDY.shown_chain
COMPARED_BY_DEFINITION = [SHOWN, *STUDY.external_chains]
CASES = STUDY.cases
CAPTIONS = {
    figure: Path(workflow.basedir, "workflow", "report", f"{figure}.rst").read_text().strip()
    for figure in [*(f"figure-{number}" for number in range(1, 6)), "breast-regions", "augmented-patches"]
}
TABLES = [*range(1, 5), "protocol", "comparison", *(["ablations"] if STUDY.ablations else [])]


rule table_1:
    input:
        splits=expand("results/splits/{dataset}.csv", dataset=STUDY.used_datasets),
        lesions=expand("results/index/{dataset}/lesions.csv", dataset=STUDY.used_datasets),
        banks=STUDY.banks,
    output:
        csv=report("results/tables/table-1.csv", category="Tables", caption="../report/table-1.rst"),
        markdown="results/tables/table-1.md",
    log:
        "logs/table_1.log",
    benchmark:
        "results/benchmarks/table_1.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("table_1.py"),
        datasets=STUDY.used_datasets,
        banks=STUDY.bank_keys,
        labels=STUDY.labels,
    script:
        "../scripts/table_1.py"


rule table_2:
    input:
        classifications=[run.classification for run in CLASSIFICATION],
        metadata=[run.metadata for run in CLASSIFICATION],
        histories=[run.history for run in CLASSIFICATION],
        images=f"results/index/{STUDY.classification_dataset}/images.csv",
    output:
        csv=report("results/tables/table-2.csv", category="Tables", caption="../report/table-2.rst"),
        markdown="results/tables/table-2.md",
    log:
        "logs/table_2.log",
    benchmark:
        "results/benchmarks/table_2.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("table_2.py"),
        runs=[run.key for run in CLASSIFICATION],
        draws=config["detection"]["evaluation"]["bootstrap"],
        seed=config["seed"],
        labels=STUDY.labels,
    script:
        "../scripts/table_2.py"


rule table_3:
    input:
        classifications=[run.classification for run in DETECTION],
        metadata=[run.metadata for run in DETECTION],
        images=f"results/index/{STUDY.detection_dataset}/images.csv",
    output:
        csv=report("results/tables/table-3.csv", category="Tables", caption="../report/table-3.rst"),
        markdown="results/tables/table-3.md",
    log:
        "logs/table_3.log",
    benchmark:
        "results/benchmarks/table_3.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("table_3.py"),
        runs=[run.key for run in DETECTION],
        draws=config["detection"]["evaluation"]["bootstrap"],
        seed=config["seed"],
        labels=STUDY.labels,
    script:
        "../scripts/table_3.py"


rule table_4:
    input:
        operating_points=[f"results/froc/{chain}/operating-points.csv" for chain in STUDY.evaluated_chains],
    output:
        csv=report("results/tables/table-4.csv", category="Tables", caption="../report/table-4.rst"),
        markdown="results/tables/table-4.md",
    log:
        "logs/table_4.log",
    benchmark:
        "results/benchmarks/table_4.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("table_4.py"),
        chains=STUDY.evaluated_chains,
        evaluation=config["detection"]["evaluation"],
        labels=STUDY.labels,
    script:
        "../scripts/table_4.py"


rule table_protocol:
    input:
        operating_points=[f"results/froc/{chain}/operating-points.csv" for chain in COMPARED_BY_DEFINITION],
    output:
        csv=report(
            "results/tables/table-protocol.csv", category="Tables", caption="../report/table-protocol.rst"
        ),
        markdown="results/tables/table-protocol.md",
    log:
        "logs/table_protocol.log",
    benchmark:
        "results/benchmarks/table_protocol.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("table_protocol.py"),
        chains=COMPARED_BY_DEFINITION,
        evaluation=config["detection"]["evaluation"],
        labels=STUDY.labels,
    script:
        "../scripts/table_protocol.py"


rule table_comparison:
    input:
        operating_points=[f"results/froc/{chain}/operating-points.csv" for chain in STUDY.evaluated_chains],
        merits=[f"results/froc/{chain}/merits.csv" for chain in STUDY.evaluated_chains],
        draws=[f"results/froc/{chain}/draws.parquet" for chain in STUDY.evaluated_chains],
    output:
        csv=report(
            "results/tables/table-comparison.csv",
            category="Tables",
            caption="../report/table-comparison.rst",
        ),
        markdown="results/tables/table-comparison.md",
    log:
        "logs/table_comparison.log",
    benchmark:
        "results/benchmarks/table_comparison.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("table_comparison.py"),
        chains=STUDY.evaluated_chains,
        evaluation=config["detection"]["evaluation"],
        labels=STUDY.labels,
    script:
        "../scripts/table_comparison.py"


rule table_ablations:
    input:
        operating_points=[f"results/froc/{case.chain}/operating-points.csv" for case in CASES],
        classifications=[run.classification for case in CASES for run in case.runs],
        metadata=[run.metadata for case in CASES for run in case.runs],
        maps=[path for case in CASES for path in case.maps],
        images=f"results/index/{STUDY.detection_dataset}/images.csv",
    output:
        csv=report(
            "results/tables/table-ablations.csv", category="Tables", caption="../report/table-ablations.rst"
        ),
        markdown="results/tables/table-ablations.md",
    log:
        "logs/table_ablations.log",
    benchmark:
        "results/benchmarks/table_ablations.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("table_ablations.py"),
        changes=[case.changes for case in CASES],
        runs=[[run.key for run in case.runs] for case in CASES],
        maps=[len(case.maps) for case in CASES],
        settings=STUDY.ablated_settings,
        evaluation=config["detection"]["evaluation"],
        chain=SHOWN,
        seed=config["seed"],
        labels=STUDY.labels,
    script:
        "../scripts/table_ablations.py"


rule figure_1:
    input:
        splits=f"results/splits/{STUDY.detection_dataset}.csv",
        images=f"results/index/{STUDY.detection_dataset}/images.csv",
        lesions=STUDY.evaluated_lesions,
        stores=stores_of(STUDY.detection_dataset),
        mpms=STUDY.shown("results/mpm", "h5"),
        detections=STUDY.shown("results/detections", "parquet"),
        points=f"results/froc/{SHOWN}/points.csv",
    output:
        png=report("results/figures/figure-1.png", category="Figures", caption="../report/figure-1.rst"),
        svg="results/figures/figure-1.svg",
    log:
        "logs/figure_1.log",
    benchmark:
        "results/benchmarks/figure_1.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("figure_1.py"),
        windows=config["patches"] | {"stride": config["detection"]["stride"]},
        evaluation=config["detection"]["evaluation"],
        chain=SHOWN,
        labels=STUDY.labels,
    script:
        "../scripts/figure_1.py"


rule figure_2:
    input:
        histories=[run.history for run in CLASSIFICATION],
    output:
        png=report("results/figures/figure-2.png", category="Figures", caption="../report/figure-2.rst"),
        svg="results/figures/figure-2.svg",
    log:
        "logs/figure_2.log",
    benchmark:
        "results/benchmarks/figure_2.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("figure_2.py"),
        runs=[run.key for run in CLASSIFICATION],
        labels=STUDY.labels,
    script:
        "../scripts/figure_2.py"


rule figure_3:
    input:
        points=[f"results/froc/{chain}/points.csv" for chain in STUDY.evaluated_chains],
        curves=[f"results/froc/{chain}/curve.csv" for chain in STUDY.evaluated_chains],
    output:
        png=report("results/figures/figure-3.png", category="Figures", caption="../report/figure-3.rst"),
        svg="results/figures/figure-3.svg",
    log:
        "logs/figure_3.log",
    benchmark:
        "results/benchmarks/figure_3.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("figure_3.py"),
        chains=STUDY.evaluated_chains,
        evaluation=config["detection"]["evaluation"],
        labels=STUDY.labels,
    script:
        "../scripts/figure_3.py"


rule figure_4:
    input:
        splits=f"results/splits/{STUDY.detection_dataset}.csv",
        images=f"results/index/{STUDY.detection_dataset}/images.csv",
        lesions=STUDY.evaluated_lesions,
        stores=stores_of(STUDY.detection_dataset),
        detections=STUDY.shown("results/detections", "parquet"),
        points=f"results/froc/{SHOWN}/points.csv",
    output:
        png=report("results/figures/figure-4.png", category="Figures", caption="../report/figure-4.rst"),
        svg="results/figures/figure-4.svg",
    log:
        "logs/figure_4.log",
    benchmark:
        "results/benchmarks/figure_4.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("figure_4.py"),
        evaluation=config["detection"]["evaluation"],
        chain=SHOWN,
        labels=STUDY.labels,
    script:
        "../scripts/figure_4.py"


rule figure_5:
    input:
        curve=f"results/froc/{SHOWN}/curve.csv",
        points=f"results/froc/{SHOWN}/points.csv",
    output:
        png=report("results/figures/figure-5.png", category="Figures", caption="../report/figure-5.rst"),
        svg="results/figures/figure-5.svg",
    log:
        "logs/figure_5.log",
    benchmark:
        "results/benchmarks/figure_5.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("figure_5.py"),
        evaluation=config["detection"]["evaluation"],
        chain=SHOWN,
        labels=STUDY.labels,
    script:
        "../scripts/figure_5.py"


rule reconciliation:
    input:
        releases=expand("results/index/{dataset}/reconciliation.csv", dataset=STUDY.used_datasets),
        lesions=expand("results/index/{dataset}/lesions.csv", dataset=STUDY.used_datasets),
        stored=expand("results/index/{dataset}/stored.csv", dataset=STUDY.used_datasets),
        description="results/tables/table-1.csv",
    output:
        csv=report(
            "results/tables/reconciliation.csv", category="Tables", caption="../report/reconciliation.rst"
        ),
        markdown="results/tables/reconciliation.md",
    log:
        "logs/reconciliation.log",
    benchmark:
        "results/benchmarks/reconciliation.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("reconciliation.py"),
        labels=[STUDY.labels["datasets"][dataset] for dataset in STUDY.used_datasets],
        archives=STUDY.archives,
    script:
        "../scripts/reconciliation.py"


rule breast_regions:
    input:
        stores=stores,
        stored=stored_tables,
        lesions="results/index/{dataset}/lesions.csv",
    output:
        png=report(
            "results/figures/breast-regions-{dataset}.png",
            category="Figures",
            caption="../report/breast-regions.rst",
        ),
    log:
        "logs/breast_regions/{dataset}.log",
    benchmark:
        "results/benchmarks/breast_regions/{dataset}.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("breast_regions.py"),
        label=dataset_setting("label"),
    script:
        "../scripts/breast_regions.py"


rule augmented_patches:
    input:
        bank=first_bank,
    output:
        png=report(
            "results/figures/augmented-patches-{dataset}.png",
            category="Figures",
            caption="../report/augmented-patches.rst",
        ),
        svg="results/figures/augmented-patches-{dataset}.svg",
    log:
        "logs/augmented_patches/{dataset}.log",
    benchmark:
        "results/benchmarks/augmented_patches/{dataset}.tsv"
    conda:
        "../../envs/tensorflow.yaml"
    params:
        *code("augmented_patches.py"),
        augmentation=config["training"]["augmentation"],
        seed=config["seed"],
        label=dataset_setting("label"),
    script:
        "../scripts/augmented_patches.py"


rule page:
    input:
        tables=expand("results/tables/table-{table}.csv", table=TABLES),
        figures=expand("results/figures/figure-{figure}.png", figure=range(1, 6)),
        breast_regions=expand("results/figures/breast-regions-{dataset}.png", dataset=STUDY.used_datasets),
        augmented=expand("results/figures/augmented-patches-{dataset}.png", dataset=STUDY.used_datasets),
        reconciliation="results/tables/reconciliation.csv",
    output:
        page="results/report.html",
    log:
        "logs/page.log",
    benchmark:
        "results/benchmarks/page.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        *code("page.py"),
        captions=CAPTIONS,
        datasets=STUDY.used_datasets,
        config={key: value for key, value in config.items() if key != "workspace"},
        labels=STUDY.labels,
    script:
        "../scripts/page.py"
