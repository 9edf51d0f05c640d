"""Folds, boxes and lesions, hand-made and random, for the tests of the evaluation."""

import numpy as np
import pandas as pd

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detections import DETECTIONS
from mammoflow.base.contracts.index import LESIONS
from mammoflow.evaluation import froc, matching
from mammoflow.evaluation.definitions import Definition, Evaluation
from mammoflow.evaluation.folds import Fold

SETTINGS = {
    "mode": "paper",
    "hit": "iou-above",
    "iou": 0.2,
    "duplicates": "ignore",
    "lesions": "merged",
    "fpi_over": "all",
    "operating_points": [0.25, 0.5],
    "size_strata_cm2": [1, 4],
    "bootstrap": 50,
}
EDGES = (1, 4)


def settings_with(**changes):
    return Evaluation(**SETTINGS | changes)


def rows(*cells):
    """Detections: (image, threshold, box, score)."""
    columns = list(DETECTIONS.columns)
    frame = pd.DataFrame([(image, level, *box, score) for image, level, box, score in cells], columns=columns)
    return DETECTIONS.check(frame)


def boxes(*cells):
    """Scored boxes: (image, box, score)."""
    columns = ["image_id", "y0", "x0", "y1", "x1", "score"]
    return pd.DataFrame([(image, *box, score) for image, box, score in cells], columns=columns).astype(
        {"image_id": str, "score": float}
    )


def masses(*cells, areas=None, pathologies=None):
    """Lesions: (image, box)."""
    areas = areas or [np.nan] * len(cells)
    pathologies = pathologies or [""] * len(cells)
    frame = [
        (image, f"{image}-{number}", *box, 9, area, pathology, "")
        for number, ((image, box), area, pathology) in enumerate(zip(cells, areas, pathologies, strict=True))
    ]
    return LESIONS.check(pd.DataFrame(frame, columns=list(LESIONS.columns)))


def fold(images, lesions, detections, number=0, sides=None, contours=None):
    """Fold of images {image: patient}."""
    frame = pd.DataFrame(
        {
            "image_id": list(images),
            "patient_id": list(images.values()),
            "laterality": sides or [""] * len(images),
        }
    )
    candidates = half_height(detections) if "threshold" in detections else None
    return Fold(number, frame, lesions, detections, contours, candidates)


def with_boxes(its, detections, **changes):
    """The fold with other components, and the candidates among them."""
    return its._replace(detections=detections, candidates=half_height(detections), **changes)


def half_height(detections):
    """Candidates of a table of components: those at half the height of their peak, or the largest ones."""
    thresholds = np.unique(detections["threshold"])
    half = np.searchsorted(thresholds, detections["score"].to_numpy(float) / 2, side="right") - 1
    chosen = np.searchsorted(thresholds, detections["threshold"]) == half.clip(0)
    return detections.loc[chosen, ["image_id", *BOX, "score"]]


def counts(its, definition=None, edges=EDGES):
    """Counts of a fold whose detections are components of maps, or scored boxes."""
    definition = definition or Definition()
    of_maps = "threshold" in its.detections
    found = (matching.of_maps if of_maps else matching.of_scores)(its)[definition.mode]
    matches = matching.match(found, its.annotated(definition.lesions), its.images["image_id"], definition)
    return froc.count(matches, its, definition, edges)


def at_thresholds(changes):
    """Counts at each threshold, (t, n), of sparse changes."""
    return np.cumsum(changes.toarray(), axis=1)[:, :-1].T


def line(its, definition=None):
    """Curve of a fold."""
    return froc.curve(counts(its, definition))


def random_boxes(generator, count, size=12):
    corner = generator.integers(0, size - 2, (count, 2))
    return np.hstack([corner, corner + generator.integers(2, 8, (count, 2))])


def random_fold(seed, scored=False):
    """Few images with lesions and without; boxes that come and go at thresholds, or that have scores."""
    generator = np.random.default_rng(seed)
    names = [f"i{number}" for number in range(generator.integers(1, 7))]
    images = {name: f"p{number // 2}" for number, name in enumerate(names)}
    sides = generator.choice(["L", "R"], len(names)).tolist()
    lesions = [
        (name, tuple(box))
        for name in names
        for box in random_boxes(generator, generator.integers(0, 4)).tolist()
    ]
    areas = generator.choice([0.5, 2.0, 9.0, np.nan], len(lesions)).tolist()
    words = generator.choice(["BENIGN", "MALIGNANT", "BI-RADS 4a", "BI-RADS 2", ""], len(lesions)).tolist()
    cells = []
    for name in names:
        for box in random_boxes(generator, generator.integers(0, 6)).tolist():
            low, high = np.sort(generator.integers(0, 8, 2))
            if scored:
                cells.append((name, tuple(box), (high + 1) / 8))
            else:
                cells += [(name, level / 8, tuple(box), (high + 1) / 8) for level in range(low, high + 1)]
    found = boxes(*cells) if scored else rows(*cells)
    return fold(images, masses(*lesions, areas=areas, pathologies=words), found, sides=sides)


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
        folds.append(fold(dict(zip(names, "pqrs", strict=True)), lesions, detections, number))
    return folds
