"""Comparison of curves with independent implementations, under the definition that each of them uses."""

import io
from contextlib import redirect_stdout

import numpy as np
import pytest
from froc_cases import boxes, fold, line, masses
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from picai_eval.eval import evaluate_case
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import roc_curve

from mammoflow.evaluation.definitions import Definition

seeds_of_cases = st.integers(0, 2**32 - 1)
IMAGES = {"1": "p", "2": "p", "3": "q"}
# Lesions so far apart that a box can hit only one.
SPOTS = [(image, (y, 0, y + 20, 20)) for image in IMAGES for y in (0, 100, 200)]


def at_spots(generator, distinct=False):
    """Boxes near lesions, or near nothing, with scores that tie unless they are distinct."""
    count = generator.integers(2, 30)
    scores = (generator.permutation(count) + 1) / 64 if distinct else generator.integers(1, 9, count) / 8
    cells = []
    for score in scores:
        y = int(generator.choice([0, 100, 200, 300]) + generator.integers(0, 19))
        cells.append((str(generator.choice(list(IMAGES))), (y, 0, y + 20, 20), score))
    return cells


@settings(max_examples=200)
@given(seeds_of_cases)
def test_best_curve_agrees_with_sklearn(seed):
    # A lesion's score is that of its best box; a box on a lesion is no false positive.
    generator = np.random.default_rng(seed)
    best, false = {}, []
    cells = [(image, box[0] // 100, score) for image, box, score in at_spots(generator)]
    for image, place, score in cells:
        if place < 3:
            best[image, place] = max(score, best.get((image, place), 0))
        else:
            false.append(score)
    assume(best and false)
    fpr, tpr, _ = roc_curve(
        [1] * len(best) + [0] * len(false), [*best.values(), *false], drop_intermediate=False
    )
    detections = boxes(
        *((image, (100 * place, 0, 100 * place + 20, 15), score) for image, place, score in cells)
    )
    found = line(fold(IMAGES, masses(*SPOTS), detections), Definition("candidate"))
    expected = np.unique(np.column_stack([fpr * len(false) / 3, tpr * len(best) / 9]), axis=0)
    # A threshold that only a duplicate has adds no point of its own.
    np.testing.assert_allclose(np.unique(np.column_stack([found.fpi, found.tpr]), axis=0), expected)


@settings(max_examples=200)
@given(seeds_of_cases, st.sampled_from([0.1, 0.2, 0.5]))
def test_every_threshold_and_the_sizes_agree_with_coco(seed, iou):
    # COCO matches greedily from the highest score, by at least the IoU, and a further box on a lesion is a
    # false positive; a lesion out of range is ignored, and so is a box on it. A box that hits nothing is
    # ignored by its own area, so the range is that of boxes and only the ignored lesions are made larger.
    generator = np.random.default_rng(seed)
    cells = at_spots(generator, distinct=True)
    areas = generator.choice([0.5, 9.0], len(SPOTS)).tolist()
    definition = Definition("candidate", "iou-at-least", iou, "false-positive", subset="small")
    detections = boxes(*cells)
    lesions = masses(*SPOTS, areas=areas)
    ours = line(fold(IMAGES, lesions, detections), definition)

    def annotation(number, image, box, **more):
        y0, x0, y1, x1 = box
        size = [x0, y0, x1 - x0, y1 - y0]
        return {"id": number, "image_id": int(image), "category_id": 1, "bbox": size, "iscrowd": 0, **more}

    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": int(image)} for image in IMAGES],
            "categories": [{"id": 1}],
            "annotations": [
                annotation(number, *spot, area=1 if area < 1 else 1e6)
                for number, (spot, area) in enumerate(zip(SPOTS, areas, strict=True), start=1)
            ],
        }
        truth.createIndex()
        found = truth.loadRes(
            [annotation(number, *cell[:2], score=cell[2]) for number, cell in enumerate(cells, start=1)]
        )
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.iouThrs = np.array([iou])
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e5]], ["small"]
        evaluation.evaluate()
    seen = [image for image in evaluation.evalImgs if image]
    scores, matched, ignored = (
        np.concatenate([np.ravel(image[key]) for image in seen])
        for key in ("dtScores", "dtMatches", "dtIgnore")
    )
    for number, threshold in enumerate(ours.thresholds):
        counted = (scores >= threshold) & ~ignored.astype(bool)
        expected = ((matched > 0) & counted).sum(), ((matched == 0) & counted).sum()
        assert (ours.hits[number], ours.false_positives[number]) == expected


def apart(generator, count, size=24):
    """Random boxes of a square image that do not touch, not even at corners."""
    taken, found = np.zeros((size + 2, size + 2), bool), []
    for _ in range(count):
        y, x = generator.integers(0, size - 3, 2)
        height, width = generator.integers(2, 9, 2)
        box = (y, x, min(size, y + height), min(size, x + width))
        around = (slice(box[0], box[2] + 2), slice(box[1], box[3] + 2))
        if not taken[around].any():
            taken[box[0] + 1 : box[2] + 1, box[1] + 1 : box[3] + 1] = True
            found.append(tuple(map(int, box)))
    return found


