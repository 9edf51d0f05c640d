"""Makes table 3: chains of initialisations."""

from collections.abc import Mapping, Sequence

import pandas as pd

from mammoflow.evaluation import statistics
from mammoflow.report import literature, naming
from mammoflow.report.naming import Labels
from mammoflow.report.tables.presentation import (
    Presentation,
    number,
    p,
    text,
    with_interval,
    with_published,
)
from mammoflow.report.tables.trainings import (
    ACCURACY,
    AZ,
    MODEL,
    Patients,
    Run,
    az_interval,
    best_runs,
    scores_of,
    summary_of,
    tested,
)

PRESENTATION = Presentation(
    "Table 3. Classification of patches on the detection data set: cascades of initialisations.",
    {
        "Source": text("source"),
        "Network": text("network"),
        "Training cascade": text("cascade"),
        "Folds": number("folds", "d"),
        "Accuracy (%)": ACCURACY,
        "Az (95 %)": with_interval(AZ, "az_low", "az_high"),
        "p": p("cascade"),
    },
    "Mean ± sample standard deviation (n − 1) over folds on their test parts. Az, in brackets: percentile "
    "bootstrap of the mean Az; patients are drawn within folds, all patches of a patient together. p: "
    "two-sided paired t-test of the accuracies, fold by fold.",
)


def table(
    runs: Sequence[Run],
    classifications: Sequence[pd.DataFrame],
    metadata: Sequence[Mapping],
    labels: Labels,
    patients: Patients,
) -> pd.DataFrame:
    """Table 3: chains of initialisations, mean and sample deviation over folds.

    Where a fold was trained several times, the run with the lowest validation loss stands for it, as
    in detection. Each cascade is tested against the first one of the same network, fold by fold.

    Parameters
    ----------
    runs, classifications, metadata, labels, patients
        As in `patch_classification.table`.

    References
    ----------
    Section 3, experiment 2, table 3.
    """
    chosen = best_runs(scores_of(runs, classifications, metadata, patients))
    models = {key: of_model.set_index("fold") for key, of_model in chosen.groupby(MODEL, sort=False)}
    rows = []
    for key, of_model in models.items():
        dataset, backbone, init = key
        first = next(other for other in models if other[:2] == key[:2])
        shared = of_model.index.intersection(models[first].index)
        pair = (table.loc[shared, "accuracy"] for table in (of_model, models[first]))
        test = statistics.paired(*pair) if first != key else None
        rows.append(
            {
                "source": "ours",
                "network": labels["backbones"][backbone],
                "cascade": naming.cascade(dataset, init, labels),
                "folds": len(of_model),
                **summary_of(of_model),
                **az_interval(of_model),
                **tested("cascade", test, naming.cascade(dataset, first[2], labels)),
            }
        )
    return with_published(rows, literature.cascades())
