import itertools
import re

import numpy as np
import pandas as pd
import pytest
from froc_cases import boxes, settings_with, two_folds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from mammoflow.base.contracts.classification import CLASSIFICATION
from mammoflow.evaluation import froc_report, matching, statistics
from mammoflow.evaluation.comparison import Evaluated
from mammoflow.evaluation.definitions import MODES
from mammoflow.evaluation.folds import Fold
from mammoflow.report import literature, naming
from mammoflow.report.tables import ablations as table_of_ablations
from mammoflow.report.tables import (
    cascades,
    ceilings,
    data_description,
    model_comparison,
    patch_classification,
    presentation,
    protocol,
    trainings,
)
from mammoflow.report.tables import detection_performance as table_of_detection
from mammoflow.report.tables.catalogue import PRESENTATIONS
from mammoflow.report.tables.operating_points import FPI

LABELS = {
    "datasets": {"film": "film phantoms", "digital": "digital | phantoms"},
    "weights": {"random": "random", "natural": "natural images"},
    "backbones": {"compact": "compact", "vgg16": "VGG16"},
    "external": {"theirs": "Others 2018"},
}
EVALUATION = settings_with(operating_points=[0.25, 1.67])
DEFINITION = EVALUATION.definition


def run(backbone="compact", init="random", fold=0, number=0, dataset="film"):
    return {"dataset": dataset, "backbone": backbone, "init": init, "fold": fold, "run": number}


IMAGES = pd.Series({f"i{number}": f"p{number // 2}" for number in range(10)})
PATIENTS = trainings.Patients(IMAGES, 20, 1)


def answers(right, wrong=0):
    """A classification table with so many right and wrong answers of each class, on images in turn."""
    label = np.repeat([0, 1], right + wrong)
    correct = np.tile(np.repeat([True, False], [right, wrong]), 2)
    probability = np.where(correct == (label == 1), 0.9, 0.1)
    return pd.DataFrame(
        {"image_id": np.resize(IMAGES.index, len(label)), "label": label, "probability": probability}
    )


def test_rows_of_a_run_are_those_of_its_fold_and_number():
    keys = [{"fold": fold, "run": number} for fold in (0, 1) for number in (0, 1)]
    model = pd.concat([answers(2 + row).assign(**key) for row, key in enumerate(keys)])
    for row, key in enumerate(keys):
        found = trainings.of_run(model, run(fold=key["fold"], number=key["run"]))
        assert len(found) == 2 * (2 + row)
        assert (found[["fold", "run"]] == pd.Series(key)).all(axis=None)


def history(seconds=(9.0, 2.0, 4.0)):
    return pd.DataFrame({"epoch": np.arange(1, len(seconds) + 1), "seconds": seconds})


def ours(table):
    return table[table["source"] == "ours"].reset_index(drop=True)


def points(**changes):
    row = {
        **DEFINITION.key,
        **{"fpi": 0.25, "tpr_mean": 0.8, "tpr_std": 0.1, "t_low": 0.7, "t_high": 0.9},
        **{
            "bootstrap_low": 0.72,
            "bootstrap_high": 0.88,
            "tpr_pooled": 0.81,
            "tpr_ceiling": 0.95,
            "fpi_normal": 0.2,
            "fpi_mass": 0.3,
        },
        **{"targets": 30, "images": 410, "folds": 5, "folds_reached": 5, "folds_normal": 5},
    }
    return row | changes


def test_each_training_gets_its_rows_of_the_models_file(tmp_path):
    """Also in another order than in the file, and of several files."""
    table = pd.DataFrame(
        [(fold, run, "a", 0, 0, 1, (fold + run) / 10) for fold in range(2) for run in range(2)],
        columns=list(CLASSIFICATION.columns),
    )
    CLASSIFICATION.write(table, tmp_path / "one.csv")
    CLASSIFICATION.write(table.assign(probability=0.9), tmp_path / "two.csv")
    paths = [str(tmp_path / name) for name in ("one.csv", "two.csv", "one.csv")]
    found = trainings.read(paths, [run(fold=1, number=1), run(), run(fold=1)])
    assert [rows["probability"].tolist() for rows in found] == [[0.2], [0.9], [0.1]]


# ---- table 1


