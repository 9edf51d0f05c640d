import weakref

import numpy as np
import pandas as pd
import pytest
from froc_cases import at_thresholds, fold, line, masses, random_fold, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.base.boxes import BOX, overlap
from mammoflow.base.contracts.detections import DETECTIONS
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import components
from mammoflow.evaluation import matching
from mammoflow.evaluation.definitions import DUPLICATES, HITS, Definition

seeds_of_cases = st.integers(0, 2**32 - 1)


# -- Overlap and hit rules


def test_iou_of_hand_made_boxes():
    first = np.array([[0, 0, 10, 10]])
    second = np.array([[0, 0, 10, 10], [0, 5, 10, 15], [10, 0, 20, 10], [5, 5, 5, 5]])
    np.testing.assert_allclose(overlap(first, second), [[1, 1 / 3, 0, 0]])


@pytest.mark.parametrize("hit", HITS)
def test_no_boxes_hit_nothing(hit):
    linked, iou = matching.links(np.zeros((0, 4), int), np.zeros((2, 4), int), Definition(hit=hit))
    assert linked.shape == iou.shape == (0, 2)
    assert matching.assign(linked, iou).shape == (0,)
    assert matching.assign(np.zeros((2, 0), bool), np.zeros((2, 0))).tolist() == [-1, -1]


@pytest.mark.parametrize(("hit", "expected"), [("iou-above", [False, True]), ("iou-at-least", [True, True])])
def test_the_minimum_itself_is_a_hit_only_where_it_is_enough(hit, expected):
    lesion = np.array([[0, 0, 10, 10]])
    found = np.array([[0, 0, 10, 5], [0, 0, 10, 6]])  # IoU 0.5 and 0.6
    linked, _ = matching.links(found, lesion, Definition(hit=hit, iou=0.5))
    assert linked[:, 0].tolist() == expected


def test_a_centre_in_the_lesion_is_a_hit_at_any_overlap():
    lesion = np.array([[40, 40, 60, 60]])
    found = np.array([[0, 0, 100, 100], [50, 50, 90, 90], [0, 0, 80, 80], [45, 20, 55, 100], [0, 0, 79, 79]])
    linked, iou = matching.links(found, lesion, Definition(hit="centre-in-box"))
    # Centres (50, 50), (70, 70), (40, 40) on the first edge, (50, 60) on the last, (39.5, 39.5).
    assert linked[:, 0].tolist() == [True, False, True, False, False]
    assert iou[0, 0] == pytest.approx(0.04)


# -- Matching


def test_most_hits_before_largest_overlap():
    # The best pair alone (0.9) would leave the second lesion without a box.
    iou = np.array([[0.9, 0.3], [0.3, 0.0]])
    assert matching.assign(iou > 0.2, iou).tolist() == [1, 0]


@settings(max_examples=200)
@given(seeds_of_cases, st.integers(1, 4), st.integers(1, 4))
def test_matching_is_the_best_of_all(seed, boxes, lesions):
    generator = np.random.default_rng(seed)
    iou = generator.integers(0, 10, (boxes, lesions)) / 10
    linked = generator.random((boxes, lesions)) < 0.6  # as the rule of the centre gives it, whatever the IoU
    assert gain(linked, iou, matching.assign(linked, iou)) == pytest.approx(max(all_gains(linked, iou)))


def gain(linked, iou, assigned):
    pairs = [(box, lesion) for box, lesion in enumerate(assigned) if lesion >= 0]
    assert len({lesion for _, lesion in pairs}) == len(pairs)
    assert all(linked[pair] for pair in pairs)
    return len(pairs), sum(iou[pair] for pair in pairs)


def all_gains(linked, iou):
    return [gain(linked, iou, order) for order in orders(linked, ())]


def orders(linked, taken):
    """Every way to give each box nothing, or a lesion that it hits and no other box has."""
    if len(taken) == len(linked):
        return [taken]
    free = [lesion for lesion in np.flatnonzero(linked[len(taken)]) if lesion not in taken]
    return [order for choice in (-1, *free) for order in orders(linked, (*taken, choice))]


