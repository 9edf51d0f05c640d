import io
import weakref
from contextlib import redirect_stdout
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import roc_curve

from mammoflow import froc
from mammoflow.boxes import BOX
from mammoflow.contracts.detections import DETECTIONS
from mammoflow.contracts.froc import CURVE, OPERATING_POINTS, POINTS
from mammoflow.contracts.index import LESIONS

SETTINGS = {
    "mode": "paper",
    "iou": 0.2,
    "duplicates": "ignore",
    "operating_points": [0.25, 0.5],
    "size_strata_cm2": [1, 4],
    "bootstrap": 50,
}
seeds_of_cases = st.integers(0, 2**32 - 1)


def rows(*cells):
    """Detections: (image, threshold, box, score)."""
    columns = list(DETECTIONS.columns)
    frame = pd.DataFrame([(image, level, *box, score) for image, level, box, score in cells], columns=columns)
    return DETECTIONS.check(frame)


def masses(*cells, areas=None):
    """Lesions: (image, box)."""
    columns = list(LESIONS.columns)
    areas = areas or [np.nan] * len(cells)
    frame = [
        (image, f"{image}-{number}", *box, 9, area, "", "")
        for number, ((image, box), area) in enumerate(zip(cells, areas, strict=True))
    ]
    return LESIONS.check(pd.DataFrame(frame, columns=columns))


def fold(number, images, lesions, detections):
    """Fold of images {image: patient}."""
    frame = pd.DataFrame({"image_id": list(images), "patient_id": list(images.values())})
    return froc.Fold(number, frame, lesions, detections)


def points(boxes, lesions, image_ids, iou=0.2, duplicates="ignore"):
    matches = froc.match(boxes, lesions, image_ids, iou, duplicates)
    return froc.curve(matches, np.ones(len(lesions), bool))


def random_boxes(generator, count, size=12):
    corner = generator.integers(0, size - 2, (count, 2))
    return np.hstack([corner, corner + generator.integers(2, 8, (count, 2))])


def random_case(seed):
    """Boxes that come and go at thresholds, on a few images with lesions and without."""
    generator = np.random.default_rng(seed)
    images = [f"i{number}" for number in range(generator.integers(1, 5))]
    lesions = [
        (image, tuple(box))
        for image in images
        for box in random_boxes(generator, generator.integers(0, 4)).tolist()
    ]
    cells = []
    for image in images:
        for box in random_boxes(generator, generator.integers(0, 6)).tolist():
            low, high = np.sort(generator.integers(0, 8, 2))
            cells += [(image, level / 8, tuple(box), (high + 1) / 8) for level in range(low, high + 1)]
    return images, masses(*lesions), rows(*cells)


# -- Overlap and matching


def test_iou_of_hand_made_boxes():
    first = np.array([[0, 0, 10, 10]])
    second = np.array([[0, 0, 10, 10], [0, 5, 10, 15], [10, 0, 20, 10], [5, 5, 5, 5]])
    np.testing.assert_allclose(froc.overlap(first, second), [[1, 1 / 3, 0, 0]])


def test_no_boxes_overlap_nothing():
    assert froc.overlap(np.zeros((0, 4), int), np.zeros((2, 4), int)).shape == (0, 2)
    assert froc.assign(np.zeros((0, 2)), 0.2).shape == (0,)
    assert froc.assign(np.zeros((2, 0)), 0.2).tolist() == [-1, -1]


def test_hit_is_strictly_above_the_minimum():
    assert froc.assign(np.array([[0.2]]), 0.2).tolist() == [-1]
    assert froc.assign(np.array([[0.2001]]), 0.2).tolist() == [0]


def test_most_hits_before_largest_overlap():
    # The best pair alone (0.9) would leave the second lesion without a box.
    assert froc.assign(np.array([[0.9, 0.3], [0.3, 0.0]]), 0.2).tolist() == [1, 0]


@settings(max_examples=200, deadline=None)
@given(seeds_of_cases, st.integers(1, 4), st.integers(1, 4))
def test_matching_is_the_best_of_all(seed, boxes, lesions):
    iou = np.random.default_rng(seed).integers(0, 10, (boxes, lesions)) / 10
    assert gain(iou, froc.assign(iou, 0.2)) == pytest.approx(max(all_gains(iou)))