@pytest.fixture
def description():
    splits = pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "d", "a", "b", "c", "d"],
            "patient_id": ["p", "p", "q", "r", "p", "p", "q", "r"],
            "fold": [0, 0, 0, 0, 1, 1, 1, 1],
            "role": ["train", "train", "test", "train", "test", "test", "train", "validation"],
        }
    )
    lesions = pd.DataFrame({"image_id": ["a", "a", "c", "excluded"]})
    patches = pd.DataFrame(
        {
            "dataset": ["digital", "digital"],
            "fold": [0, 1],
            "part": ["train", "test"],
            "positives": [7, 3],
            "negatives": [9, 3],
        }
    )
    return data_description.table({"digital": splits}, {"digital": lesions}, patches, LABELS)


def test_description_counts_cases_images_masses_and_patches(description):
    counts = ["cases_positive", "cases_negative", "images_positive", "images_negative", "masses"]
    counts += ["patches_positive", "patches_negative"]
    assert ours(description)[counts].to_numpy().tolist() == [[1, 1, 1, 2, 2, 7, 9], [1, 0, 1, 1, 2, 3, 3]]


def test_description_has_the_papers_rows_marked_as_its_own(description):
    paper = description[description["source"] == "paper"].set_index(["data", "part"])
    assert len(paper) == 6
    row = paper.loc[("INbreast", "train")]
    assert [row["images_positive"], row["images_negative"], row["patches_negative"]] == [66, 191, 2101]
    film = paper.loc["CBIS-DDSM"]
    assert film[["cases_positive", "images_positive", "masses"]].sum().tolist() == [892, 1592, 1696]
    assert film["cases_negative"].isna().all()
    assert "INbreast" not in set(ours(description)["data"])


# ---- table 2


def table_2(accuracies):
    """Of each model's accuracies, (runs,) of one fold or (folds, runs)."""
    runs, tables, metadata = [], [], []
    for (backbone, init), rights in accuracies.items():
        for (fold, number), right in np.ndenumerate(np.atleast_2d(rights)):
            runs.append(run(backbone, init, fold, number))
            tables.append(answers(right, 100 - right))
            metadata.append({"validation_loss": 1 - right / 100})
    return patch_classification.table(runs, tables, metadata, [history() for _ in runs], LABELS, PATIENTS)


def test_classification_has_mean_sample_deviation_and_named_tests():
    accuracies = {
        ("compact", "random"): [70, 72, 74],
        ("compact", "natural"): [80, 83, 86],
        ("vgg16", "random"): [60, 62, 67],
        ("vgg16", "natural"): [90, 91, 92],
    }
    table = ours(table_2(accuracies))
    assert list(table["accuracy_percent_mean"]) == pytest.approx([72, 83, 63, 91])
    assert table["accuracy_percent_std"][1] == pytest.approx(np.std([80, 83, 86], ddof=1))
    assert list(table["best_validation_loss"]) == pytest.approx([0.26, 0.14, 0.33, 0.08])
    assert list(table["seconds_per_epoch"]) == [4] * 4
    assert list(table["runs"]) == [3] * 4

    def welch(a, b):
        return stats.ttest_ind(accuracies[a], accuracies[b], equal_var=False).pvalue

    assert table["p_initialization"][1] == pytest.approx(welch(("compact", "random"), ("compact", "natural")))
    assert table["p_network"][1] == pytest.approx(welch(("compact", "natural"), ("vgg16", "natural")))
    assert table["p_network"][2] == pytest.approx(welch(("vgg16", "random"), ("compact", "random")))
    assert list(table["network_against"]) == ["", "VGG16", "compact", ""]
    assert list(table["initialization_against"]) == ["", "random", "", "random"]
    assert list(table["network_test"]) == ["", "Welch's t-test", "Welch's t-test", ""]
    assert table["p_network"].isna().tolist() == [True, False, False, True]


def test_a_run_of_several_folds_counts_once():
    accuracies = {
        ("compact", "random"): [[70, 74], [60, 62], [80, 89]],  # 3 folds, 2 runs: means 70 and 75
        ("compact", "natural"): [[81, 85], [70, 71], [89, 99]],  # 80 and 85
        ("vgg16", "random"): [[60, 62], [61, 63], [62, 61]],  # 61 and 62
    }
    table = table_2(accuracies)
    mine = ours(table)
    assert list(mine["folds"]) == [3] * 3
    assert list(mine["runs"]) == [2] * 3
    assert list(mine["accuracy_percent_mean"]) == pytest.approx([72.5, 82.5, 61.5])
    assert list(mine["accuracy_percent_std"]) == pytest.approx(np.sqrt([12.5, 12.5, 0.5]))
    assert set(mine["initialization_test"]) == {"", "Welch's t-test"}
    expected = stats.ttest_ind([70, 75], [80, 85], equal_var=False).pvalue
    assert mine["p_initialization"][1] == pytest.approx(expected)
    expected = stats.ttest_ind([70, 75], [61, 62], equal_var=False).pvalue
    assert mine["p_network"][2] == pytest.approx(expected)
    shown = presentation.readable(table, PRESENTATIONS["table-2"])
    assert shown.loc[0, "Folds × runs"] == "3 × 2"
    assert shown.loc[3, "Folds × runs"] == "1 × 5"


