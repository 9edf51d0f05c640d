"""The paper's tables 1 to 4, ours first and the published rows apart; and tables of our own: one model under
many definitions, models against each other, ablations, and the reconciliation.

A table is a frame of numbers, as its CSV holds it: NaN where something does not exist. `readable`
turns it into text for Markdown and the report. The column ``source`` says whose a row is: ``ours``,
``external`` (given boxes, evaluated here), ``paper`` (Agarwal et al. 2019) or ``literature``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mammoflow import literature, naming, seeds, statistics, storage, tables
from mammoflow.comparison import Evaluated, measures
from mammoflow.evaluation import STRICT_IOU, Definition, Evaluation, is_external
from mammoflow.naming import Labels

Run = Mapping[str, str | int]

NONE = "–"

_MODEL = ["dataset", "backbone", "init"]
_FROC_KEYS = tuple(Definition().key)
# What an ablation changes, and values of it, in print.
_CHANGE = {
    "normalization": "{}, not {}",
    "layers": "{}, not {}",
    "stride": "step of {} pixels between windows, not {}",
    "iou": "IoU of {}, not {}",
}
_VALUES = {
    "gcn": "global contrast normalisation",
    "scale": "grey values scaled to 0–255",
    "all": "all layers tuned",
    "head": "only the head tuned",
}
# FPI of the protocol table.
PROTOCOL_FPI = (0.5, 1, 2)
_COUNTS = {
    *("fold", "folds", "folds_reached", "folds_normal", "runs", "images", "masses", "targets"),
    *("cases_positive", "cases_negative", "images_positive", "images_negative"),
    *("patches_positive", "patches_negative"),
}


def data_description(
    splits: Mapping[str, pd.DataFrame],
    lesions: Mapping[str, pd.DataFrame],
    patches: pd.DataFrame,
    labels: Labels,
) -> pd.DataFrame:
    """Table 1: cases, images, masses and patches of every part of every fold.

    Parameters
    ----------
    splits, lesions : mapping of str to pandas.DataFrame
        Tables of each data set.
    patches : pandas.DataFrame
        Columns dataset, fold, part, positives and negatives: what the banks hold, a row for each part.
    labels : mapping
        As in `naming`.

    Returns
    -------
    pandas.DataFrame
        A case or an image is positive when it has a mass.

    References
    ----------
    Section 2.2, table 1.
    """
    rows = [
        {
            "source": "ours",
            "data": labels["datasets"][bank.dataset],
            "fold": bank.fold,
            "part": bank.part,
            **_cases(splits[bank.dataset], lesions[bank.dataset], bank.fold, bank.part),
            "patches_positive": bank.positives,
            "patches_negative": bank.negatives,
        }
        for bank in patches.itertuples()
    ]
    return _with_published(rows, literature.data_description())


def _cases(splits: pd.DataFrame, lesions: pd.DataFrame, fold: int, part: str) -> dict[str, int]:
    images = splits[(splits["fold"] == fold) & (splits["role"] == part)]
    positive = images["image_id"].isin(lesions["image_id"])
    cases = positive.groupby(images["patient_id"]).any()
    return {
        "cases_positive": int(cases.sum()),
        "cases_negative": int((~cases.astype(bool)).sum()),
        "images_positive": int(positive.sum()),
        "images_negative": int((~positive).sum()),
        "masses": int(lesions["image_id"].isin(images["image_id"]).sum()),
    }


@dataclass(frozen=True)
class Patients:
    """Whose the test patches are, and how patients are drawn for intervals.

    Parameters
    ----------
    of_images : pandas.Series
        The ``patient_id`` by ``image_id``.
    draws : int
        How often.
    seed : int
        The study's.
    """

    of_images: pd.Series
    draws: int
    seed: int

    def az_of_draws(self, run: Run, table: pd.DataFrame) -> np.ndarray:
        """Az of the test patches of a training in every draw, (draws,) float array.

        The draws are those of the fold: trainings on it have them in common.
        """
        codes, names = pd.factorize(table["image_id"].map(self.of_images), sort=True)
        generator = seeds.generator(self.seed, "az", run["dataset"], run["fold"])
        n = len(names)
        draws = generator.multinomial(n, np.full(n, 1 / n), size=self.draws if n else 0)
        return statistics.az_of_draws(table["label"], table["probability"], codes, draws)


def patch_classification(
    runs: Sequence[Run],
    classifications: Sequence[pd.DataFrame],
    metadata: Sequence[Mapping],
    histories: Sequence[pd.DataFrame],
    labels: Labels,
    patients: Patients,
) -> pd.DataFrame:
    """Table 2: networks and initialisations, mean and sample deviation over independent runs.

    A run is every fold trained once, and counts as the mean of its folds: trainings of several folds share
    their images, so they are no runs of their own. Where each fold was trained only once, mean and
    deviation are over folds.

    Each initialisation of a network is tested against the first one listed, and each network against
    the one with the highest mean accuracy from the same initialisation.

    Parameters
    ----------
    runs : sequence of mapping
        Keys dataset, backbone, init, fold and run.
    classifications, histories : sequence of pandas.DataFrame
        Tables ``classification`` and ``history`` of each run.
    metadata : sequence of mapping
        ``model.json`` of each run.
    labels : mapping
        As in `naming`.
    patients : Patients
        For the interval of Az.

    References
    ----------
    Section 3, experiment 1, table 2. The paper does not name its test; ours is Welch's over runs, and
    the paired t-test over folds where there is one run.
    """
    scores = _scores(runs, classifications, metadata, patients).assign(
        seconds_per_epoch=[history["seconds"].median() for history in histories],
        epochs=[len(history) for history in histories],
    )
    models = dict(iter(scores.groupby(_MODEL, sort=False)))
    accuracies = {key: of_model["accuracy"].mean() for key, of_model in models.items()}
    rows = []
    for key, of_model in models.items():
        dataset, backbone, init = key
        first = next(other for other in models if other[:2] == key[:2])
        alike = [other for other in models if (other[0], other[2]) == (dataset, init)]
        best = max(alike, key=accuracies.get)
        by_initialization, by_network = (
            _difference(of_model, models[other]) if other != key else None for other in (first, best)
        )
        rows.append(
            {
                "source": "ours",
                "data": labels["datasets"][dataset],
                "network": labels["backbones"][backbone],
                "initialization": naming.initialization(init, labels),
                "folds": of_model["fold"].nunique(),
                "runs": of_model["run"].nunique(),
                **_summary(_over(of_model, "run" if of_model["run"].nunique() > 1 else "fold")),
                **_az_interval(of_model),
                "seconds_per_epoch": of_model["seconds_per_epoch"].mean(),
                "epochs": of_model["epochs"].mean(),
                "best_validation_loss": of_model["validation_loss"].min(),
                **_tested("initialization", by_initialization, naming.initialization(first[2], labels)),
                **_tested("network", by_network, labels["backbones"][best[1]]),
            }
        )
    return _with_published(rows, literature.classification())


def cascades(
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
        As in `patch_classification`.

    References
    ----------
    Section 3, experiment 2, table 3.
    """
    chosen = _best(_scores(runs, classifications, metadata, patients))
    models = {key: of_model.set_index("fold") for key, of_model in chosen.groupby(_MODEL, sort=False)}
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
                **_summary(of_model),
                **_az_interval(of_model),
                **_tested("cascade", test, naming.cascade(dataset, first[2], labels)),
            }
        )
    return _with_published(rows, literature.cascades())


