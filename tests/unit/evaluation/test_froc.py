import weakref

import numpy as np
import pandas as pd
import pytest
from froc_cases import (
    at_thresholds,
    boxes,
    counts,
    fold,
    line,
    masses,
    random_fold,
    rows,
    settings_with,
    two_folds,
    with_boxes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.evaluation import froc, froc_report, matching, resampling
from mammoflow.evaluation.definitions import DUPLICATES, FPI_OVER, SIZES, UNITS, Definition
from mammoflow.evaluation.folds import Fold, folds_of

seeds_of_cases = st.integers(0, 2**32 - 1)


# -- Hand-made curves


def test_one_lesion_one_false_positive():
    detections = rows(
        ("a", 0.5, (0, 0, 10, 9), 0.8),
        ("a", 0.25, (0, 0, 10, 9), 0.8),
        ("a", 0.25, (50, 50, 60, 60), 0.4),
        ("b", 0.25, (50, 50, 60, 60), 0.4),
    )
    found = line(fold(dict(zip("abcd", "pqrs", strict=True)), masses(("a", (0, 0, 10, 10))), detections))
    assert found.thresholds.tolist() == [np.inf, 0.5, 0.25]
    assert found.tpr.tolist() == [0, 1, 1]
    assert found.fpi.tolist() == [0, 0, 0.5]


def test_a_hit_is_lost_when_components_merge():
    detections = rows(("a", 0.5, (0, 0, 10, 10), 0.9), ("a", 0.25, (0, 0, 100, 100), 0.9))
    found = line(fold({"a": "p"}, masses(("a", (0, 0, 10, 10))), detections))
    assert found.hits.tolist() == [0, 1, 0]
    assert found.false_positives.tolist() == [0, 0, 1]
    tpr, reached = froc.tpr_at(found.tpr, found.fpi, [0, 1, 2])
    assert tpr.tolist() == [1, 1, 1]
    assert reached.tolist() == [True, True, False]


def test_a_weak_box_that_overlaps_more_takes_no_hit_before_it_is_there():
    detections = rows(
        ("a", 0.5, (0, 0, 10, 5), 0.9), ("a", 0.25, (0, 0, 10, 5), 0.9), ("a", 0.25, (0, 0, 10, 9), 0.4)
    )
    found = line(fold({"a": "p"}, masses(("a", (0, 0, 10, 10))), detections))
    assert found.hits.tolist() == [0, 1, 1]
    assert found.false_positives.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("duplicates", "expected"), [("ignore", [0, 0]), ("false-positive", [0, 1])])
def test_duplicates_are_ignored_or_counted(duplicates, expected):
    detections = rows(("a", 0.5, (0, 0, 10, 5), 0.9), ("a", 0.5, (0, 5, 10, 10), 0.9))
    its = fold({"a": "p"}, masses(("a", (0, 0, 10, 10))), detections)
    assert line(its, Definition(duplicates=duplicates)).false_positives.tolist() == expected


def test_images_without_box_or_lesion_count():
    found = line(fold(dict(zip("abcd", "pqrs", strict=True)), masses(), rows(("a", 0.5, (0, 0, 10, 5), 0.9))))
    assert found.fpi.tolist() == [0, 0.25]
    assert (found.targets, found.images, found.normal_images) == (0, 4, 4)


def test_false_positives_of_normal_and_of_mass_images_have_their_own_denominators():
    detections = boxes(
        ("a", (50, 50, 60, 60), 0.9),
        ("b", (0, 0, 9, 9), 0.8),
        ("b", (20, 20, 30, 30), 0.8),
        ("c", (0, 0, 9, 9), 0.7),
    )
    its = fold(dict(zip("abcd", "pqrs", strict=True)), masses(("a", (0, 0, 10, 10))), detections)
    rates = {over: line(its, Definition("candidate", fpi_over=over)).fpi.tolist() for over in FPI_OVER}
    assert rates["all"] == [0, 0.25, 0.75, 1]
    assert rates["mass"] == [0, 1, 1, 1]
    assert rates["normal"] == pytest.approx([0, 0, 2 / 3, 1])


