import numpy as np
import pandas as pd
import pytest
from froc_cases import boxes, fold, masses, random_fold
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mammoflow.evaluation import matching, resampling, wafroc
from mammoflow.evaluation.definitions import Definition
from mammoflow.evaluation.statistics import Rated

seeds_of_cases = st.integers(0, 2**32 - 1)
MISSED = -np.inf
CANDIDATE = Definition("candidate")


def area(its, measure="wAFROC"):
    found = ratings(its, measure)
    return found.area() if found.defined else None


def ratings(its, measure="wAFROC"):
    matches = matching.match(
        matching.of_scores(its)["candidate"], its.lesions, its.images["image_id"], CANDIDATE
    )
    return wafroc.ratings_of(matches, its, CANDIDATE, measure)


# The example of Chakraborty's book on FROC, "AFROC vs. wAFROC": 4 images without lesions and 5 with, the
# highest false positive of each, and the rating of each lesion.
NORMAL = np.array([MISSED, 0.5, 0.7, -0.3])
DISEASED = np.array([1.5, MISSED, MISSED, MISSED, MISSED])
RATINGS = np.array([0.9, -0.2, 1.6, MISSED, 3, 2, 1, 2.5, 1])
IMAGE = np.array([0, 1, 2, 2, 3, 3, 4, 4, 4])


def book_area(false_positives, weights):
    one, five = np.ones(len(false_positives)), np.ones(5, int)
    lesions = Rated(RATINGS, weights, IMAGE)
    rated = Rated(false_positives, one, np.arange(len(one)) % 5)
    return wafroc.Ratings(lesions, rated, np.bincount(rated.patient, minlength=5), five).area()


def test_book_example_with_its_weights():
    # Points (0, 0), (0, 0.62), (0.5, 0.62), (0.5, 0.82), (0.75, 0.82), (1, 1) as the book lists them.
    weights = np.array([1, 1, 0.1, 0.9, 0.9, 0.1, 0.3, 0.4, 0.3])
    found = book_area(NORMAL, weights)
    assert found == pytest.approx(0.5 * 0.62 + 0.25 * 0.82 + 0.25 * (0.82 + 1) / 2)


def test_book_example_with_equal_weights_by_hand():
    weights = 1 / np.bincount(IMAGE)[IMAGE]
    # (0, 0.7), (0.5, 0.7), (0.5, 0.9), (0.75, 0.9), (1, 1).
    found = book_area(NORMAL, weights)
    assert found == pytest.approx(0.5 * 0.7 + 0.25 * 0.9 + 0.25 * 0.95)
    # Nine images: above 1.5 lie 1/2, 1 and 1/3 of five; 0.7 above 0.7 and 0.5; 0.9 above -0.3; nothing: 0.95.
    found = book_area(np.append(NORMAL, DISEASED), weights)
    assert found == pytest.approx(((0.5 + 1 + 1 / 3) / 5 + 0.7 + 0.7 + 0.9 + 5 * 0.95) / 9)


def book_fold():
    """The same example as boxes on images, ratings made positive."""
    spots = [(0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)]
    names = [*(f"n{number}" for number in range(4)), *(f"d{number}" for number in range(5))]
    place = np.concatenate([np.arange(count) for count in np.bincount(IMAGE)])
    lesions = [(f"d{image}", spots[spot]) for image, spot in zip(IMAGE, place, strict=True)]
    cells = [
        (*lesion, rating + 1) for lesion, rating in zip(lesions, RATINGS, strict=True) if rating > MISSED
    ]
    cells += [
        (name, (80, 80, 90, 90), rating + 1)
        for name, rating in zip(names, [*NORMAL, *DISEASED], strict=True)
        if rating > MISSED
    ]
    cells.append(("n2", (60, 60, 70, 70), 1.6))  # the book's second false positive of that image
    return fold({name: name for name in names}, masses(*lesions), boxes(*cells))


def test_boxes_are_rated_as_the_book_rates_them():
    assert area(book_fold()) == pytest.approx(0.8125)
    assert area(book_fold(), "wAFROC1") == pytest.approx(0.8240740740)


