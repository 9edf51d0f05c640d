"""Makes the tables, the figures, and one page with all of them.

Each table or figure has an entry below, a script of the same name (table-1: table_1.py), which describes its content,
and a caption in workflow/report. The page and `rule all` include every entry.

Needs: the classifications, histories, FROC tables and maps of the configured experiments.
Makes: results/tables/{table-{1,...,4,ceilings,protocol,comparison,ablations,transfer},reconciliation}.{csv,md}, results/report.html,
       results/figures/{figure-{1,...,5,scores,transfer}.{png,svg},breast-regions-{dataset}.png,augmented-patches-{dataset}.{png,svg}},
       results/figures/figure-errors.{png,svg,csv}.
"""

from dataclasses import asdict

SHOWN = STUDY.shown_chain
BY_DEFINITION = [SHOWN, *STUDY.external_chains]
CASES = STUDY.cases
EVALUATION = config["detection"]["evaluation"]
IMAGES = paths.index(STUDY.detection_dataset, "images")
LESIONS = paths.index(STUDY.detection_dataset, STUDY.evaluated_as)
DRAWN = config["detection"]["drawn"]
BOOTSTRAP = {"draws": EVALUATION["bootstrap"], "seed": config["seed"]}


TABLES = {
    "table-1": {
        "input": {
            "splits": expand("results/splits/{dataset}.csv", dataset=STUDY.used_datasets),
            "lesions": [paths.index(dataset, "lesions") for dataset in STUDY.used_datasets],
            "banks": [NEEDS.bank_of(dataset) for dataset in STUDY.used_datasets],
        },
        "params": {"datasets": STUDY.used_datasets},
    },
    "table-2": {
        "input": {
            **NEEDS.of_runs(STUDY.classification_runs),
            "histories": [paths.model(run, "history.csv") for run in STUDY.classification_runs],
            "images": paths.index(STUDY.classification_dataset, "images"),
        },
        "params": {"runs": list(map(asdict, STUDY.classification_runs)), **BOOTSTRAP},
    },
    "table-3": {
        "input": {**NEEDS.of_runs(STUDY.detection_runs), "images": IMAGES},
        "params": {"runs": list(map(asdict, STUDY.detection_runs)), **BOOTSTRAP},
    },
    "table-4": {
        "input": NEEDS.of_chains(STUDY.evaluated_chains, operating_points="operating-points.csv"),
        "params": {"chains": STUDY.evaluated_chains, "evaluation": EVALUATION},
    },
    "table-protocol": {
        "input": NEEDS.of_chains(BY_DEFINITION, operating_points="operating-points.csv"),
        "params": {"chains": BY_DEFINITION, "evaluation": EVALUATION},
    },
    "table-comparison": {
        "input": NEEDS.of_chains(
            STUDY.evaluated_chains,
            operating_points="operating-points.csv",
            merits="merits.csv",
            draws="draws.parquet",
        ),
        "params": {"chains": STUDY.evaluated_chains, "evaluation": EVALUATION},
    },
    "table-ceilings": {
        "input": NEEDS.of_chains(STUDY.evaluated_chains, operating_points="operating-points.csv"),
        "params": {"chains": STUDY.evaluated_chains, "evaluation": EVALUATION},
    },
    "table-ablations": {
        "input": {
            **NEEDS.of_runs([run for case in CASES for run in case.runs]),
            **NEEDS.of_chains(
                [case.chain for case in CASES],
                operating_points="operating-points.csv",
                draws="draws.parquet",
            ),
            "maps": [path for case in CASES for path in NEEDS.of_shards(paths.mpm, case.mapped)],
            "images": IMAGES,
        },
        "params": {
            "changes": [case.changes for case in CASES],
            "runs": [list(map(asdict, case.runs)) for case in CASES],
            "maps": [len(NEEDS.of_shards(paths.mpm, case.mapped)) for case in CASES],
            "settings": STUDY.ablated_settings,
            "evaluation": EVALUATION,
            "chain": SHOWN,
            "seed": config["seed"],
        },
    },
    "reconciliation": {
        "input": {
            "releases": [paths.index(dataset, "reconciliation") for dataset in STUDY.used_datasets],
            "lesions": [paths.index(dataset, "lesions") for dataset in STUDY.used_datasets],
            "stored": [paths.index(dataset, "stored") for dataset in STUDY.used_datasets],
            "description": "results/tables/table-1.csv",
        },
        "params": {"datasets": STUDY.used_datasets, "archives": STUDY.archives},
    },
}
if not STUDY.ablations:
    del TABLES["table-ablations"]