@pytest.mark.parametrize("over", FPI_OVER)
def test_false_positives_of_both_kinds_of_images_are_told_whichever_count(over):
    detections = rows(
        *(("a", 0.5, box, 0.9) for box in ((0, 0, 10, 10), (50, 50, 60, 60))),
        *(("c", 0.5, (y, 0, y + 9, 9), 0.9) for y in (0, 20, 40)),
    )
    lesions = masses(("a", (0, 0, 10, 10)), ("b", (0, 0, 10, 10)), ("c", (50, 0, 60, 10)))
    its = fold(dict(zip("abcd", "pqrs", strict=True)), lesions, detections)
    points = froc_report.evaluate([its], settings_with(fpi_over=over), 1).operating_points
    point = points[(points["fpi_over"] == over) & (points["fpi"] == 8)].iloc[0]
    # Three images with a mass have four false positives, the one without has none.
    assert (point["fpi_mass"], point["fpi_normal"]) == pytest.approx((4 / 3, 0))


def test_hits_on_lesions_of_other_subsets_are_neither():
    lesions = masses(
        ("a", (0, 0, 10, 10)),
        ("a", (50, 50, 90, 90)),
        areas=[0.5, 9.0],
        pathologies=["BENIGN_WITHOUT_CALLBACK", "MALIGNANT"],
    )
    detections = rows(
        ("a", 0.5, (0, 0, 10, 9), 0.9), ("a", 0.5, (50, 50, 90, 90), 0.9), ("a", 0.5, (20, 20, 30, 30), 0.9)
    )
    its = fold({"a": "p"}, lesions, detections)
    for subset in ("small", "large", "malignant", "benign"):
        found = line(its, Definition(subset=subset))
        assert (found.hits.tolist(), found.false_positives.tolist(), found.targets) == ([0, 1], [0, 1], 1)
    assert line(its, Definition(subset="medium")).targets == 0


def test_a_breast_is_found_in_either_view_and_a_patient_in_either_breast():
    images = dict.fromkeys(["lcc", "lmlo", "rcc", "rmlo"], "p") | {"other": "q"}
    spot = (0, 0, 10, 10)
    lesions = masses(
        ("lcc", spot), ("lmlo", spot), ("lmlo", (50, 50, 60, 60)), ("rcc", spot), ("other", spot)
    )
    detections = boxes(("lmlo", spot, 0.9), ("rcc", spot, 0.5))
    its = fold(images, lesions, detections, sides=["L", "L", "R", "R", "L"])
    found = {unit: line(its, Definition("candidate", unit=unit)) for unit in UNITS}
    assert {unit: (each.hits.tolist(), each.targets) for unit, each in found.items()} == {
        "lesion": ([0, 1, 2], 5),
        "image": ([0, 1, 2], 4),
        "breast": ([0, 1, 2], 3),
        "patient": ([0, 1, 1], 2),
    }


def test_breasts_of_unknown_side_are_not_one():
    images = dict.fromkeys("ab", "p")
    its = fold(images, masses(("a", (0, 0, 9, 9)), ("b", (0, 0, 9, 9))), boxes(("a", (0, 0, 9, 9), 0.9)))
    assert line(its, Definition("candidate", unit="breast")).targets == 2


def test_contours_are_lesions_of_their_own_where_they_are_asked_for():
    merged = masses(("a", (0, 0, 10, 20)))
    contours = masses(("a", (0, 0, 10, 10)), ("a", (0, 9, 10, 20)))
    detections = boxes(("a", (0, 0, 10, 10), 0.9))
    its = fold({"a": "p"}, merged, detections, contours=contours)
    assert line(its, Definition("candidate")).tpr.tolist() == [0, 1]
    assert line(its, Definition("candidate", lesions="unmerged")).tpr.tolist() == [0, 0.5]