@settings(max_examples=100)
@given(seeds_of_cases, st.sampled_from(DUPLICATES), st.sampled_from(HITS), st.booleans())
def test_every_threshold_agrees_with_brute_force(seed, duplicates, hit, scored):
    its = random_fold(seed, scored)
    definition = Definition("candidate" if scored else "paper", hit, duplicates=duplicates)
    found = line(its, definition)
    when = its.detections["score" if scored else "threshold"].to_numpy(float)
    boxes, lesions = (table[BOX].to_numpy(int) for table in (its.detections, its.lesions))
    image_of_box, image_of_lesion = (table["image_id"].to_numpy() for table in (its.detections, its.lesions))
    levels = sorted(set(when), reverse=True)
    assert found.thresholds.tolist() == [np.inf, *levels]
    for number, level in enumerate(levels, start=1):
        hits = false_positives = 0
        for image in its.images["image_id"]:
            there = boxes[(image_of_box == image) & (when >= level if scored else when == level)]
            linked, iou = matching.links(there, lesions[image_of_lesion == image], definition)
            best = max(all_gains(linked, iou))[0]
            hits += best
            free = (~linked.any(axis=1)).sum()
            false_positives += free if duplicates == "ignore" else len(there) - best
        assert (found.hits[number], found.false_positives[number]) == (hits, false_positives)


@settings(max_examples=100)
@given(seeds_of_cases, st.sampled_from(DUPLICATES), st.sampled_from(HITS), st.booleans())
def test_every_lesion_and_image_agrees_with_a_count_of_the_boxes_there(seed, duplicates, hit, scored):
    its = random_fold(seed, scored)
    definition = Definition("candidate" if scored else "paper", hit, duplicates=duplicates)
    boxes = (matching.of_scores if scored else matching.of_maps)(its)[definition.mode]
    matches = matching.match(boxes, its.lesions, its.images["image_id"], definition)
    found = at_thresholds(matches.hit), at_thresholds(matches.false_positives)
    for place in range(len(boxes.thresholds)):
        alive = (boxes.start <= place) & (place < boxes.stop)
        for image, name in enumerate(its.images["image_id"]):
            marked = (its.lesions["image_id"] == name).to_numpy()
            here = boxes.boxes[alive & (boxes.image == image)]
            linked, iou = matching.links(here, its.lesions[BOX].to_numpy(float)[marked], definition)
            touching = linked.any(axis=1)
            lesion = matching.assign(linked[touching], iou[touching])
            expected = np.isin(np.arange(marked.sum()), lesion)
            assert found[0][place, marked].tolist() == expected.tolist()
            free = sum(~touching) if duplicates == "ignore" else len(here) - expected.sum()
            assert found[1][place, image] == free


@settings(max_examples=50)
@given(seeds_of_cases)
def test_order_of_rows_does_not_matter(seed):
    its = random_fold(seed)
    shuffled = line(its._replace(detections=its.detections.sample(frac=1, random_state=seed)))
    np.testing.assert_array_equal(line(its).hits, shuffled.hits)
    np.testing.assert_array_equal(line(its).false_positives, shuffled.false_positives)


@settings(max_examples=60)
@given(seeds_of_cases, st.sampled_from(DUPLICATES))
def test_fixed_boxes_never_lose_a_lesion_or_a_false_positive(seed, duplicates):
    its = random_fold(seed, scored=True)
    definition = Definition("candidate", duplicates=duplicates)
    matches = matching.match(
        matching.of_scores(its)["candidate"], its.lesions, its.images["image_id"], definition
    )
    assert (np.diff(at_thresholds(matches.hit).sum(axis=1)) >= 0).all()
    assert (np.diff(at_thresholds(matches.false_positives), axis=0) >= 0).all()


# -- Boxes of maps