if STUDY.transfers:
    TABLES["table-transfer"] = {
        "input": {
            **NEEDS.of_transfers(),
            "images": [paths.index(dataset, "images") for dataset in STUDY.transfer["datasets"]],
        },
        "params": {
            "transfers": NEEDS.transfers(),
            "sources": NEEDS.transfer_sources(),
            "datasets": STUDY.transfer["datasets"],
            "evaluation": EVALUATION,
            **BOOTSTRAP,
        },
    }

FIGURES = {
    "figure-1": {
        "input": {
            "splits": f"results/splits/{STUDY.detection_dataset}.csv",
            "images": IMAGES,
            "lesions": LESIONS,
            "stores": NEEDS.stores_of(STUDY.detection_dataset),
            "mpms": NEEDS.of_shards(paths.mpm, SHOWN),
            "boxes": (
                NEEDS.shown_candidates() if DRAWN == "candidate" else NEEDS.of_shards(paths.detections, SHOWN)
            ),
            "points": paths.froc(SHOWN, "points.csv"),
        },
        "params": {
            "windows": config["patches"] | {"stride": config["detection"]["stride"]},
            "evaluation": EVALUATION,
            "drawn": DRAWN,
            "chain": SHOWN,
        },
    },
    "figure-2": {
        "input": {"histories": [paths.model(run, "history.csv") for run in STUDY.classification_runs]},
        "params": {"runs": list(map(asdict, STUDY.classification_runs))},
    },
    "figure-scores": {
        "input": {
            "classifications": [
                paths.classification(run) for run in STUDY.classification_runs + STUDY.detection_runs
            ],
        },
        "params": {
            "runs": list(map(asdict, STUDY.classification_runs + STUDY.detection_runs)),
            "first": len(STUDY.classification_runs),
        },
    },
    "figure-3": {
        "input": NEEDS.of_chains(
            STUDY.evaluated_chains, points="points.csv", curves="curve.csv", pooled="pooled.csv"
        ),
        "params": {"chains": STUDY.evaluated_chains, "evaluation": EVALUATION},
    },
    "figure-4": {
        "input": {
            "splits": f"results/splits/{STUDY.detection_dataset}.csv",
            "images": IMAGES,
            "lesions": LESIONS,
            "stores": NEEDS.stores_of(STUDY.detection_dataset),
            "detections": NEEDS.of_shards(paths.detections, SHOWN),
            "candidates": NEEDS.shown_candidates(),
            "points": paths.froc(SHOWN, "points.csv"),
        },
        "params": {"evaluation": EVALUATION, "drawn": DRAWN, "chain": SHOWN},
    },
    "figure-5": {
        "input": {"curve": paths.froc(SHOWN, "curve.csv"), "points": paths.froc(SHOWN, "points.csv")},
        "params": {"evaluation": EVALUATION, "chain": SHOWN},
    },
}
if STUDY.transfers:
    FIGURES["figure-transfer"] = {"input": {"table": "results/tables/table-transfer.csv"}, "params": {}}


for table, entry in TABLES.items():
    name = table.replace("-", "_")

    rule:
        name:
            name
        input:
            **entry["input"],
        output:
            csv=report(f"results/tables/{table}.csv", category="Tables", caption=f"../report/{table}.rst"),
            markdown=f"results/tables/{table}.md",
        log:
            f"logs/{name}.log",
        benchmark:
            f"results/benchmarks/{name}.tsv"
        conda:
            "../envs/imaging.yaml"
        params:
            *NEEDS.code(f"{name}.py"),
            **entry["params"],
            script=f"{name}.py",
            labels=STUDY.labels,
        script:
            "../scripts/{params.script}"


