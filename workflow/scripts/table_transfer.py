"""Write the table of experiment 4: models on the images of other data sets."""

from mammoflow.base import logs

logs.redirect(snakemake.log[0])

import json
from pathlib import Path

from mammoflow.base.contracts.froc import OPERATING_POINTS, POOLED
from mammoflow.base.contracts.index import IMAGES
from mammoflow.bundles import model_file
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.report.tables import presentation, trainings, transfer

given, params, output = snakemake.input, snakemake.params, snakemake.output
thresholds = {
    source: model_file.open_model(path).manifest["operating_points"]
    for source, path in zip(params.sources, given.bundles, strict=True)
}
patients = {
    dataset: trainings.Patients(
        IMAGES.read(path).set_index("image_id")["patient_id"], params.draws, params.seed
    )
    for dataset, path in zip(params.datasets, given.images, strict=True)
}
records = {path: json.loads(Path(path).read_text()) for path in given.metadata}
results = [
    transfer.Result(
        trained_on=each["trained_on"],
        tested_on=each["tested_on"],
        fine_tuned=each["fine_tuned"],
        chain=each["chain"],
        operating_points=OPERATING_POINTS.read(points),
        pooled=POOLED.read(pooled),
        runs=each["runs"],
        classifications=trainings.read([classification] * len(each["runs"]), each["runs"]),
        metadata=[records[path] for path in each["metadata"]],
        patients=patients[each["tested_on"]],
        thresholds=thresholds.get(each["source"]),
    )
    for each, points, pooled, classification in zip(
        params.transfers, given.operating_points, given.pooled, given.classifications, strict=True
    )
]
table = transfer.table(results, Evaluation(**params.evaluation), params.labels)
presentation.write(table, transfer.PRESENTATION, output.csv, output.markdown)
logs.announce(f"{output.csv}: {len(results)} models and data sets")