def test_equal_scores_come_together():
    detections = boxes(("a", (0, 0, 9, 9), 0.5), ("a", (20, 0, 29, 9), 0.5), ("a", (40, 0, 49, 9), 0.25))
    found = line(fold({"a": "p"}, masses(("a", (0, 0, 9, 9))), detections), Definition("candidate"))
    assert found.thresholds.tolist() == [np.inf, 0.5, 0.25]
    assert found.false_positives.tolist() == [0, 1, 2]


def test_never_reached_is_flagged():
    tpr, reached = froc.tpr_at(np.array([0, 0.5]), np.array([0, 0.25]), [0.1, 0.25, 0.26])
    assert tpr.tolist() == [0, 0.5, 0.5]
    assert reached.tolist() == [True, True, False]


def test_the_point_that_is_read_is_the_first_of_the_best():
    tpr, fpi = np.array([0, 0.5, 0.4, 0.5, 0.9]), np.array([0, 0.2, 0.3, 0.4, 1.0])
    assert froc.point_at(tpr, fpi, [0.1, 0.4, 5]).tolist() == [0, 1, 4]


@settings(max_examples=30)
@given(seeds_of_cases, st.sampled_from(UNITS))
def test_units_agree_with_groups_of_images(seed, unit):
    its = random_fold(seed)
    found = counts(its, Definition(unit=unit))
    matches = matching.match(
        matching.of_maps(its)["paper"], its.lesions, its.images["image_id"], Definition()
    )
    keys = {
        "lesion": ["lesion_id"],
        "image": ["image_id"],
        "breast": ["patient_id", "laterality"],
        "patient": ["patient_id"],
    }[unit]
    joined = its.lesions.merge(its.images, on="image_id")
    assert froc.curve(found).targets == len(joined[keys].drop_duplicates())
    for hit, number in zip(at_thresholds(matches.hit), froc.curve(found).hits[1:], strict=True):
        assert number == len(joined.loc[hit > 0, keys].drop_duplicates())


# -- Bootstrap of patients


@settings(max_examples=25)
@given(seeds_of_cases, st.sampled_from(FPI_OVER), st.sampled_from(["lesion", "image"]))
def test_bootstrap_is_the_curve_of_the_drawn_patients(seed, over, unit):
    its = random_fold(seed)
    definition, at = Definition(fpi_over=over, unit=unit), [0, 0.5, 1, 3]
    patients = its.images["patient_id"].unique()
    draws = resampling.draws(len(patients), 4, np.random.default_rng(seed))
    found = froc.bootstrap(counts(its, definition), draws, at)
    for draw, values in zip(draws, found, strict=True):
        copies = [
            (image, f"{image}-{copy}")
            for image, patient in its.images[["image_id", "patient_id"]].itertuples(index=False)
            for copy in range(draw[patients.tolist().index(patient)])
        ]
        lesions, detections = (
            pd.concat([table[table["image_id"] == image].assign(image_id=copy) for image, copy in copies])
            for table in (its.lesions, its.detections)
        )
        again = fold(
            {copy: copy for _, copy in copies},
            lesions.reset_index(drop=True),
            detections.reset_index(drop=True),
        )
        counted = counts(again, definition)
        if not counted.defined:
            assert np.isnan(values).all()
            continue
        drawn = froc.curve(counted)
        np.testing.assert_allclose(values, froc.tpr_at(drawn.tpr, drawn.fpi, at)[0])


@settings(max_examples=50)
@given(seeds_of_cases, st.booleans(), st.sampled_from(FPI_OVER), st.sampled_from(UNITS))
def test_bootstrap_agrees_with_counts_of_every_patient_at_every_threshold(seed, scored, over, unit):
    found = counts(
        random_fold(seed, scored), Definition("candidate" if scored else "paper", fpi_over=over, unit=unit)
    )
    draws, at = resampling.draws(len(found.targets), 5, np.random.default_rng(seed)), [0, 0.3, 1, 4]
    hits, false_positives = (at_thresholds(each) for each in (found.hits, found.false_positives))
    for draw, values in zip(draws, froc.bootstrap(found, draws, at), strict=True):
        targets, images = sum(draw * found.targets), sum(draw * found.images)
        if not targets or not images:
            assert np.isnan(values).all()
            continue
        points = [
            (sum(draw * f) / images, sum(draw * h) / targets)
            for f, h in zip(false_positives, hits, strict=True)
        ]
        assert values.tolist() == [max([0, *(tpr for fpi, tpr in points if fpi <= x)]) for x in at]