def test_near_a_peak_the_papers_box_is_a_false_positive_and_the_candidate_a_hit():
    """The example in docs/detection.md: a round hill in the middle of a lesion."""
    y, x = np.mgrid[:60, :60]
    hill = (0.9 * np.clip(1 - np.hypot(y - 30, x - 30) / 20, 0, 1)).astype(np.float32)
    found = components.find(components.quantise(hill, 20))
    detections = components.rows(found, 20, "a", Geometry(60, 60, 0, 0, 60, 60, False, 1.0))
    its = fold({"a": "p"}, masses(("a", (20, 20, 41, 41))), detections)
    table = {0.85: (3, 0.02), 0.7: (9, 0.18), 0.65: (11, 0.27), 0.45: (19, 0.82), 0.1: (35, 0.36)}
    for threshold, expected in table.items():
        (box,) = detections.loc[np.isclose(detections["threshold"], threshold), BOX].to_numpy()
        (iou,) = overlap([box], its.lesions[BOX].to_numpy())[0]
        assert (box[2] - box[0], iou.round(2)) == expected
    paper = line(its)
    assert paper.thresholds[paper.hits > 0].max() == 0.65
    assert paper.thresholds[paper.false_positives > 0].min() == 0.7
    candidate = line(its, Definition("candidate"))
    assert candidate.hits.tolist() == [0, 1]
    assert candidate.thresholds[1] == 0.9
    assert not candidate.false_positives.any()


@settings(max_examples=100)
@given(seeds_of_cases)
def test_boxes_of_several_tables_are_those_of_all_rows_together(seed):
    its = random_fold(seed)
    generator = np.random.default_rng(seed)
    # Few rows, so that tables lack thresholds of the others, and scores that differ within a box.
    rows_of_all = its.detections[generator.random(len(its.detections)) < 0.8]
    rows_of_all = rows_of_all.assign(score=generator.random(len(rows_of_all)))
    table = rows_of_all["image_id"].map(lambda name: int(name[1:]) % 3)
    tables = [rows_of_all[table == number] for number in range(3)]
    thresholds = matching.distinct(each["threshold"] for each in tables)
    whole = pd.concat(tables)
    assert thresholds.tolist() == sorted(set(whole["threshold"]))
    found, expected = (
        matching.alive(each, thresholds, its.images["image_id"]) for each in (iter(tables), [whole])
    )
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), values, err_msg=name)


def test_one_of_several_tables_is_in_memory_at_a_time():
    there = []

    def read(image):
        assert all(table() is None for table in there)
        table = rows((image, 0.5, (0, 0, 9, 9), 0.9))
        there.append(weakref.ref(table))
        return table

    found = matching.alive(map(read, "abc"), np.array([0.5]), list("abc"))
    assert found.image.tolist() == [0, 1, 2]


def test_a_box_is_absent_at_a_threshold_of_another_table():
    low, high, other = (("a", 0.25), ("a", 0.75), ("b", 0.5))
    tables = [rows(*((*each, (0, 0, 9, 9), 0.9) for each in (low, high))), rows((*other, (0, 0, 9, 9), 0.9))]
    found = matching.alive(tables, np.array([0.25, 0.5, 0.75]), ["a", "b"])
    assert list(zip(found.image.tolist(), found.start.tolist(), found.stop.tolist(), strict=True)) == [
        (0, 2, 3),
        (0, 0, 1),
        (1, 1, 2),
    ]
    with pytest.raises(ValueError, match=r"detections: expected the given 2 thresholds, got 0\.5"):
        matching.alive(tables, np.array([0.25, 0.75]), ["a", "b"])


def test_detection_in_an_unknown_image():
    its = fold({"a": "p"}, masses(), rows(("z", 0.5, (0, 0, 9, 9), 0.9)))
    with pytest.raises(ValueError, match=r"detections: expected images .* got 'z'"):
        matching.of_maps(its)


def test_boxes_in_files_of_shards_are_those_of_one_table(tmp_path):
    its = random_fold(3)
    tables = [table for _, table in its.detections.groupby("image_id")]
    paths = [tmp_path / f"shard-{number}.parquet" for number in range(len(tables))]
    for table, path in zip(tables, paths, strict=True):
        DETECTIONS.write(table, path)
    assert len(paths) > 1
    expected = matching.of_maps(its._replace(detections=pd.concat(tables)))
    found = matching.of_files(its._replace(detections=None), paths)
    for mode, boxes in expected.items():
        for name, values in vars(boxes).items():
            np.testing.assert_array_equal(getattr(found[mode], name), values, err_msg=f"{mode}: {name}")