def gain(iou, assigned):
    pairs = [(box, lesion) for box, lesion in enumerate(assigned) if lesion >= 0]
    assert len({lesion for _, lesion in pairs}) == len(pairs)
    assert all(iou[pair] > 0.2 for pair in pairs)
    return len(pairs), sum(iou[pair] for pair in pairs)


def all_gains(iou):
    boxes, lesions = iou.shape
    for order in permutations([*range(lesions), *[-1] * boxes], boxes):
        if all(lesion < 0 or iou[box, lesion] > 0.2 for box, lesion in enumerate(order)):
            yield gain(iou, order)


# -- Hand-made curves


def test_one_lesion_one_false_positive():
    lesions = masses(("a", (0, 0, 10, 10)))
    detections = rows(
        ("a", 0.5, (0, 0, 10, 9), 0.8),
        ("a", 0.25, (0, 0, 10, 9), 0.8),
        ("a", 0.25, (50, 50, 60, 60), 0.4),
        ("b", 0.25, (50, 50, 60, 60), 0.4),
    )
    line = points(froc.alive(detections, ["a", "b", "c", "d"]), lesions, ["a", "b", "c", "d"])
    assert line.thresholds.tolist() == [np.inf, 0.5, 0.25]
    assert line.tpr.tolist() == [0, 1, 1]
    assert line.fpi.tolist() == [0, 0, 0.5]


def test_a_hit_is_lost_when_components_merge():
    lesions = masses(("a", (0, 0, 10, 10)))
    detections = rows(("a", 0.5, (0, 0, 10, 10), 0.9), ("a", 0.25, (0, 0, 100, 100), 0.9))
    line = points(froc.alive(detections, ["a"]), lesions, ["a"])
    assert line.hits.tolist() == [0, 1, 0]
    assert line.false_positives.tolist() == [0, 0, 1]
    tpr, reached = froc.tpr_at(line.tpr, line.fpi, [0, 1, 2])
    assert tpr.tolist() == [1, 1, 1]
    assert reached.tolist() == [True, True, False]


def test_a_weak_box_that_overlaps_more_takes_no_hit_before_it_is_there():
    lesions = masses(("a", (0, 0, 10, 10)))
    detections = rows(
        ("a", 0.5, (0, 0, 10, 5), 0.9), ("a", 0.25, (0, 0, 10, 5), 0.9), ("a", 0.25, (0, 0, 10, 9), 0.4)
    )
    line = points(froc.alive(detections, ["a"]), lesions, ["a"])
    assert line.hits.tolist() == [0, 1, 1]
    assert line.false_positives.tolist() == [0, 0, 0]


def test_duplicates_are_ignored_or_counted():
    lesions = masses(("a", (0, 0, 10, 10)))
    detections = rows(("a", 0.5, (0, 0, 10, 5), 0.9), ("a", 0.5, (0, 5, 10, 10), 0.9))
    boxes = froc.alive(detections, ["a"])
    assert points(boxes, lesions, ["a"]).false_positives.tolist() == [0, 0]
    assert points(boxes, lesions, ["a"], duplicates="false-positive").false_positives.tolist() == [0, 1]


def test_images_without_box_or_lesion_count():
    detections = rows(("a", 0.5, (0, 0, 10, 5), 0.9))
    line = points(froc.alive(detections, list("abcd")), masses(), list("abcd"))
    assert line.fpi.tolist() == [0, 0.25]
    assert (line.lesions, line.images) == (0, 4)


def test_hits_on_lesions_of_other_strata_are_neither():
    lesions = masses(("a", (0, 0, 10, 10)), ("a", (50, 50, 90, 90)), areas=[0.5, 9.0])
    detections = rows(
        ("a", 0.5, (0, 0, 10, 9), 0.9), ("a", 0.5, (50, 50, 90, 90), 0.9), ("a", 0.5, (20, 20, 30, 30), 0.9)
    )
    matches = froc.match(froc.alive(detections, ["a"]), lesions, ["a"], 0.2)
    for stratum in ("small", "large"):
        line = froc.curve(matches, froc.in_stratum(lesions["area_cm2"].to_numpy(), stratum, [1, 4]))
        assert (line.hits.tolist(), line.false_positives.tolist(), line.lesions) == ([0, 1], [0, 1], 1)