def painted(cells, size=24):
    """Volume of one slice with the value of each box in it."""
    volume = np.zeros((1, size, size), np.float32)
    for (y0, x0, y1, x1), value in cells:
        volume[0, y0:y1, x0:x1] = value
    return volume


@settings(max_examples=200)
@given(seeds_of_cases, st.sampled_from([0.1, 0.2, 0.4]), st.sampled_from(["ignore", "false-positive"]))
def test_matching_at_every_threshold_agrees_with_picai(seed, iou, duplicates):
    # picai_eval matches all candidates once, so it is asked anew at every threshold; by at least the IoU.
    generator = np.random.default_rng(seed)
    images = {"a": "p", "b": "q"}
    lesions = {name: apart(generator, generator.integers(1, 12)) for name in images}
    found = {name: apart(generator, generator.integers(1, 20)) for name in images}
    scored = {name: [(box, generator.integers(1, 5) / 8) for box in found[name]] for name in images}
    its = fold(
        images,
        masses(*((name, box) for name in images for box in lesions[name])),
        boxes(*((name, box, score) for name in images for box, score in scored[name])),
    )
    ours = line(its, Definition("candidate", "iou-at-least", iou, duplicates))
    for number, threshold in enumerate(ours.thresholds[1:], start=1):
        verdicts = []
        for name in images:
            alive = [(box, score) for box, score in scored[name] if score >= threshold]
            verdicts += evaluate_case(
                painted(alive),
                painted([(box, 1) for box in lesions[name]]),
                min_overlap=iou,
                allow_unmatched_candidates_with_minimal_overlap=duplicates == "ignore",
            )[0]
        hits = sum(1 for target, score, _ in verdicts if target and score)
        false_positives = sum(1 for target, _, _ in verdicts if not target)
        assert (ours.hits[number], ours.false_positives[number]) == (hits, false_positives)


def point_in_mask(points, mask):
    """CAMELYON 16's split of detections: (false positive scores, best score of each label), 0 for missed.

    The published algorithm of ``monai.metrics.compute_fp_tp_probs`` (MONAI itself would bring PyTorch).
    """
    labels = np.array([mask[y, x] for y, x, _ in points], int)
    scores = np.array([score for _, _, score in points], float)
    return scores[labels == 0], [
        max(scores[labels == label], default=0) for label in range(1, mask.max() + 1)
    ]


def camelyon_curve(false, best, images):
    """As ``monai.metrics.compute_froc_curve_data``: it drops the lowest of all scores."""
    levels = sorted({*false, *best})[1:]
    fpi = [sum(score >= level for score in false) / images for level in levels]
    tpr = [sum(score >= level for score in best) / len(best) for level in levels]
    return [*fpi, 0], [*tpr, 0]


@settings(max_examples=200)
@given(seeds_of_cases)
def test_centres_in_lesions_agree_with_the_camelyon_evaluation(seed):
    generator = np.random.default_rng(seed)
    images = {"a": "p", "b": "q", "c": "r"}
    lesions, cells, false, best = [], [], [], []
    for name in images:
        its = apart(generator, generator.integers(0, 5))
        mask = np.zeros((24, 24), int)
        for label, (y0, x0, y1, x1) in enumerate(its, start=1):
            mask[y0:y1, x0:x1] = label
        points = [
            (*generator.integers(0, 24, 2).tolist(), generator.integers(1, 9) / 8)
            for _ in range(generator.integers(0, 8))
        ]
        wrong, right = point_in_mask(points, mask)
        false += wrong.tolist()
        best += right
        lesions += [(name, box) for box in its]
        for y, x, score in points:
            half = generator.integers(1, 6)
            cells.append((name, (y - half, x - half, y + half, x + half), score))
    # A lesion that nobody can find keeps the lowest threshold from being dropped.
    lesions.append(("c", (1000, 1000, 1010, 1010)))
    best.append(0)
    ours = line(fold(images, masses(*lesions), boxes(*cells)), Definition("candidate", "centre-in-box"))
    fpi, tpr = camelyon_curve(false, best, len(images))
    expected = np.unique(np.column_stack([fpi, tpr]), axis=0)
    np.testing.assert_allclose(np.unique(np.column_stack([ours.fpi, ours.tpr]), axis=0), expected)


def test_the_traps_of_the_oracles_are_where_they_are_said_to_be():
    # A weak box that overlaps more: matched once, picai_eval gives it the lesion and loses the strong one.
    strong, weak = ((0, 0, 10, 4), 0.9), ((0, 5, 10, 10), 0.1)
    verdicts, *_ = evaluate_case(painted([strong, weak]), painted([((0, 0, 10, 10), 1)]), min_overlap=0.2)
    assert [(target, score) for target, score, _ in verdicts] == [(1, pytest.approx(0.1))]
    its = fold({"a": "p"}, masses(("a", (0, 0, 10, 10))), boxes(*(("a", *cell) for cell in (strong, weak))))
    assert line(its, Definition("candidate")).hits.tolist() == [0, 1, 1]
