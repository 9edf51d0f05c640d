"""Lists the presentation of every table, by file name."""

from mammoflow.report.tables import (
    ablations,
    cascades,
    ceilings,
    data_description,
    detection_performance,
    model_comparison,
    patch_classification,
    protocol,
    study_counts,
    transfer,
)

PRESENTATIONS = {
    "table-1": data_description.PRESENTATION,
    "table-2": patch_classification.PRESENTATION,
    "table-3": cascades.PRESENTATION,
    "table-4": detection_performance.PRESENTATION,
    "table-protocol": protocol.PRESENTATION,
    "table-comparison": model_comparison.PRESENTATION,
    "table-ceilings": ceilings.PRESENTATION,
    "table-ablations": ablations.PRESENTATION,
    "table-transfer": transfer.PRESENTATION,
    "reconciliation": study_counts.PRESENTATION,
}