def test_strata_meet_at_their_edges_and_leave_unknown_areas_out():
    areas = np.array([0.99, 1, 4, 4.01, np.nan])
    chosen = {
        name: froc.in_stratum(areas, name, [1, 4]).nonzero()[0].tolist() for name in ("all", *froc.STRATA)
    }
    assert chosen == {"all": [0, 1, 2, 3, 4], "small": [0], "medium": [1, 2], "large": [3]}


def test_candidates_are_components_at_half_their_maximum():
    # Peaks of 0.8 and 0.6 on a saddle of 0.5, and one of 0.2 apart: the second peak's component at
    # 0.3 holds the first.
    both, first, second, third = (0, 0, 1, 9), (0, 0, 1, 4), (0, 5, 1, 9), (0, 12, 1, 14)
    cells = [("a", level / 10, both, 0.8) for level in range(5)]
    cells += [("a", level / 10, first, 0.8) for level in range(5, 8)]
    cells += [("a", 0.5, second, 0.6)]
    cells += [("a", level / 10, third, 0.2) for level in range(2)]
    chosen = froc.candidates(rows(*cells))
    assert chosen[["threshold", "x0", "x1", "score"]].to_numpy().tolist() == [
        [0.4, 0, 9, 0.8],
        [0.1, 12, 14, 0.2],
    ]


def test_candidates_with_equal_scores_come_together():
    boxes = froc.scored(
        rows(("a", 0, (0, 0, 9, 9), 0.5), ("a", 0, (20, 0, 29, 9), 0.5), ("a", 0, (40, 0, 49, 9), 0.25)),
        ["a"],
    )
    line = points(boxes, masses(("a", (0, 0, 9, 9))), ["a"])
    assert line.thresholds.tolist() == [np.inf, 0.5, 0.25]
    assert line.false_positives.tolist() == [0, 1, 2]


def test_never_reached_is_flagged():
    tpr, reached = froc.tpr_at(np.array([0, 0.5]), np.array([0, 0.25]), [0.1, 0.25, 0.26])
    assert tpr.tolist() == [0, 0.5, 0.5]
    assert reached.tolist() == [True, True, False]


# -- Against independent implementations


@settings(max_examples=60, deadline=None)
@given(seeds_of_cases, st.sampled_from(froc.DUPLICATES))
def test_every_threshold_agrees_with_brute_force(seed, duplicates):
    images, lesions, detections = random_case(seed)
    line = points(froc.alive(detections, images), lesions, images, duplicates=duplicates)
    levels = sorted(set(detections["threshold"]), reverse=True)
    assert line.thresholds.tolist() == [np.inf, *levels]
    for number, level in enumerate(levels, start=1):
        hits = false_positives = 0
        for image in images:
            there = detections[(detections["image_id"] == image) & (detections["threshold"] == level)]
            its = lesions[lesions["image_id"] == image]
            iou = froc.overlap(there[BOX].to_numpy(), its[BOX].to_numpy())
            found = max(all_gains(iou))[0]
            hits += found
            free = (~(iou > 0.2).any(axis=1)).sum()
            false_positives += free if duplicates == "ignore" else len(there) - found
        assert (line.hits[number], line.false_positives[number]) == (hits, false_positives)


@settings(max_examples=50, deadline=None)
@given(seeds_of_cases)
def test_order_of_rows_does_not_matter(seed):
    images, lesions, detections = random_case(seed)
    line = points(froc.alive(detections, images), lesions, images)
    shuffled = points(froc.alive(detections.sample(frac=1, random_state=seed), images), lesions, images)
    np.testing.assert_array_equal(line.hits, shuffled.hits)
    np.testing.assert_array_equal(line.false_positives, shuffled.false_positives)