def test_one_run_of_several_folds_is_tested_fold_by_fold():
    accuracies = {("compact", "random"): [[70], [60], [80]], ("compact", "natural"): [[75], [68], [82]]}
    mine = ours(table_2(accuracies))
    assert list(mine["folds"]) == [3, 3]
    assert list(mine["runs"]) == [1, 1]
    assert mine["accuracy_percent_std"][0] == pytest.approx(10)
    assert mine["initialization_test"][1] == "paired t-test"
    assert mine["p_initialization"][1] == pytest.approx(stats.ttest_rel([75, 68, 82], [70, 60, 80]).pvalue)


def test_one_run_cannot_be_tested_against_several():
    accuracies = {("compact", "random"): [[70, 74], [60, 62]], ("compact", "natural"): [[75], [68]]}
    mine = ours(table_2(accuracies))
    assert "groups of 1 and 2 values" in mine["initialization_test"][1]


def test_one_run_has_no_deviation_and_says_why_there_is_no_test():
    table = table_2({("compact", "random"): [70], ("compact", "natural"): [80]})
    assert "at least 2 needed" in table["initialization_test"][1]
    shown = presentation.readable(table, PRESENTATIONS["table-2"])
    assert list(shown["Accuracy (%)"]) == ["70.00 ± –", "80.00 ± –", "84.16 ± 0.19"]
    assert list(shown["p, initialisation"]) == ["–", "–", "–"]
    assert list(shown["Source"]) == ["ours", "ours", "paper"]


def test_a_test_part_of_one_class_has_no_az():
    table = patch_classification.table(
        [run()], [answers(3)[:3]], [{"validation_loss": 0.1}], [history()], LABELS, PATIENTS
    )
    assert np.isnan(table["az_mean"][0])
    assert presentation.readable(table, PRESENTATIONS["table-2"])["Az (95 %)"][0] == "–"


def test_a_fold_without_test_patches_has_no_score_and_leaves_no_interval():
    table = patch_classification.table(
        [run(fold=0), run(fold=1)],
        [answers(3), answers(3)[:0]],
        [{"validation_loss": 0.1}] * 2,
        [history()] * 2,
        LABELS,
        PATIENTS,
    )
    assert np.isnan(table[["accuracy_percent_mean", "az_mean", "az_low", "az_high"]].iloc[0].tolist()).all()
    shown = presentation.readable(table, PRESENTATIONS["table-2"])
    assert shown.loc[0, ["Accuracy (%)", "Az (95 %)"]].tolist() == ["–"] * 2