def test_parts_of_the_draws_give_what_all_at_once_do(monkeypatch):
    found = counts(random_fold(5))
    draws = resampling.draws(len(found.targets), 9, np.random.default_rng(0))
    whole = froc.bootstrap(found, draws, [0.5, 1])
    monkeypatch.setattr(resampling, "_VALUES", 1)
    assert len(list(resampling.parts(9, 1))) == 9
    np.testing.assert_array_equal(froc.bootstrap(found, draws, [0.5, 1]), whole)


# -- Tables


def evaluated(folds=None, **changes):
    return froc_report.evaluate(folds or two_folds(), settings_with(**changes), seed=1)


@pytest.fixture(scope="module")
def report():
    return evaluated()


def operating_point(report, fpi, **changes):
    found = Definition(**changes).rows(report.operating_points)
    found = found[found["fpi"] == fpi]
    assert len(found) == 1
    return found.iloc[0]


def tables(report):
    return [getattr(report, name) for name in froc_report.TABLES]


def written_and_read(report, folder):
    paths = {name: folder / f"{name}.csv" for name in froc_report.TABLES}
    froc_report.write(report, paths)
    return [table.read(paths[name]) for name, table in froc_report.TABLES.items()]


def test_report_over_folds(report, tmp_path):
    low = operating_point(report, 0.125)
    assert (low["tpr_mean"], low["tpr_std"], low["folds"], low["folds_reached"]) == (0.5, 0, 2, 2)
    assert (low["t_low"], low["t_high"]) == (0.5, 0.5)
    high = operating_point(report, 0.5)
    assert (high["tpr_mean"], high["folds_reached"]) == (1, 0)
    # In each fold one false positive, on a normal image of two.
    assert (high["fpi_normal"], high["fpi_mass"], high["folds_normal"]) == (0.5, 0, 2)
    assert (high["targets"], high["images"]) == (4, 8)
    strict = operating_point(report, 0.25, iou=0.5)
    assert strict["tpr_mean"] == 0.75
    assert operating_point(report, 1, subset="medium")["folds"] == 1
    assert operating_point(report, 1, subset="large")["folds"] == 0
    assert operating_point(report, 1, fpi_over="mass")["images"] == 4
    assert set(report.points["mode"]) == {"paper", "candidate"}
    for frame, again in zip(tables(report), written_and_read(report, tmp_path), strict=True):
        pd.testing.assert_frame_equal(again, frame)


def test_operating_points_are_the_mean_of_the_folds(report):
    keys = [*Definition().key, "fpi"]
    folds = report.folds.groupby(keys)
    told = report.operating_points.set_index(keys).sort_index()
    there = told[told["folds"] > 0]
    np.testing.assert_allclose(folds["tpr"].mean().loc[there.index], there["tpr_mean"])
    np.testing.assert_array_equal(folds["reached"].sum().loc[there.index], there["folds_reached"])
    assert len(folds) == len(there)
    assert (report.folds["fpi_there"] <= report.folds["fpi"]).all()
    # Read at a point of the curve of that fold.
    own = Definition().rows(report.points).set_index(["fold", "threshold"])
    for row in Definition().rows(report.folds).to_dict("records"):
        point = own.loc[(row["fold"], row["threshold"])]
        assert (point["tpr"], point["fpi"]) == (row["tpr"], row["fpi_there"])


def test_every_definition_of_the_protocol_has_its_points(report):
    evaluation = settings_with()
    definitions = evaluation.protocol()
    assert len(definitions) == len(set(definitions)) > 15
    at = report.operating_points["fpi"].nunique()
    for definition in definitions:
        assert len(definition.rows(report.operating_points)) == at
    assert len(report.operating_points) == at * len({*definitions, *evaluation.drawn()})