@settings(max_examples=100, deadline=None)
@given(seeds_of_cases)
def test_candidate_mode_agrees_with_sklearn(seed):
    generator = np.random.default_rng(seed)
    images = ["a", "b", "c"]
    # Lesions far apart, so that a box can hit only one.
    lesions = masses(*[(image, (y, 0, y + 20, 20)) for image in images for y in (0, 100, 200)])
    cells = []
    for _ in range(generator.integers(2, 30)):
        y, x = generator.choice([0, 100, 200, 300]), 0
        box = (y + generator.integers(0, 5), x, y + 20, x + 15)
        cells.append((generator.choice(images), 0.0, box, generator.integers(1, 9) / 8))
    detections = rows(*cells)
    on_lesion = detections["y0"] < 300
    best = detections[on_lesion].groupby(["image_id", detections["y0"] // 100])["score"].max()
    false = detections[~on_lesion]["score"]
    assume(len(best) and len(false))
    fpr, tpr, _ = roc_curve([1] * len(best) + [0] * len(false), [*best, *false], drop_intermediate=False)
    line = points(froc.scored(detections, images), lesions, images)
    expected = np.unique(np.column_stack([fpr * len(false) / 3, tpr * len(best) / 9]), axis=0)
    # A threshold that only a duplicate has adds no point of its own.
    found = np.unique(np.column_stack([line.fpi, line.tpr]), axis=0)
    np.testing.assert_allclose(found, expected)


def test_size_strata_agree_with_coco():
    for seed in range(20):
        ours, theirs = coco_case(np.random.default_rng(seed))
        assert ours == theirs


def coco_case(generator):
    """Counts at the lowest threshold of the small stratum: ours, and COCO's with duplicates false."""
    # COCO matches greedily, so lesions lie apart; its IoU may equal the minimum, so that is raised a
    # little; a box outside the area range would be ignored, so only lesions' areas are made large.
    images = ["1", "2", "3"]
    spots = [(image, (y, 0, y + 20, 20)) for image in images for y in (0, 100, 200)]
    areas = generator.choice([0.5, 9.0], len(spots)).tolist()
    cells = []
    for score in generator.permutation(25):
        y = int(generator.choice([0, 100, 200, 300]) + generator.integers(0, 19))
        cells.append((str(generator.choice(images)), 0.0, (y, 0, y + 20, 20), (score + 1) / 100))
    detections, lesions = rows(*cells), masses(*spots, areas=areas)
    matches = froc.match(froc.scored(detections, images), lesions, images, 0.2, "false-positive")
    line = froc.curve(matches, froc.in_stratum(np.array(areas), "small", [1, 4]))

    def annotation(number, image, box, **more):
        y0, x0, y1, x1 = box
        size = [x0, y0, x1 - x0, y1 - y0]
        return {"id": number, "image_id": int(image), "category_id": 1, "bbox": size, "iscrowd": 0, **more}

    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": int(image)} for image in images],
            "categories": [{"id": 1}],
            "annotations": [
                annotation(number + 1, *spot, area=1 if area < 1 else 1e6)
                for number, (spot, area) in enumerate(zip(spots, areas, strict=True))
            ],
        }
        truth.createIndex()
        found = truth.loadRes(
            [annotation(number + 1, cell[0], cell[2], score=cell[3]) for number, cell in enumerate(cells)]
        )
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.iouThrs = np.array([0.2 + 1e-9])
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e5]], ["small"]
        evaluation.evaluate()
    counted = [
        (image["dtMatches"][0] > 0)[~image["dtIgnore"][0].astype(bool)] for image in evaluation.evalImgs
    ]
    counted = np.concatenate(counted)
    ours = (int(line.hits[-1]), int(line.false_positives[-1]))
    return ours, (int(counted.sum()), int((~counted).sum()))


@settings(max_examples=30, deadline=None)
@given(seeds_of_cases)
def test_bootstrap_is_the_curve_of_the_drawn_patients(seed):
    images, lesions, detections = random_case(seed)
    patients = {image: f"p{number // 2}" for number, image in enumerate(images)}
    its = fold(0, patients, lesions, detections)
    everything = np.ones(len(lesions), bool)
    at = [0, 0.5, 1, 3]
    matches = froc.match(froc.alive(detections, images), lesions, images, 0.2)
    drawn = froc.bootstrap(matches, its, everything, at, 5, np.random.default_rng(seed))
    names = sorted(set(patients.values()))
    draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=5)
    for draw, values in zip(draws, drawn, strict=True):
        copies = [
            (image, f"{image}-{copy}")
            for image in images
            for copy in range(draw[names.index(patients[image])])
        ]
        again = [
            pd.concat(
                [table[table["image_id"] == image].assign(image_id=copy) for image, copy in copies],
                ignore_index=True,
            )
            for table in (lesions, detections)
        ]
        copied = [copy for _, copy in copies]
        if again[0].empty:
            assert np.isnan(values).all()
            continue
        line = points(froc.alive(again[1], copied), again[0], copied)
        np.testing.assert_allclose(values, froc.tpr_at(line.tpr, line.fpi, at)[0])