def _scores(
    runs: Sequence[Run],
    classifications: Sequence[pd.DataFrame],
    metadata: Sequence[Mapping],
    patients: Patients,
) -> pd.DataFrame:
    """A row per run: its key, test accuracy and Az, Az of every draw of patients, and validation loss."""
    return pd.DataFrame(
        {
            **run,
            "accuracy": ((table["probability"] > 0.5) == (table["label"] == 1)).mean(),
            "az": statistics.az(table["label"], table["probability"]),
            "az_of_draws": patients.az_of_draws(run, table),
            "validation_loss": record["validation_loss"],
        }
        for run, table, record in zip(runs, classifications, metadata, strict=True)
    )


def _best(scores: pd.DataFrame) -> pd.DataFrame:
    """The run of each model and fold that detection uses."""
    return scores.loc[scores.groupby([*_MODEL, "fold"], sort=False)["validation_loss"].idxmin()]


def _summary(scores: pd.DataFrame) -> dict[str, float]:
    accuracy, accuracy_std = statistics.mean_std(100 * scores["accuracy"])
    az, az_std = statistics.mean_std(scores["az"])
    return {
        "accuracy_percent_mean": float(accuracy),
        "accuracy_percent_std": float(accuracy_std),
        "az_mean": float(az),
        "az_std": float(az_std),
    }


