"""Where the files of a study lie, relative to its workspace."""

from mammoflow.study.design import Run


def store(dataset: str, shard: int) -> str:
    """Images store of one shard."""
    return f"results/images/{dataset}/shard-{shard}.h5"


def stored(dataset: str, shard: int) -> str:
    """Table of what one shard stored."""
    return f"results/images/{dataset}/shard-{shard}.csv"


def index(dataset: str, table: str) -> str:
    """A table of the index, such as ``images``."""
    return f"results/index/{dataset}/{table}.csv"


def splits(dataset: str) -> str:
    """Folds of a data set."""
    return f"results/splits/{dataset}.csv"


def bank(dataset: str, normalization: str, label: str) -> str:
    """Patch bank of a data set: grey values as stored, or normalised for the normalisation ``local``."""
    contrast = "local" if normalization == "local" else "stored"
    return f"results/patches/{dataset}/{contrast}{'' if label == 'centre' else f'-{label}'}.h5"


def base_weights(weights: str, backbone: str, suffix: str) -> str:
    """Base weights of a network (``.h5``), or their record (``.json``)."""
    return f"results/weights/{weights}/{backbone}{suffix}"


def model(run: Run, file: str) -> str:
    """A file of a trained run: ``model.weights.h5``, ``model.json`` or ``history.csv``."""
    return f"results/models/{_run(run)}/{file}"


def retrained(run: Run, file: str) -> str:
    """The same file of the second training of a run, with hard negatives."""
    return f"results/retrained/{_run(run)}/{file}"


def classification(run: Run) -> str:
    """Mass probabilities of the test patches by all runs of the model of a run."""
    return f"results/classification/{run.dataset}/{run.backbone}/{run.init}.csv"


def mpm(chain: str, fold: int, shard: int) -> str:
    """Probability maps of a model, ``dataset/backbone/init``, on a shard of a fold."""
    return f"results/mpm/{chain}/fold-{fold}/shard-{shard}.h5"


def described(chain: str, fold: int, shard: int) -> str:
    """Candidates of a model on a shard of a fold with their features, before they are scored."""
    return f"results/candidates/{chain}/fold-{fold}/shard-{shard}.parquet"


def candidates(chain: str, fold: int) -> str:
    """Scored candidates of a model on a fold."""
    return f"results/candidates/{chain}/fold-{fold}.csv"


def score(chain: str, fold: int) -> str:
    """How the candidates of a model are scored on a fold."""
    return f"results/candidates/{chain}/fold-{fold}.json"


def detections(chain: str, fold: int, shard: int) -> str:
    """Boxes of a model on a shard of a fold, at every threshold."""
    return f"results/detections/{chain}/fold-{fold}/shard-{shard}.parquet"


def bundle(chain: str) -> str:
    """Model file of a model."""
    return f"results/bundles/{chain}.mammoflow"


def froc(chain: str, file: str) -> str:
    """A FROC table of a model, or of ``dataset/external/name``."""
    return f"results/froc/{chain}/{file}"


def review_shard(dataset: str, shard: int) -> str:
    """What the review pages of a data set state about the test images of a shard."""
    return f"results/review/{dataset}/shard-{shard}/cases.js"


def _run(run: Run) -> str:
    return f"{run.dataset}/{run.backbone}/{run.init}/fold-{run.fold}/run-{run.run}"