# -- Tables


def two_folds():
    folds = []
    for number in range(2):
        names = [f"{number}{letter}" for letter in "abcd"]
        lesions = masses(
            (names[0], (0, 0, 10, 10)), (names[1], (0, 0, 10, 10)), areas=[0.5, 2.0 if number else 0.5]
        )
        detections = rows(
            (names[0], 0.5, (0, 0, 10, 10), 0.9),
            (names[0], 0.25, (0, 0, 10, 10), 0.9),
            (names[1], 0.25, (0, 0, 10, 10 - 5 * number), 0.4),
            (names[2], 0.25, (0, 0, 10, 10), 0.4),
        )
        folds.append(fold(number, dict(zip(names, "ppqr", strict=True)), lesions, detections))
    return folds


def operating_point(report, **keys):
    found = report.operating_points
    for name, value in keys.items():
        found = found[found[name] == value]
    assert len(found) == 1
    return found.iloc[0]


def test_report_over_folds(tmp_path):
    report = froc.evaluate(two_folds(), froc.Evaluation(**SETTINGS), seed=1)
    low = operating_point(report, mode="paper", stratum="all", iou=0.2, fpi=0.125)
    assert (low["tpr_mean"], low["tpr_std"], low["folds"], low["folds_reached"]) == (0.5, 0, 2, 2)
    assert (low["t_low"], low["t_high"]) == (0.5, 0.5)
    high = operating_point(report, mode="paper", stratum="all", iou=0.2, fpi=0.5)
    assert (high["tpr_mean"], high["folds_reached"]) == (1, 0)
    strict = operating_point(report, mode="paper", stratum="all", iou=0.5, fpi=0.25)
    assert strict["tpr_mean"] == 0.75
    assert operating_point(report, stratum="medium", fpi=1)["folds"] == 1
    assert operating_point(report, stratum="large", fpi=1)["folds"] == 0
    assert set(report.points["mode"]) == {"paper", "candidate"}
    for frame, table in zip(report, (POINTS, CURVE, OPERATING_POINTS), strict=True):
        table.write(frame, tmp_path / f"{table.name}.csv")
        pd.testing.assert_frame_equal(table.read(tmp_path / f"{table.name}.csv"), frame)


def test_one_table_of_detections_is_in_memory_at_a_time():
    folds = two_folds() * 3
    images = pd.concat([each.images.assign(fold=number, role="test") for number, each in enumerate(folds)])
    lesions = pd.concat([each.lesions for each in folds[:2]])
    alive = []

    def read(number):
        assert all(table() is None for table in alive)
        table = folds[number].detections.copy()
        alive.append(weakref.ref(table))
        return table

    arriving = froc.folds_of(images, lesions, map(read, range(6)))
    report = froc.evaluate(arriving, froc.Evaluation(**SETTINGS), seed=1)
    assert len(alive) == 6
    expected = froc.evaluate(
        [each._replace(number=number) for number, each in enumerate(folds)],
        froc.Evaluation(**SETTINGS),
        seed=1,
    )
    pd.testing.assert_frame_equal(report.points, expected.points)
    pd.testing.assert_frame_equal(report.operating_points, expected.operating_points)


def test_report_is_reproducible():
    first, second = (froc.evaluate(two_folds(), froc.Evaluation(**SETTINGS), seed=1) for _ in range(2))
    pd.testing.assert_frame_equal(first.operating_points, second.operating_points)