def _az_interval(scores: pd.DataFrame) -> dict[str, float]:
    """Interval of the mean Az of a model's trainings: patients are drawn, the trainings are given."""
    low, high = statistics.percentile_interval(np.mean(list(scores["az_of_draws"]), axis=0))
    return {"az_low": low, "az_high": high}


def _over(scores: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Accuracy and Az of each run, or fold, of a model: the mean of its trainings, NaN where one has none."""
    return scores.groupby(unit)[["accuracy", "az"]].agg(lambda values: values.to_numpy().mean())


def _difference(scores: pd.DataFrame, others: pd.DataFrame) -> statistics.Test:
    """Test of the accuracies of two models: between runs where there are several, else fold by fold."""
    once = scores["run"].nunique() == others["run"].nunique() == 1
    folds = np.intersect1d(scores["fold"], others["fold"])
    unit = "fold" if once and len(folds) > 1 else "run"
    pair = (_over(table, unit)["accuracy"] for table in (scores, others))
    if unit == "fold":
        return statistics.paired(*(accuracies.loc[folds] for accuracies in pair))
    return statistics.welch(*pair)


def _tested(what: str, test: statistics.Test | None, against: str) -> dict[str, float | str]:
    """Columns of a test; empty in the row that others are tested against."""
    if test is None:
        return {f"p_{what}": np.nan, f"{what}_against": "", f"{what}_test": ""}
    why = f" ({test.undefined})" if test.undefined else ""
    return {f"p_{what}": test.p, f"{what}_against": against, f"{what}_test": test.name + why}


def detection(
    operating_points: Mapping[str, pd.DataFrame], evaluation: Evaluation, labels: Labels
) -> pd.DataFrame:
    """Table 4: TPR at the configured FPI, then the paper's points and the literature's.

    Parameters
    ----------
    operating_points : mapping of str to pandas.DataFrame
        Table ``froc-operating-points`` of each chain.
    evaluation : Evaluation
        The settings.
    labels : mapping
        As in `naming`.

    Returns
    -------
    pandas.DataFrame
        All lesions, as configured: at every configured FPI, and with a stricter IoU, where there is one, at
        the configured FPI nearest to the paper's.

    References
    ----------
    Section 4, table 4.
    """
    rows = [
        row
        for chain, points in operating_points.items()
        for row in _points_of_chain(chain, points, evaluation, labels)
    ]
    return _with_published(rows, literature.operating_points())


def _points_of_chain(chain: str, points: pd.DataFrame, evaluation: Evaluation, labels: Labels) -> list[dict]:
    own, at = evaluation.definition_of(chain), list(evaluation.operating_points)
    shown = [_at(own.rows(points), at)]
    if own.hit != "centre-in-box" and own.iou < STRICT_IOU:
        nearest = min(at, key=lambda fpi: abs(fpi - literature.STRICT_FPI))
        shown.append(_at(replace(own, iou=STRICT_IOU).rows(points), [nearest]))
    return [
        {
            **_model_of(chain, labels),
            **{column: value for column, value in point.items() if column not in _FROC_KEYS},
            "note": _note(point, evaluation.bootstrap),
            "subset": "all images" if own.fpi_over == "all" else f"{own.fpi_over} images",
            "hit_rule": Definition(**{key: point[key] for key in _FROC_KEYS}).rule,
            "mode": point["mode"],
            "denominator": f"{point['images']} images",
        }
        for point in pd.concat(shown).to_dict("records")
    ]


def _at(points: pd.DataFrame, fpi: Sequence[float]) -> pd.DataFrame:
    """Operating points at some of the FPI, ascending."""
    asked = np.isclose(points["fpi"].to_numpy()[:, None], fpi).any(axis=1)
    return points[asked].sort_values("fpi")


def _model_of(chain: str, labels: Labels) -> dict[str, str]:
    dataset, backbone, init = chain.split("/")
    if is_external(chain):
        who = {"source": "external", "method": naming.experiment(chain, labels), "cascade": ""}
    else:
        cascade = naming.cascade(dataset, init, labels)
        who = {"source": "ours", "method": labels["backbones"][backbone], "cascade": cascade}
    return {**who, "data": naming.dataset(chain, labels)}


def _note(point: Mapping, bootstrap: int) -> str:
    """Why something is missing, or not what it seems; empty when nothing is."""
    folds = point["folds"]
    if not folds:
        return "nothing to find" if point["fpi_over"] == "all" else f"no {point['fpi_over']} image"
    notes = []
    if point["folds_reached"] < folds:
        notes.append(f"{point['fpi']:g} FPI not reached in {folds - point['folds_reached']} of {folds} folds")
    if folds == 1:
        notes.append("one fold: no deviation")
    if bootstrap and pd.isna(point["bootstrap_low"]):
        notes.append("lesions of fewer than two patients in every fold: no bootstrap")
    if point["folds_normal"] < folds:
        notes.append(f"no normal image in {folds - point['folds_normal']} of {folds} folds")
    return "; ".join(notes)


def protocol(
    operating_points: Mapping[str, pd.DataFrame], evaluation: Evaluation, labels: Labels
) -> pd.DataFrame:
    """Protocol table: the same boxes under each definition that publications use.

    Parameters
    ----------
    operating_points, evaluation, labels
        As in `detection`.

    Returns
    -------
    pandas.DataFrame
        First the configured definition, then those that differ from it in one thing, named in ``definition``.
    """
    rows = []
    for chain, points in operating_points.items():
        own = evaluation.definition_of(chain)
        for definition in evaluation.protocol():
            if definition.mode != own.mode and is_external(chain):
                definition = replace(definition, mode=own.mode)
            if definition == own and rows and rows[-1]["chain"] == chain:
                continue
            rows.append(
                {
                    "chain": chain,
                    **_model_of(chain, labels),
                    "definition": definition.difference(own) or f"as configured ({own.rule}, {own.mode})",
                    **_at_protocol_fpi(definition.rows(points), evaluation.bootstrap),
                }
            )
    return _typed(pd.DataFrame(rows).drop(columns="chain"))


def _at_protocol_fpi(points: pd.DataFrame, bootstrap: int) -> dict[str, object]:
    """Operating points of one definition side by side, and what there is to find."""
    at = {fpi: _at(points, [fpi]).iloc[0] for fpi in PROTOCOL_FPI}
    last = at[PROTOCOL_FPI[-1]]
    return {
        "targets": last["targets"],
        "images": last["images"],
        **{
            f"{column}_at_{fpi:g}": point[column]
            for fpi, point in at.items()
            for column in ("tpr_mean", "tpr_std", "bootstrap_low", "bootstrap_high")
        },
        "folds": last["folds"],
        "note": _note(last, bootstrap),
    }


@dataclass(frozen=True)
class Ablation:
    """A model with settings changed, or as it is.

    Parameters
    ----------
    changes : mapping
        New values of ``normalization``, ``layers``, ``stride`` and ``iou``; none for the model as it is.
    operating_points : pandas.DataFrame
        Table ``froc-operating-points``.
    runs, classifications, metadata
        As in `patch_classification`; those of the model where an ablation trains nothing.
    windows : float
        Windows on the grid of an image, on average.
    """

    changes: Mapping[str, object]
    operating_points: pd.DataFrame
    runs: Sequence[Run]
    classifications: Sequence[pd.DataFrame]
    metadata: Sequence[Mapping]
    windows: float


def ablations(
    chain: str,
    cases: Sequence[Ablation],
    settings: Mapping[str, object],
    evaluation: Evaluation,
    labels: Labels,
    patients: Patients,
) -> pd.DataFrame:
    """Table of ablations: the shown model, and the same with settings changed.

    Parameters
    ----------
    chain : str
        The model.
    cases : sequence of Ablation
        First the model as it is.
    settings : mapping
        What the changes are changes of, by the same keys.
    evaluation : Evaluation
        The settings.
    labels, patients
        As in `patch_classification`.

    Returns
    -------
    pandas.DataFrame
        Accuracy and Az of the patches only where there was training.

    References
    ----------
    Section 4: the step between test windows, IoU of 0.5, scaling in place of GCN, shallow tuning.
    """
    rows = []
    reference = _accuracies(cases[0], patients)
    for case in cases:
        scores = _accuracies(case, patients)
        same = not case.changes or not scores.index.equals(reference.index)
        test = None if same else statistics.paired(scores["accuracy"], reference["accuracy"])
        trained = case is cases[0] or case.runs != cases[0].runs
        definition = replace(evaluation.definition, iou=case.changes.get("iou", evaluation.iou))
        rows.append(
            {
                **_model_of(chain, labels),
                "setting": _changed(case.changes, settings),
                **(_summary(scores) if trained else dict.fromkeys(_summary(scores), np.nan)),
                **_tested("setting", test if trained else None, "the model as it is"),
                "windows": case.windows,
                **_at_protocol_fpi(definition.rows(case.operating_points), evaluation.bootstrap),
            }
        )
    return _typed(pd.DataFrame(rows))


def _accuracies(case: Ablation, patients: Patients) -> pd.DataFrame:
    """Scores of the run of each fold that detection uses, by fold."""
    return _best(_scores(case.runs, case.classifications, case.metadata, patients)).set_index("fold")


def _changed(changes: Mapping[str, object], settings: Mapping[str, object]) -> str:
    """What an ablation changes, in print."""
    texts = [
        _CHANGE[key].format(*(_VALUES.get(which, which) for which in (value, settings[key])))
        for key, value in changes.items()
    ]
    return "; ".join(texts) or "as it is"


def comparison(models: Mapping[str, Evaluated], evaluation: Evaluation, labels: Labels) -> pd.DataFrame:
    """Comparison of models: what each reaches, and its difference to another by paired draws of patients.

    Parameters
    ----------
    models : mapping of str to Evaluated
        Tables of each chain; the given boxes of others come last.
    evaluation, labels
        As in `detection`.

    Returns
    -------
    pandas.DataFrame
        Each cascade is compared with the first one of the same network, and given boxes with the last
        cascade.
    """
    rows = []
    ours = [chain for chain in models if not is_external(chain)]
    for chain, model in models.items():
        first = next((other for other in ours if other.rpartition("/")[0] == chain.rpartition("/")[0]), None)
        reference = ours[-1] if is_external(chain) else first
        other = models[reference] if reference != chain else None
        found = measures(model, evaluation.definition_of(chain), evaluation.operating_points, other)
        for row in found.to_dict("records"):
            rows.append(
                {
                    **_model_of(chain, labels),
                    **row,
                    "against": naming.experiment(reference, labels) if other else "",
                    "note": _why_no_interval(row),
                }
            )
    return _typed(pd.DataFrame(rows))


def _why_no_interval(row: Mapping) -> str:
    if not row["folds"]:
        return "no normal image" if row["measure"] == "wAFROC" else "nothing to find"
    return "lesions of fewer than two patients in every fold" if pd.isna(row["low"]) else ""


def _with_published(rows: Sequence[Mapping], published: pd.DataFrame) -> pd.DataFrame:
    """Rows of ours, then the published ones, in our columns."""
    ours = pd.DataFrame(rows)
    return _typed(pd.concat([ours, published.reindex(columns=ours.columns)], ignore_index=True))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Empty text where there is none, and whole numbers where something is counted."""
    texts = table.select_dtypes(exclude="number").columns
    counts = [column for column in table if column in _COUNTS]
    return table.assign(
        **{column: table[column].fillna("") for column in texts},
        **{column: table[column].astype("Int64") for column in counts},
    )


def write(table: pd.DataFrame, name: str, csv: str | Path, markdown: str | Path) -> None:
    """Write a table as CSV of plain numbers and as Markdown for reading."""
    with storage.whole(csv) as temporary:
        tables.escape(table).to_csv(temporary, index=False)
    with storage.whole(markdown) as temporary:
        temporary.write_text(to_markdown(table, name), encoding="utf-8")


def read(csv: str | Path) -> pd.DataFrame:
    """Read a table that `write` made; empty text is empty text."""
    table = pd.read_csv(csv)
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    return table.assign(**{column: table[column].fillna("").str.removeprefix("'") for column in texts})


def to_markdown(table: pd.DataFrame, name: str) -> str:
    """Title, readable rows and notes of a table."""
    shown = readable(table, name).map(lambda cell: cell.replace("|", "\\|"))
    body = shown.to_markdown(index=False, disable_numparse=True)
    return f"**{PRESENTATIONS[name].title}**\n\n{body}\n\n{PRESENTATIONS[name].note}\n"


def readable(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of a table as text for people.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `data_description`, `patch_classification`, `cascades`, `detection`, `protocol`, `comparison` or
        `reconciliation.table`.
    name : str
        A key of `PRESENTATIONS`.

    Returns
    -------
    pandas.DataFrame
        Text only; what does not exist is a dash.
    """
    columns = PRESENTATIONS[name].columns
    return pd.DataFrame(
        {title: [cell(row) for row in table.to_dict("records")] for title, cell in columns.items()}, dtype=str
    )


Cell = Callable[[Mapping], str]


@dataclass(frozen=True)
class Presentation:
    """How a table is shown: its title, its columns in print, and what is to be said below."""

    title: str
    columns: Mapping[str, Cell]
    note: str


def _text(column: str) -> Cell:
    return lambda row: str(row[column]) or NONE


def _number(column: str, form: str) -> Cell:
    return lambda row: _formatted(row[column], form)


def _spread(mean: str, std: str, form: str) -> Cell:
    return lambda row: (
        f"{_formatted(row[mean], form)} ± {_formatted(row[std], form)}" if pd.notna(row[mean]) else NONE
    )


def _interval(low: str, high: str) -> Cell:
    return lambda row: (
        f"{_formatted(row[low], '.2f')}{NONE}{_formatted(row[high], '.2f')}" if pd.notna(row[low]) else NONE
    )


def _pair(positive: str, negative: str) -> Cell:
    return lambda row: f"{_formatted(row[positive], 'd')} / {_formatted(row[negative], 'd')}"


def _p(what: str) -> Cell:
    def cell(row: Mapping) -> str:
        if pd.isna(row[f"p_{what}"]):
            return NONE
        return f"{_p_of(row[f'p_{what}'])} (against {row[f'{what}_against']})"

    return cell


def _p_of(p: float) -> str:
    return NONE if pd.isna(p) else "< 0.001" if p < 0.001 else format(p, ".3f")


def _formatted(value: float, form: str) -> str:
    if pd.isna(value):
        return NONE
    return format(int(value) if form.endswith("d") else value, form)


_ACCURACY = _spread("accuracy_percent_mean", "accuracy_percent_std", ".2f")
_AZ = _spread("az_mean", "az_std", ".2f")

PRESENTATIONS = {
    "table-1": Presentation(
        "Table 1. Data description: positive (mass) / negative.",
        {
            "Source": _text("source"),
            "Data": _text("data"),
            "Fold": _number("fold", "d"),
            "Part": _text("part"),
            "Cases": _pair("cases_positive", "cases_negative"),
            "Images": _pair("images_positive", "images_negative"),
            "Masses": _number("masses", "d"),
            "Patches": _pair("patches_positive", "patches_negative"),
        },
        "A case or image is positive when it has a mass. Rows of source “paper” are table 1 of Agarwal et "
        "al. 2019, one fold of each real archive.",
    ),
    "table-2": Presentation(
        "Table 2. Classification of patches into mass and non-mass: networks and initialisations.",
        {
            "Source": _text("source"),
            "Data": _text("data"),
            "Network": _text("network"),
            "Initialisation": _text("initialization"),
            "Folds": _number("folds", "d"),
            "Runs": _number("runs", "d"),
            "Accuracy (%)": _ACCURACY,
            "Az": _AZ,
            "Az, 95 %": _interval("az_low", "az_high"),
            "Seconds per epoch": _number("seconds_per_epoch", ".1f"),
            "Epochs": _number("epochs", ".1f"),
            "Best validation loss": _number("best_validation_loss", ".3f"),
            "p, initialisation": _p("initialization"),
            "p, network": _p("network"),
        },
        "Mean ± sample standard deviation (n − 1) over independent runs on the test part; with several "
        "folds, over the means that each run has over its folds, and with one run of several folds, over "
        "the folds. p: two-sided test of the accuracies, Welch's t-test between runs or, with one run of "
        "several folds, the paired t-test fold by fold, against the first initialisation of the same "
        "network and against the network with the highest mean accuracy from the same initialisation; not "
        "corrected for multiple comparisons. Az, 95 %: percentile bootstrap of the mean Az; patients of the "
        "test part are drawn within folds, all patches of a patient together, and the trainings are given. "
        "The paper does not name its test and reports p < 0.01 for "
        "both. Seconds per epoch: median epoch of a training, averaged over trainings, on the machine of "
        "the training.",
    ),
    "table-3": Presentation(
        "Table 3. Classification of patches on the detection data set: cascades of initialisations.",
        {
            "Source": _text("source"),
            "Network": _text("network"),
            "Training cascade": _text("cascade"),
            "Folds": _number("folds", "d"),
            "Accuracy (%)": _ACCURACY,
            "Az": _AZ,
            "Az, 95 %": _interval("az_low", "az_high"),
            "p": _p("cascade"),
        },
        "Mean ± sample standard deviation (n − 1) over folds on their test parts. Az, 95 %: percentile "
        "bootstrap of the mean Az; patients are drawn within folds, all patches of a patient together. p: "
        "two-sided paired t-test of the accuracies, fold by fold.",
    ),
    "table-4": Presentation(
        "Table 4. Detection of masses, and results published on INbreast.",
        {
            "Source": _text("source"),
            "Method": lambda row: ", ".join(filter(None, (row["method"], row["cascade"]))),
            "Data": _text("data"),
            "FPI": _number("fpi", "g"),
            "TPR": _spread("tpr_mean", "tpr_std", ".2f"),
            "95 % t": _interval("t_low", "t_high"),
            "95 % bootstrap": _interval("bootstrap_low", "bootstrap_high"),
            "Note": _text("note"),
            "FPI normal / mass": lambda row: (
                f"{_formatted(row['fpi_normal'], '.2f')} / {_formatted(row['fpi_mass'], '.2f')}"
            ),
            "# images": _number("images", "d"),
            "Subset": _text("subset"),
            "Hit rule": _text("hit_rule"),
            "Mode": _text("mode"),
            "FPI over": _text("denominator"),
        },
        "TPR: mean ± sample standard deviation (n − 1) over folds of the largest TPR at no more than the "
        "given false positives per image (FPI); where a fold's curve ends before it, the TPR at its end "
        "counts and the note says so. Intervals of the mean: Student's t over folds, and percentile "
        "bootstrap of patients within folds. FPI normal / mass: false positives per image without and with "
        "a mass at the points that the TPR is read from, mean over the folds that have such images. Mode "
        "“paper”: the boxes are the components of the map at each threshold; “candidate”: fixed boxes with "
        "scores. Rows of source “external” are given boxes of somebody else's, held against the same lesions "
        "here. Rows of source “paper” and “literature” are published numbers on INbreast, not ours; rows "
        "differ in data, subset, hit rule and denominator, and a dash means that our sources do not say.",
    ),
    "table-protocol": Presentation(
        "Protocol table. The same boxes under other definitions.",
        {
            "Source": _text("source"),
            "Method": lambda row: ", ".join(filter(None, (row["method"], row["cascade"]))),
            "Definition": _text("definition"),
            "# to find": _number("targets", "d"),
            "# images": _number("images", "d"),
            **{
                f"TPR at {fpi:g} FPI": _spread(f"tpr_mean_at_{fpi:g}", f"tpr_std_at_{fpi:g}", ".2f")
                for fpi in PROTOCOL_FPI
            },
            "95 % bootstrap at 1 FPI": _interval("bootstrap_low_at_1", "bootstrap_high_at_1"),
            "Folds": _number("folds", "d"),
            "Note": _text("note"),
        },
        "How much of a difference between publications may be definition: each row differs from the first of "
        "its method in the thing it names. Mean ± sample standard deviation (n − 1) over the folds that have "
        "something to find. Per image, breast or patient: found when one of its lesions is hit. Unmerged "
        "lesions: every annotated contour by itself. Subsets: boxes on other lesions are ignored; BI-RADS 4 "
        "to 6 of INbreast stands for malignant, 1 to 3 for benign.",
    ),
    "table-comparison": Presentation(
        "Comparison table. Models against each other, paired by patient.",
        {
            "Source": _text("source"),
            "Method": lambda row: ", ".join(filter(None, (row["method"], row["cascade"]))),
            "Measure": lambda row: (
                row["measure"] + (f" at {row['fpi']:g} FPI" if pd.notna(row["fpi"]) else "")
            ),
            "Mode": _text("mode"),
            "Value": _number("value", ".3f"),
            "95 %": _interval("low", "high"),
            "Difference": _number("difference", "+.3f"),
            "95 % of difference": _interval("difference_low", "difference_high"),
            "p": lambda row: _p_of(row["p"]),
            "Against": _text("against"),
            "Note": _text("note"),
        },
        "Means over folds. Intervals: percentiles of the bootstrap of patients within folds, the same draws "
        "for both models; p: two-sided, from the share of paired draws on either side of no difference; not "
        "corrected for multiple comparisons. wAFROC: area under the weighted alternative FROC curve, false "
        "positives of normal images; wAFROC1: those of all images. Both need boxes of mode “candidate”.",
    ),
    "table-ablations": Presentation(
        "Ablations. The model of figure 1 with a setting changed.",
        {
            "Source": _text("source"),
            "Method": lambda row: ", ".join(filter(None, (row["method"], row["cascade"]))),
            "Setting": _text("setting"),
            "Accuracy (%)": _ACCURACY,
            "Az": _AZ,
            "p": _p("setting"),
            "Windows per image": _number("windows", ".0f"),
            **{
                f"TPR at {fpi:g} FPI": _spread(f"tpr_mean_at_{fpi:g}", f"tpr_std_at_{fpi:g}", ".2f")
                for fpi in PROTOCOL_FPI
            },
            "95 % bootstrap at 1 FPI": _interval("bootstrap_low_at_1", "bootstrap_high_at_1"),
            "Folds": _number("folds", "d"),
            "Note": _text("note"),
        },
        "Mean ± sample standard deviation (n − 1) over folds. Accuracy, Az and p (two-sided paired t-test of "
        "the accuracies, fold by fold) only where there was training. Grey values are normalised alike in "
        "the whole chain; layers are chosen in its last step only. The paper's text: very large steps place "
        "boxes worse and very small ones cost much; an IoU of 0.5 gives a TPR of 0.82 ± 0.2 at 1.7 FPI; "
        "global contrast normalisation did better than scaling; tuning only the last layers brought no "
        "significant improvement.",
    ),
    "reconciliation": Presentation(
        "Reconciliation. Counts of the release and of every fold beside the paper's.",
        {
            "Data": _text("data"),
            "Fold": _number("fold", "d"),
            "Quantity": _text("quantity"),
            "Paper": _number("paper", "d"),
            "Found": _number("found", "d"),
            "Difference": _number("difference", "+d"),
        },
        "Paper: table 1 of Agarwal et al. 2019 (one fold of each archive) and the text, for the real "
        "archives only; a dash where the paper has no such count. Nothing is made to agree.",
    ),
}