for figure, entry in FIGURES.items():
    name = figure.replace("-", "_")

    rule:
        name:
            name
        input:
            **entry["input"],
        output:
            png=report(f"results/figures/{figure}.png", category="Figures", caption=f"../report/{figure}.rst"),
            svg=f"results/figures/{figure}.svg",
        log:
            f"logs/{name}.log",
        benchmark:
            f"results/benchmarks/{name}.tsv"
        conda:
            "../envs/imaging.yaml"
        params:
            *NEEDS.code(f"{name}.py"),
            **entry["params"],
            script=f"{name}.py",
            labels=STUDY.labels,
        script:
            "../scripts/{params.script}"


# Where machines share no folder, Snakemake sends them the scripts that rules name, and does not fill in params there.
for each in workflow.rules:
    if each.script == "../scripts/{params.script}":
        each.script = f"../scripts/{each.params.script}"


rule figure_errors:
    input:
        splits=f"results/splits/{STUDY.detection_dataset}.csv",
        images=IMAGES,
        lesions=LESIONS,
        mpms=NEEDS.of_shards(paths.mpm, SHOWN),
        candidates=NEEDS.shown_candidates(),
        points=paths.froc(SHOWN, "points.csv"),
        classification=f"results/classification/{SHOWN}.csv",
    output:
        png=report(
            "results/figures/figure-errors.png", category="Figures", caption="../report/figure-errors.rst"
        ),
        svg="results/figures/figure-errors.svg",
        csv="results/figures/figure-errors.csv",
    log:
        "logs/figure_errors.log",
    benchmark:
        "results/benchmarks/figure_errors.tsv"
    conda:
        "../envs/imaging.yaml"
    params:
        *NEEDS.code("figure_errors.py"),
        evaluation=EVALUATION,
        chain=SHOWN,
        labels=STUDY.labels,
    script:
        "../scripts/figure_errors.py"


rule interactive_figures:
    input:
        **NEEDS.of_chains(STUDY.evaluated_chains, points="points.csv", curves="curve.csv"),
        histories=[
            paths.model(run, "history.csv")
            for run in dict.fromkeys(STUDY.classification_runs + STUDY.detection_runs)
        ],
    output:
        page=report(
            "results/figures/interactive.html", category="Figures", caption="../report/interactive.rst"
        ),
    log:
        "logs/interactive_figures.log",
    benchmark:
        "results/benchmarks/interactive_figures.tsv"
    conda:
        "../envs/imaging.yaml"
    params:
        *NEEDS.code("interactive_figures.py"),
        chains=STUDY.evaluated_chains,
        runs=list(map(asdict, dict.fromkeys(STUDY.classification_runs + STUDY.detection_runs))),
        evaluation=EVALUATION,
        labels=STUDY.labels,
    script:
        "../scripts/interactive_figures.py"


rule breast_regions:
    input:
        stores=NEEDS.stores,
        stored=NEEDS.stored,
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
        "../envs/imaging.yaml"
    params:
        *NEEDS.code("breast_regions.py"),
        label=NEEDS.setting("label"),
    script:
        "../scripts/breast_regions.py"


rule augmented_patches:
    input:
        bank=NEEDS.shown_bank,
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
        "../envs/tensorflow.yaml"
    params:
        *NEEDS.code("augmented_patches.py"),
        folds=NEEDS.folds,
        augmentation=config["training"]["augmentation"],
        seed=config["seed"],
        label=NEEDS.setting("label"),
    script:
        "../scripts/augmented_patches.py"


rule page:
    input:
        tables=[f"results/tables/{table}.csv" for table in TABLES if table != "reconciliation"],
        figures=[f"results/figures/{figure}.png" for figure in [*FIGURES, "figure-errors"]],
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
        "../envs/imaging.yaml"
    params:
        *NEEDS.code("page.py"),
        captions={
            name: source(f"../report/{name}.rst").read_text().strip()
            for name in [*FIGURES, "figure-errors", "breast-regions", "augmented-patches"]
        },
        datasets=STUDY.used_datasets,
        config={key: value for key, value in config.items() if key not in ("workspace", "container")},
        labels=STUDY.labels,
    script:
        "../scripts/page.py"