def test_candidate_mode_comes_first_when_configured():
    evaluation = froc.Evaluation(**SETTINGS | {"mode": "candidate", "iou": 0.5})
    report = froc.evaluate(two_folds(), evaluation, seed=1)
    found = report.operating_points[["mode", "stratum", "iou"]].drop_duplicates().to_numpy().tolist()
    assert found == [["candidate", name, 0.5] for name in ("all", *froc.STRATA)] + [["paper", "all", 0.5]]


@pytest.mark.parametrize("duplicates", froc.DUPLICATES)
def test_fold_without_lesions_is_left_out(duplicates):
    first, second = two_folds()
    without = second._replace(lesions=masses())
    evaluation = froc.Evaluation(**SETTINGS | {"duplicates": duplicates})
    report = froc.evaluate([first, without], evaluation, seed=1)
    point = operating_point(report, mode="paper", stratum="all", iou=0.2, fpi=1)
    assert point["folds"] == 1
    assert np.isnan(point["tpr_std"])
    assert np.isnan(point["t_low"])
    assert 0 <= point["bootstrap_low"] <= point["bootstrap_high"] <= 1
    assert set(report.points["fold"]) == {0}


def test_no_lesion_anywhere(tmp_path):
    report = froc.evaluate(
        [each._replace(lesions=masses()) for each in two_folds()], froc.Evaluation(**SETTINGS), seed=1
    )
    assert (report.operating_points["folds"] == 0).all()
    assert report.points.empty
    assert froc.sentence(report) == "no lesion in any fold, no TPR"
    for frame, table in zip(report, (POINTS, CURVE, OPERATING_POINTS), strict=True):
        table.write(frame, tmp_path / f"{table.name}.csv")
        assert len(table.read(tmp_path / f"{table.name}.csv")) == len(frame)


def test_no_box_anywhere():
    report = froc.evaluate(
        [each._replace(detections=rows()) for each in two_folds()], froc.Evaluation(**SETTINGS), seed=1
    )
    assert (report.points[["hits", "false_positives"]] == 0).all(axis=None)
    point = operating_point(report, mode="candidate", fpi=1)
    assert (point["tpr_mean"], point["folds_reached"], point["bootstrap_high"]) == (0, 0, 0)


def test_single_patient_and_no_normal_image():
    lesions = masses(("a", (0, 0, 10, 10)))
    detections = rows(("a", 0.5, (0, 0, 10, 10), 0.9))
    report = froc.evaluate([fold(0, {"a": "p"}, lesions, detections)], froc.Evaluation(**SETTINGS), seed=1)
    point = operating_point(report, mode="paper", stratum="all", iou=0.2, fpi=1)
    assert (point["tpr_mean"], point["bootstrap_low"], point["bootstrap_high"]) == (1, 1, 1)
    assert froc.sentence(report) == "TPR 1.00 at 1 FPI over 1 folds, mode paper"


# -- What is refused


def test_fold_of_takes_its_test_images_only():
    splits = pd.DataFrame(
        {
            "image_id": ["a", "b", "a", "b"],
            "patient_id": ["p", "q", "p", "q"],
            "fold": [0, 0, 1, 1],
            "role": ["test", "train", "train", "test"],
        }
    )
    lesions = masses(("a", (0, 0, 9, 9)), ("b", (0, 0, 9, 9)))
    found = froc.fold_of(1, splits, lesions, rows())
    assert found.images["image_id"].tolist() == ["b"]
    assert found.lesions["image_id"].tolist() == ["b"]
    with pytest.raises(ValueError, match="test images of fold 2, got none"):
        froc.fold_of(2, splits, lesions, rows())


def test_detection_in_an_unknown_image():
    with pytest.raises(ValueError, match=r"detections: expected images .* got 'z'"):
        froc.alive(rows(("z", 0.5, (0, 0, 9, 9), 0.9)), ["a"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"mode": "coco"}, "mode of paper or candidate, got 'coco'"),
        ({"duplicates": "merge"}, "duplicates of ignore or false-positive, got 'merge'"),
        ({"iou": 1.5}, r"iou in \[0, 1\), got 1.5"),
        ({"size_strata_cm2": [4, 1]}, r"two ascending size_strata_cm2, got \[4, 1\]"),
    ],
)
def test_settings_without_meaning(setting, message):
    with pytest.raises(ValueError, match=message):
        froc.Evaluation(**SETTINGS | setting)
