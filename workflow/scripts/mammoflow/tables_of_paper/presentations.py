"""How every table is shown, by the names of their files."""

from mammoflow.tables_of_paper import (
    ablations,
    cascades,
    comparison,
    data_description,
    detection,
    patch_classification,
    protocol,
    reconciliation,
)

PRESENTATIONS = {
    "table-1": data_description.PRESENTATION,
    "table-2": patch_classification.PRESENTATION,
    "table-3": cascades.PRESENTATION,
    "table-4": detection.PRESENTATION,
    "table-protocol": protocol.PRESENTATION,
    "table-comparison": comparison.PRESENTATION,
    "table-ablations": ablations.PRESENTATION,
    "reconciliation": reconciliation.PRESENTATION,
}