def test_draws_are_the_same_for_all_models_and_give_the_interval(report):
    other = evaluated([with_boxes(each, rows()) for each in two_folds()])
    keys = ["mode", "measure", "fpi", "draw"]
    pd.testing.assert_frame_equal(report.draws[keys], other.draws[keys])
    point = operating_point(report, 0.125)
    drawn = report.draws[(report.draws["mode"] == "paper") & (report.draws["fpi"] == 0.125)]["value"]
    assert (point["bootstrap_low"], point["bootstrap_high"]) == pytest.approx(
        tuple(np.percentile(drawn, [2.5, 97.5]))
    )


def test_areas_stand_in_the_report():
    # In each fold a lesion at 0.9 and one at 0.4, and normal images with 0.4 and without any.
    report = evaluated(mode="candidate")
    merits = report.merits.set_index("measure")
    assert merits.loc["wAFROC", "mean"] == pytest.approx((2 + 0.5 + 1) / 4)
    assert merits.loc["wAFROC1", "mean"] == pytest.approx((4 + 3 + 0.5) / 8)
    assert merits["folds"].tolist() == [2, 2]


def test_given_boxes_have_one_mode(report, tmp_path):
    ours = report
    folds = [each._replace(detections=each.candidates) for each in two_folds()]
    report = froc_report.evaluate(folds, settings_with(), seed=1, boxes_of=matching.of_scores)
    for frame in (report.points, report.curve, report.operating_points, report.draws):
        assert set(frame["mode"]) == {"candidate"}
    for column in ("tpr_mean", "bootstrap_low"):
        np.testing.assert_array_equal(
            Definition("candidate").rows(report.operating_points)[column],
            Definition("candidate").rows(ours.operating_points)[column],
        )
    assert froc_report.sentence(report).endswith("mode candidate")
    written_and_read(report, tmp_path)


def test_one_table_of_detections_is_in_memory_at_a_time():
    folds = two_folds() * 3
    splits = pd.concat([each.images.assign(fold=number, role="test") for number, each in enumerate(folds)])
    images = pd.concat([each.images for each in folds[:2]])
    lesions = pd.concat([each.lesions for each in folds[:2]])
    there = []

    def read(number):
        assert all(table() is None for table in there)
        table = folds[number].detections.copy()
        there.append(weakref.ref(table))
        return table

    report = evaluated(
        folds_of(splits, lesions, map(read, range(6)), images, candidates=[each.candidates for each in folds])
    )
    assert len(there) == 6
    expected = evaluated([each._replace(number=number) for number, each in enumerate(folds)])
    for frame, other in zip(tables(report), tables(expected), strict=True):
        pd.testing.assert_frame_equal(frame, other)


def test_report_is_reproducible(report):
    for first, second in zip(tables(report), tables(evaluated()), strict=True):
        pd.testing.assert_frame_equal(first, second)


def test_the_configured_definition_comes_first():
    report = evaluated(mode="candidate", iou=0.5, duplicates="false-positive")
    first = report.operating_points.iloc[0]
    assert (first["mode"], first["iou"], first["duplicates"]) == ("candidate", 0.5, "false-positive")
    keys = ["mode", "subset", "iou"]
    assert report.points[keys].drop_duplicates().to_numpy().tolist() == [
        ["candidate", "all", 0.5],
        ["paper", "all", 0.5],
        ["candidate", "small", 0.5],
        ["candidate", "medium", 0.5],
        ["paper", "small", 0.5],
        ["paper", "medium", 0.5],
    ]


# -- What may be missing


@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_fold_without_lesions_is_left_out(duplicates):
    first, second = two_folds()
    report = evaluated([first, second._replace(lesions=masses())], duplicates=duplicates)
    point = operating_point(report, 1, duplicates=duplicates)
    assert point["folds"] == 1
    assert np.isnan(point["tpr_std"])
    assert np.isnan(point["t_low"])
    assert 0 <= point["bootstrap_low"] <= point["bootstrap_high"] <= 1
    assert set(report.points["fold"]) == {0}