def scored(seed, images=IMAGES.index, separation=1.0):
    """Noisy answers on some images."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 2, 200)
    return pd.DataFrame(
        {
            "image_id": generator.choice(images, 200),
            "label": label,
            "probability": 1 / (1 + np.exp(-generator.normal(separation * label, 1))),
        }
    )


def test_the_interval_of_az_is_the_bootstrap_of_patients_within_folds():
    runs = [run(fold=fold, number=number) for fold in (0, 1) for number in (0, 1)]
    tables = [scored(number, IMAGES.index[5 * number : 5 * number + 5]) for number in (0, 0, 1, 1)]
    metadata = [{"validation_loss": 0.5}] * 4
    patients = trainings.Patients(IMAGES, 300, 1)
    table = patch_classification.table(runs, tables, metadata, [history()] * 4, LABELS, patients)

    def drawn(table, generator):
        of = table["image_id"].map(IMAGES)
        names = of.unique()
        rows = [np.flatnonzero(of == name) for name in generator.choice(names, len(names))]
        again = table.iloc[np.concatenate(rows)]
        return statistics.az(again["label"], again["probability"])

    generator = np.random.default_rng(7)
    means = [np.mean([drawn(table, generator) for table in tables[::2]]) for _ in range(300)]
    low, high = np.quantile(means, [0.025, 0.975])
    assert low < table["az_mean"][0] < high
    assert table["az_low"][0] == pytest.approx(low, abs=0.02)
    assert table["az_high"][0] == pytest.approx(high, abs=0.02)
    shown = presentation.readable(table, PRESENTATIONS["table-2"])["Az (95 %)"]
    assert shown[0].endswith(f" ({table['az_low'][0]:.2f}–{table['az_high'][0]:.2f})")
    assert "(" not in shown[1]


def test_the_interval_of_az_is_the_same_whatever_else_is_in_the_table():
    one = table_2({("compact", "random"): [70, 72]})
    more = table_2({("vgg16", "random"): [60, 65], ("compact", "random"): [70, 72]})
    for column in ("az_low", "az_high"):
        assert one[column][0] == more[column][1]


# ---- table 3


def test_cascades_take_the_best_run_of_a_fold_and_pair_folds():
    runs, tables, metadata = [], [], []
    for init, rights in (("natural", [70, 80, 75]), ("natural+film", [80, 85, 90])):
        for fold, right in enumerate(rights):
            for number, (score, loss) in enumerate([(right, 0.2), (99, 0.3)]):
                runs.append(run(init=init, fold=fold, number=number, dataset="digital"))
                tables.append(answers(score, 100 - score))
                metadata.append({"validation_loss": loss})
    table = cascades.table(runs, tables, metadata, LABELS, PATIENTS)
    mine = ours(table)
    assert list(mine["cascade"]) == [
        "natural images → digital | phantoms",
        "natural images → film phantoms → digital | phantoms",
    ]
    assert list(mine["accuracy_percent_mean"]) == pytest.approx([75, 85])
    assert list(mine["folds"]) == [3, 3]
    assert mine["p_cascade"][1] == pytest.approx(stats.ttest_rel([80, 85, 90], [70, 80, 75]).pvalue)
    assert mine["cascade_test"][1] == "paired t-test"
    paper = table[table["source"] == "paper"].iloc[0]
    assert (paper["accuracy_percent_mean"], paper["accuracy_percent_std"]) == (88.86, 2.96)


def test_the_test_part_has_no_say_in_which_run_stands_for_a_fold():
    runs = [run(fold=fold, number=number, dataset="digital") for fold in (0, 1) for number in range(3)]
    metadata = [{"validation_loss": loss} for loss in (0.3, 0.1, 0.2, 0.2, 0.3, 0.1)]
    for rights in itertools.permutations([10, 50, 90]):
        table = cascades.table(
            runs, [answers(right, 100 - right) for right in rights * 2], metadata, LABELS, PATIENTS
        )
        expected = np.mean([rights[1], rights[2]])
        assert ours(table)["accuracy_percent_mean"][0] == pytest.approx(expected)


# ---- table 4


@pytest.fixture
def detection():
    rows = [
        points(),
        points(fpi=1.67, folds_reached=3),
        points(fpi=1.67, iou=0.5, tpr_mean=0.5),
        points(fpi=0.25, iou=0.5),
        points(fpi=4),
        points(subset="small"),
        points(mode="candidate", tpr_mean=0.9),
        points(mode="candidate", fpi=1.67, tpr_mean=0.95),
        points(mode="candidate", fpi=1.67, iou=0.5, tpr_mean=0.6),
    ]
    values = (
        "tpr_mean",
        "tpr_std",
        "t_low",
        "t_high",
        "bootstrap_low",
        "bootstrap_high",
        "fpi_normal",
        "fpi_mass",
    )
    counts = ("folds", "folds_reached", "folds_normal", "targets", "images")
    empty = points(**dict.fromkeys(values, np.nan), **dict.fromkeys(counts, 0))
    theirs = points(mode="candidate", folds_normal=3, bootstrap_low=np.nan, bootstrap_high=np.nan)
    chains = {
        "digital/compact/natural": rows,
        "digital/compact/natural+film": [empty, empty | {"mode": "candidate"}],
        "digital/external/theirs": [theirs],
    }
    frames = {chain: pd.DataFrame(rows) for chain, rows in chains.items()}
    return table_of_detection.table(frames, EVALUATION, LABELS)


def test_detection_has_the_configured_points_flagged_where_not_reached(detection):
    mine = ours(detection)
    assert list(mine["mode"]) == ["paper"] * 2 + ["candidate"] * 2 + ["paper", "candidate"] * 2
    assert list(mine["fpi"]) == [0.25, 1.67, 0.25, 1.67, 1.67, 1.67, 0.25, 0.25]
    assert list(mine["hit_rule"]) == ["IoU > 0.2"] * 4 + ["IoU > 0.5"] * 2 + ["IoU > 0.2"] * 2
    unreached = "1.67 FPI not reached in 2 of 5 folds"
    assert list(mine["note"]) == ["", unreached, *[""] * 4, *["nothing to find"] * 2]
    assert list(mine["images"]) == [410] * 6 + [0] * 2
    assert set(mine["data"]) == {"digital | phantoms"}


def test_boxes_of_others_stand_beside_ours(detection):
    theirs = detection[detection["source"] == "external"]
    assert theirs[["method", "cascade", "mode", "tpr_mean"]].to_numpy().tolist() == [
        ["Others 2018", "", "candidate", 0.8]
    ]
    assert theirs["note"].tolist() == [
        "lesions of fewer than two patients in every fold: no bootstrap; no normal image in 2 of 5 folds"
    ]
    assert list(dict.fromkeys(detection["source"])) == ["ours", "external", "paper", "literature"]


def test_detection_has_every_published_row_marked(detection):
    published = detection[~detection["source"].isin(["ours", "external"])].reset_index(drop=True)
    expected = literature.operating_points()
    pd.testing.assert_frame_equal(
        published[["source", "method", "fpi", "tpr_mean", "subset"]],
        expected[["source", "method", "fpi", "tpr_mean", "subset"]],
    )
    assert set(published["data"]) == {"INbreast"}
    assert {"paper", "literature"} == set(published["source"])


def test_detection_reads_well(detection):
    shown = presentation.readable(detection, PRESENTATIONS["table-4"])
    assert list(shown)[4:] == ["TPR at 0.25 FPI", "TPR at 1.67 FPI", "At other FPI"]
    paper, candidates, strict, strict_candidates, empty, _ = (
        row[3:] for row in shown[shown["Source"] == "ours"].to_numpy().tolist()
    )
    assert paper == ["all images; IoU > 0.2; the paper's boxes", "0.80 ± 0.10", "0.80 ± 0.10*", "–"]
    assert candidates == ["all images; IoU > 0.2; fixed candidates", "0.90 ± 0.10", "0.95 ± 0.10", "–"]
    assert strict == ["all images; IoU > 0.5; the paper's boxes", "–", "0.50 ± 0.10", "–"]
    assert strict_candidates == ["all images; IoU > 0.5; fixed candidates", "–", "0.60 ± 0.10", "–"]
    assert empty == ["all images; IoU > 0.2; the paper's boxes", "–*", "–", "–"]
    kozegar = shown[shown["Method"] == "Kozegar et al. 2013"].iloc[0]
    assert kozegar["At other FPI"] == "0.87 at 3.67"
    agarwal = shown[shown["Method"].str.startswith("Agarwal et al. 2019, ImageNet → CBIS")]
    assert agarwal["TPR at 0.25 FPI"].tolist() == ["0.87 ± 0.07", "–"]
    assert "0.90 ± 0.06 at 0.44" in agarwal["At other FPI"].iloc[0]


def test_seven_points_give_four_columns_and_nothing_is_lost(detection):
    mine = detection[(detection["source"] == "ours") & (detection["hit_rule"] == "IoU > 0.2")].head(1)
    asked = [0.25, 0.44, 0.5, 0.58, 0.79, 1.67, 2.1]
    table = pd.concat([mine.assign(fpi=fpi, tpr_mean=fpi / 3) for fpi in asked])
    shown = presentation.readable(table, PRESENTATIONS["table-4"])
    assert [name for name in shown if name.startswith("TPR")] == [
        f"TPR at {fpi:g} FPI" for fpi in (0.25, 0.5, 0.79, 2.1)
    ]
    assert " ".join(shown.iloc[0]).count("±") == len(asked)


# ---- protocol and comparison


@pytest.fixture(scope="module")
def models():
    mine = two_folds()
    others = [
        each._replace(
            detections=boxes(
                (f"{each.number}a", (0, 0, 10, 10), 0.5), (f"{each.number}c", (0, 0, 10, 10), 0.9)
            )
        )
        for each in mine
    ]
    few = [each._replace(detections=each.detections[each.detections["threshold"] == 0.5]) for each in mine]
    return {
        "digital/compact/natural": froc_report.evaluate(few, EVALUATION, 1),
        "digital/compact/natural+film": froc_report.evaluate(mine, EVALUATION, 1),
        "digital/external/theirs": froc_report.evaluate(others, EVALUATION, 1, boxes_of=matching.of_scores),
    }


def test_protocol_names_what_each_row_changes(models):
    shown = {chain: model.operating_points for chain, model in list(models.items())[1:]}
    table = protocol.table(shown, EVALUATION, LABELS)
    mine = ours(table).set_index("definition")
    assert mine.index[0] == "as configured (IoU > 0.2, paper)"
    expected = {
        "boxes of mode candidate",
        *(f"IoU > {iou}" for iou in (0.1, 0.3, 0.5)),
        *("IoU ≥ 0.2", "centre in box", "unmerged lesions", "duplicates false"),
        *("FPI over mass images", "FPI over normal images", "per image", "per breast", "per patient"),
        *(f"{subset} lesions only" for subset in ("small", "medium", "large", "malignant", "benign")),
    }
    assert set(mine.index[1:]) == expected
    assert mine.loc["IoU > 0.5", "tpr_mean_at_0.5"] == 0.75
    assert mine.loc["FPI over mass images", "images"] == 4
    assert mine.loc["malignant lesions only", "note"] == "nothing to find"
    # Every column says where its FPI is not reached.
    unreached = [f"{fpi:g} FPI not reached in 2 of 2 folds" for fpi in FPI]
    assert mine["note"].iloc[0].split("; ")[:3] == unreached
    theirs = table[table["source"] == "external"]
    assert set(theirs["definition"][1:]) == expected - {"boxes of mode candidate"}
    assert theirs["definition"].iloc[0] == "as configured (IoU > 0.2, candidate)"
    assert theirs["definition"].is_unique
    said = presentation.to_markdown(table, PRESENTATIONS["table-protocol"])
    assert said.startswith("**Protocol table. The same boxes")
    assert not re.search(r"\bnan\b", said)


def test_ceilings_stand_beside_what_is_found_with_few_false_positives(models):
    """The second lesion of fold 1 is of middle size and half covered; fold 0 has two small ones."""
    shown = {chain: model.operating_points for chain, model in list(models.items())[1:]}
    table = ceilings.table(shown, EVALUATION, LABELS)
    mine = ours(table).set_index("size")
    assert mine.index.tolist() == ["all", "below 1 cm²", "1 to 4 cm²", "above 4 cm²"]
    assert mine["targets"].tolist() == [4, 3, 1, 0]
    assert mine["paper_ceiling"].tolist()[:3] == [1, 1, 1]
    assert mine["note"].tolist()[3] == "nothing to find"
    assert (mine["paper_ceiling"] >= mine["paper_tpr"]).tolist() == [True, True, True, False]
    theirs = table[table["source"] == "external"]
    assert theirs["paper_ceiling"].isna().all()
    assert theirs["candidate_ceiling"].notna().any()
    assert not re.search(r"\bnan\b", presentation.to_markdown(table, PRESENTATIONS["table-ceilings"]))


def test_comparison_pairs_cascades_of_a_network_and_others_with_the_last(models):
    evaluated = {
        chain: Evaluated(model.operating_points, model.merits, model.draws) for chain, model in models.items()
    }
    table = model_comparison.table(evaluated, EVALUATION, LABELS)
    first, second, theirs = (rows for _, rows in table.groupby(["source", "cascade"], sort=False))
    assert set(first["against"]) == {""}
    assert first["p"].isna().all()
    assert set(second["against"]) == {"compact, natural images → digital | phantoms"}
    assert set(theirs["against"]) == {"compact, natural images → film phantoms → digital | phantoms"}
    assert theirs["mode"].unique().tolist() == ["candidate"]
    reach = ["", "1.67 FPI not reached in 2 of 2 folds", "", ""]
    assert second["note"].tolist() == reach
    assert second["measure"].tolist() == ["TPR", "TPR", "wAFROC", "wAFROC1"]
    np.testing.assert_allclose(second["difference"], second["value"].to_numpy() - first["value"].to_numpy())
    said = presentation.readable(table, PRESENTATIONS["table-comparison"])
    assert said["Measure"].tolist()[:3] == ["TPR at 0.25 FPI", "TPR at 1.67 FPI", "wAFROC"]
    assert not re.search(r"\bnan\b", presentation.to_markdown(table, PRESENTATIONS["table-comparison"]))


def test_normal_images_and_masses_in_different_folds():
    folds = []
    for each, chosen in zip(two_folds(), ([2, 3], [0, 1]), strict=True):
        images = each.images.iloc[chosen].reset_index(drop=True)
        lesions, detections, candidates = (
            table[table["image_id"].isin(images["image_id"])]
            for table in (each.lesions, each.detections, each.candidates)
        )
        folds.append(Fold(each.number, images, lesions, detections, candidates=candidates))
    report = froc_report.evaluate(folds, EVALUATION, 1)
    model = Evaluated(report.operating_points, report.merits, report.draws)
    why = "no fold with something to find and normal images"
    table = model_comparison.table({"digital/compact/natural": model}, EVALUATION, LABELS).set_index(
        "measure"
    )
    assert table.loc["wAFROC", "note"] == why
    assert table.loc["wAFROC1", "note"] == ""
    rows = protocol.table({"digital/compact/natural": report.operating_points}, EVALUATION, LABELS)
    assert rows.set_index("definition").loc["FPI over normal images", "note"] == why


# ---- files


@pytest.mark.parametrize("name", ["description", "detection"])
def test_csv_is_numbers_and_comes_back(name, request, tmp_path):
    table = request.getfixturevalue(name)
    name = {"description": "table-1", "detection": "table-4"}[name]
    presentation.write(table, PRESENTATIONS[name], tmp_path / "t.csv", tmp_path / "t.md")
    back = presentation.read(tmp_path / "t.csv")
    for column in table.select_dtypes("number"):
        assert pd.api.types.is_numeric_dtype(back[column]), column
    expected = presentation.readable(table, PRESENTATIONS[name])
    pd.testing.assert_frame_equal(presentation.readable(back, PRESENTATIONS[name]), expected)


def no_value_is_shown(shown):
    """Whether a table shows nothing, or the names that programs have for it."""
    return shown.map(lambda cell: not cell.strip() or bool(re.search(r"\b(nan|none|nat)\b|<na>", cell, re.I)))


@given(data=st.data(), name=st.sampled_from(["description", "detection", "ablations"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_what_is_missing_is_a_dash(data, name, request, tmp_path):
    table = request.getfixturevalue(name)
    name = {"description": "table-1", "detection": "table-4", "ablations": "table-ablations"}[name]
    table = table.copy()
    for column in data.draw(st.sets(st.sampled_from(sorted(set(table) - {"source", "fpi"})))):
        gone = data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table)))
        text = not pd.api.types.is_numeric_dtype(table[column])
        table[column] = table[column].mask(pd.Series(gone, index=table.index), "" if text else np.nan)
    presentation.write(table, PRESENTATIONS[name], tmp_path / "t.csv", tmp_path / "t.md")
    back = presentation.read(tmp_path / "t.csv")
    assert not no_value_is_shown(presentation.readable(back, PRESENTATIONS[name])).any(axis=None)
    assert not re.search(r"\bnan\b|\bNone\b|<NA>|\|  +\|", (tmp_path / "t.md").read_text())


def test_a_column_of_text_without_any_comes_back_as_dashes(detection, tmp_path):
    empty = detection.assign(note="", mode="", cascade="")
    presentation.write(empty, PRESENTATIONS["table-4"], tmp_path / "t.csv", tmp_path / "t.md")
    shown = presentation.readable(presentation.read(tmp_path / "t.csv"), PRESENTATIONS["table-4"])
    pd.testing.assert_frame_equal(shown, presentation.readable(empty, PRESENTATIONS["table-4"]))


@pytest.mark.parametrize("name", sorted(set(PRESENTATIONS) - {"table-4"}))
def test_no_table_is_wider_than_a_person_reads(name):
    assert len(PRESENTATIONS[name].columns) <= presentation.MOST_COLUMNS


def test_table_4_is_no_wider_either(detection):
    assert (
        len(presentation.readable(detection, PRESENTATIONS["table-4"]).columns) <= presentation.MOST_COLUMNS
    )


def test_markdown_has_a_title_escaped_bars_and_notes(detection):
    text = presentation.to_markdown(detection, PRESENTATIONS["table-4"])
    assert text.startswith("**Table 4. Detection of masses")
    assert "digital \\| phantoms" in text
    assert "sample standard deviation (n − 1)" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert not re.search(r"\bnan\b", text)


# ---- ablations


@pytest.fixture
def ablations():
    settings = {"normalization": "gcn", "layers": "all", "stride": 56, "iou": 0.2}
    chain = "digital/compact/natural+film"

    def case(changes, rights=(80, 82, 87), variant="natural+film", tpr=0.8, windows=900.0):
        strict = {"iou": changes.get("iou", 0.2)}
        table = pd.DataFrame(
            [
                points(fpi=fpi, tpr_mean=tpr + fpi / 100 + (mode == "candidate") / 10, mode=mode, **strict)
                for fpi in FPI
                for mode in MODES
            ]
            + [points(fpi=fpi, tpr_mean=0, iou=0.77) for fpi in FPI]
        )
        # In each draw, what is found is found by every case as well or as badly.
        values = tpr + np.random.default_rng(0).normal(0, 0.2, 100)
        draws = pd.DataFrame(
            {"mode": "candidate", "measure": "TPR", "fpi": 1.0, "draw": range(100), "value": values}
        )
        return table_of_ablations.Ablation(
            changes,
            table,
            draws,
            [run(init=variant, fold=fold, dataset="digital") for fold in range(len(rights))],
            [answers(right, 100 - right) for right in rights],
            [{"validation_loss": 1.0} for _ in rights],
            windows,
        )

    cases = [
        case({}),
        case({"stride": 28}, tpr=0.85, windows=3600.0),
        case({"iou": 0.5}, tpr=0.6),
        case({"normalization": "scale", "layers": "head"}, (70, 71, 78), "natural+film@both", tpr=0.7),
    ]
    return table_of_ablations.table(chain, cases, settings, EVALUATION, LABELS, PATIENTS)


def test_ablations_say_what_they_change(ablations):
    assert ablations["setting"].tolist() == [
        "as it is",
        "step of 28 pixels between windows, not 56",
        "IoU of 0.5, not 0.2",
        "grey values scaled to 0–255, not global contrast normalisation; only the head tuned, "
        "not all layers tuned",
    ]
    assert ablations["tpr_mean_at_1"].tolist() == pytest.approx([0.81, 0.86, 0.61, 0.71])
    assert ablations["windows"].tolist() == [900, 3600, 900, 900]


def test_ablations_compare_candidates_patient_by_patient(ablations):
    assert ablations["candidates_tpr"].tolist() == pytest.approx([0.91, 0.96, 0.71, 0.81])
    for column in ("candidates_difference", "candidates_difference_low", "candidates_difference_high"):
        assert ablations[column].to_numpy() == pytest.approx([np.nan, 0.05, -0.2, -0.1], nan_ok=True), column
    shown = presentation.readable(ablations, PRESENTATIONS["table-ablations"])
    assert shown["Difference (95 %)"].tolist()[:2] == ["–", "+0.05 (0.05–0.05)"]


def test_ablations_of_candidates_are_said_in_words():
    settings = {
        "runs": "best",
        "mirrored": False,
        "magnifications": [1],
        "smoothing": 0.6,
        "fractions": [0.1, 0.5],
        "scoring": "learnt",
        "own_scale": [],
        "hard_negatives": None,
    }
    changes = {
        "runs": "all",
        "mirrored": True,
        "magnifications": [1, 0.5],
        "smoothing": 0,
        "fractions": [0.5],
        "scoring": "peak",
        "own_scale": [1.5, 3],
        "hard_negatives": {"images": 300, "per_image": 5, "probability": 0.5},
    }
    said = [table_of_ablations._changed({key: value}, settings) for key, value in changes.items()]
    assert said == [
        "maps averaged over all runs, not of the best run",
        "windows mirrored too, not as they are",
        "images magnified by 1, 0.5, not 1",
        "maps smoothed by 0 steps, not 0.6",
        "candidates at 0.5 of the peak, not 0.1, 0.5",
        "candidates scored by the height of their peak, not by a learnt score",
        "sizes of candidates' own windows: 1.5, 3, not none",
        "trained again with up to 5 hard negatives of an image (probability at least 0.5, images: 300), "
        "not trained once",
    ]


def test_ablations_have_an_accuracy_and_a_test_where_there_was_training(ablations):
    assert ablations["accuracy_percent_mean"].to_numpy() == pytest.approx(
        [83, np.nan, np.nan, 73], nan_ok=True
    )
    expected = stats.ttest_rel([70, 71, 78], [80, 82, 87]).pvalue
    assert ablations["p_setting"].to_numpy() == pytest.approx([np.nan, np.nan, np.nan, expected], nan_ok=True)
    assert ablations["setting_against"].tolist() == ["", "", "", "the model as it is"]


def test_ablations_read_well(ablations):
    shown = presentation.readable(ablations, PRESENTATIONS["table-ablations"])
    assert shown.loc[1, ["Accuracy (%)", "p", "TPR at 1 FPI"]].tolist() == ["–", "–", "0.86 ± 0.10"]


def test_names_of_chains():
    assert naming.experiment("digital/vgg16/natural+film", LABELS) == (
        "VGG16, natural images → film phantoms → digital | phantoms"
    )
    assert naming.initialization("random", LABELS) == "random"