def test_perfect_and_useless_detectors():
    spot = (0, 0, 10, 10)
    images, lesions = {"a": "p", "b": "q"}, masses(("a", spot))
    assert area(fold(images, lesions, boxes(("a", spot, 0.9)))) == 1
    assert area(fold(images, lesions, boxes(("b", spot, 0.9)))) == 0
    assert area(fold(images, lesions, boxes())) == 0.5
    assert area(fold(images, lesions, boxes(("a", spot, 0.9), ("b", spot, 0.9)))) == 0.5


def test_needs_images_of_both_kinds():
    spot = (0, 0, 10, 10)
    assert area(fold({"a": "p"}, masses(("a", spot)), boxes(("a", spot, 0.9)))) is None
    assert area(fold({"a": "p"}, masses(("a", spot)), boxes(("a", spot, 0.9))), "wAFROC1") == 1
    assert area(fold({"a": "p"}, masses(), boxes(("a", spot, 0.9)))) is None


@settings(max_examples=100)
@given(seeds_of_cases, st.sampled_from(wafroc.MEASURES))
def test_area_is_the_weighted_mann_whitney_statistic_of_sklearn(seed, measure):
    # Lesions far apart, so that ratings can be told without matching.
    generator = np.random.default_rng(seed)
    names = [f"i{number}" for number in range(generator.integers(2, 8))]
    lesions, cells, ratings, weights, highest = [], [], [], [], {}
    for name in names:
        count = generator.integers(0, 4)
        for spot in range(count):
            box = (100 * spot, 0, 100 * spot + 20, 20)
            lesions.append((name, box))
            rating = generator.integers(0, 6)
            ratings.append(rating)
            weights.append(1 / count)
            cells += [(name, box, level) for level in {rating, max(1, rating - 2)} if rating]
        false = generator.integers(0, 6, generator.integers(0, 3))
        cells += [
            (name, (900, 100 * number, 920, 100 * number + 20), rating)
            for number, rating in enumerate(false)
            if rating
        ]
        if measure == "wAFROC1" or not count:
            highest[name] = max(false, default=0)
    assume(ratings and highest)
    found = area(fold({name: name for name in names}, masses(*lesions), boxes(*cells)), measure)
    expected = roc_auc_score(
        [1] * len(ratings) + [0] * len(highest),
        [*ratings, *highest.values()],
        sample_weight=[*weights, *[1] * len(highest)],
    )
    assert found == pytest.approx(expected)


@settings(max_examples=40)
@given(seeds_of_cases, st.sampled_from(wafroc.MEASURES))
def test_bootstrap_is_the_area_of_the_drawn_patients(seed, measure):
    its = random_fold(seed, scored=True)
    patients = its.images["patient_id"].unique().tolist()
    draws = resampling.draws(len(patients), 3, np.random.default_rng(seed))
    for draw, found in zip(draws, ratings(its, measure).areas(draws), strict=True):
        copies = [
            (image, f"{image}-{copy}")
            for image, patient in its.images[["image_id", "patient_id"]].itertuples(index=False)
            for copy in range(draw[patients.index(patient)])
        ]
        lesions, detections = (
            pd.concat(
                [table[table["image_id"] == image].assign(image_id=copy) for image, copy in copies],
                ignore_index=True,
            )
            for table in (its.lesions, its.detections)
        )
        again = area(fold({copy: copy for _, copy in copies}, lesions, detections), measure)
        assert np.isnan(found) if again is None else found == pytest.approx(again)


@settings(max_examples=60)
@given(seeds_of_cases, st.sampled_from(wafroc.MEASURES))
def test_areas_of_draws_are_sums_over_all_pairs(seed, measure):
    found = ratings(random_fold(seed, scored=True), measure)
    draws = resampling.draws(len(found.counted), 4, np.random.default_rng(seed))
    for draw, value in zip(draws, found.areas(draws), strict=True):
        images = (draw @ found.counted) * (draw @ found.diseased)
        total = sum(
            draw[patient] * draw[other] * weight * ((rating > highest) + 0.5 * (rating == highest))
            for rating, weight, patient in zip(*found.lesions, strict=True)
            for highest, _, other in zip(*found.false_positives, strict=True)
        )
        assert np.isnan(value) if not images else value == pytest.approx(total / images, abs=1e-12)