def test_no_lesion_anywhere(tmp_path):
    report = evaluated([each._replace(lesions=masses()) for each in two_folds()])
    assert (report.operating_points["folds"] == 0).all()
    assert (report.merits["folds"] == 0).all()
    assert report.points.empty
    assert (report.curve["fpi"].dtype, report.points["targets"].dtype) == (float, int)
    assert froc_report.sentence(report) == "no lesion in any fold, no TPR"
    for frame, again in zip(tables(report), written_and_read(report, tmp_path), strict=True):
        assert len(again) == len(frame)


def test_no_normal_image_has_no_area_over_them_and_no_fpi_on_them():
    its = [
        with_boxes(
            each, each.detections[each.detections["image_id"].str.match(".[ab]")], images=each.images[:2]
        )
        for each in two_folds()
    ]
    report = evaluated(its)
    merits = report.merits.set_index("measure")
    assert merits["folds"].to_dict() == {"wAFROC": 0, "wAFROC1": 2}
    assert np.isnan(merits.loc["wAFROC", "mean"])
    assert merits.loc["wAFROC1", "mean"] == 1
    point = operating_point(report, 1)
    assert (point["folds"], point["folds_normal"], point["fpi_mass"]) == (2, 0, 0)
    assert np.isnan(point["fpi_normal"])
    assert operating_point(report, 1, fpi_over="normal")["folds"] == 0


def test_one_fold_without_normal_images_is_left_out_where_they_are_needed():
    first, second = two_folds()
    lesion = masses(*[(name, (0, 0, 10, 10)) for name in second.images["image_id"]])
    report = evaluated([first, second._replace(lesions=lesion)])
    assert operating_point(report, 1, fpi_over="normal")["folds"] == 1
    assert operating_point(report, 1)["folds"] == 2
    assert operating_point(report, 1)["folds_normal"] == 1
    assert report.merits.set_index("measure")["folds"].to_dict() == {"wAFROC": 1, "wAFROC1": 2}


def test_no_box_anywhere(tmp_path):
    report = evaluated([with_boxes(each, rows()) for each in two_folds()])
    assert (report.points[["hits", "false_positives"]] == 0).all(axis=None)
    point = operating_point(report, 1, mode="candidate")
    assert (point["tpr_mean"], point["folds_reached"], point["bootstrap_high"]) == (0, 0, 0)
    # Nothing is marked anywhere: every pair is a tie.
    assert report.merits["mean"].tolist() == [0.5, 0.5]
    written_and_read(report, tmp_path)


def test_a_single_patient_has_a_curve_but_cannot_be_drawn_again(tmp_path):
    its = fold({"a": "p"}, masses(("a", (0, 0, 10, 10))), rows(("a", 0.5, (0, 0, 10, 10), 0.9)))
    report = evaluated([its])
    point = operating_point(report, 1)
    assert point["tpr_mean"] == 1
    assert np.isnan(point["bootstrap_low"])
    assert report.draws["value"].isna().all()
    assert froc_report.sentence(report) == "TPR 1.00 at 1 FPI over 1 folds, mode paper"
    written_and_read(report, tmp_path)


def test_lesions_of_one_patient_cannot_be_drawn_again_either():
    first, second = two_folds()
    folds = [each._replace(images=each.images.assign(patient_id=list("ppqr"))) for each in (first, second)]
    assert np.isnan(operating_point(evaluated(folds), 1)["bootstrap_low"])
    assert operating_point(evaluated([first, folds[1]]), 1)["bootstrap_high"] == 1


def test_all_sizes_are_reported_even_where_there_is_none(report):
    for size in SIZES:
        assert operating_point(report, 1, subset=size)["folds"] >= 0


def as_one(folds):
    """The images of several folds as those of one; names of images and patients differ between them."""

    def named(table, number, columns=("image_id",)):
        return table.assign(**{column: f"{number}/" + table[column] for column in columns})

    return Fold(
        0,
        pd.concat(
            [named(each.images, n, ("image_id", "patient_id")) for n, each in enumerate(folds)],
            ignore_index=True,
        ),
        pd.concat([named(each.lesions, n) for n, each in enumerate(folds)], ignore_index=True),
        pd.concat([named(each.detections, n) for n, each in enumerate(folds)], ignore_index=True),
        candidates=pd.concat(
            [named(each.candidates, n) for n, each in enumerate(folds) if each.candidates is not None]
            or [rows()]
        ),
    )


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=4), st.booleans())
def test_pooled_folds_are_all_their_images_as_one_fold(seeds, scored):
    definition = Definition(mode="candidate" if scored else "paper")
    folds = [random_fold(seed, scored) for seed in seeds]
    pooled = froc.pooled([line(each, definition) for each in folds], definition.mode)
    whole = line(as_one(folds), definition)
    for name in ("thresholds", "hits", "false_positives", "normal_false_positives", "mass_false_positives"):
        np.testing.assert_array_equal(getattr(pooled, name), getattr(whole, name), err_msg=name)
    for name in ("targets", "images", "normal_images", "mass_images"):
        assert getattr(pooled, name) == getattr(whole, name)


@pytest.mark.parametrize("scored", [False, True])
def test_pooled_tables_have_the_images_of_every_fold(scored):
    """Also of one without lesions of a subset: its false positives count. Thirty folds, so that some are."""
    folds = [random_fold(seed, scored)._replace(number=seed) for seed in range(30)]
    boxes_of = matching.of_scores if scored else matching.of_maps
    found, one = (
        froc_report.evaluate(each, settings_with(bootstrap=1), 1, boxes_of)
        for each in (folds, [as_one(folds)])
    )
    assert found.operating_points["folds"].between(1, 29).any()
    points, expected = found.operating_points, one.operating_points
    np.testing.assert_array_equal(points["tpr_pooled"], expected["tpr_pooled"])
    np.testing.assert_array_equal(points["tpr_pooled"], expected["tpr_mean"])
    pd.testing.assert_frame_equal(
        found.pooled.reset_index(drop=True), one.points[found.pooled.columns].reset_index(drop=True)
    )


def test_the_ceiling_has_what_any_threshold_finds():
    """New boxes find one lesion at the high threshold and lose it at the low one, where they find another."""
    lesions = masses(("a", (0, 0, 10, 10)), ("a", (50, 50, 60, 60)), ("b", (0, 0, 10, 10)))
    detections = rows(("a", 0.5, (0, 0, 10, 10), 0.9), ("a", 0.25, (48, 48, 60, 60), 0.9))
    its = fold({"a": "p", "b": "q"}, lesions, detections)
    points = froc_report.evaluate([its], settings_with(), 1).operating_points
    own = Definition().rows(points)
    assert own["tpr_ceiling"].tolist() == pytest.approx([2 / 3] * len(own))
    assert own["tpr_mean"].max() == pytest.approx(1 / 3)
    of_images = Definition(unit="image").rows(points)
    assert of_images["tpr_ceiling"].tolist() == [0.5] * len(of_images)


def test_one_fold_pooled_is_itself_and_two_are_not_their_mean():
    report = froc_report.evaluate(two_folds()[:1], settings_with(), 1)
    points = report.operating_points
    np.testing.assert_array_equal(points["tpr_pooled"], points["tpr_mean"])
    one = Definition().rows(report.points)[["threshold", "tpr", "fpi"]].to_numpy()
    np.testing.assert_array_equal(Definition().rows(report.pooled)[["threshold", "tpr", "fpi"]], one)
    both = froc_report.evaluate(two_folds(), settings_with(), 1)
    rows_of_own = Definition().rows(both.pooled)
    assert rows_of_own["images"].unique().tolist() == [8]
    assert rows_of_own["targets"].unique().tolist() == [4]
