import json

import numpy as np
import pandas as pd
from froc_cases import masses
from sklearn.linear_model import LogisticRegression

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detections import CANDIDATES
from mammoflow.detection import candidate_scores
from mammoflow.detection.candidates import FEATURES, Settings

SETTINGS = Settings(0.6, (0.5,), 0.2, 0.6)
LESION = (0, 0, 20, 20)


def table(count=200, seed=0):
    """Candidates of two images: those on the lesion of image a have more contrast."""
    generator = np.random.default_rng(seed)
    on = generator.random(count) < 0.3
    corner = np.where(
        on[:, None], generator.integers(0, 3, (count, 2)), generator.integers(40, 90, (count, 2))
    )
    features = pd.DataFrame(generator.normal(size=(count, len(FEATURES))), columns=list(FEATURES))
    features["grey_contrast"] += 3 * on
    features["peak"] = generator.uniform(0, 1, count)
    features["fraction"] = 0.5
    names = np.where(on, "a", generator.choice(["a", "b"], count))
    boxes = pd.DataFrame(np.hstack([corner, corner + 20]), columns=BOX)
    return pd.concat([pd.Series(names, name="image_id"), boxes, features], axis=1), on


def test_the_overlap_with_the_nearest_lesion_of_the_same_image():
    boxes = pd.DataFrame(
        [("a", 0, 0, 20, 10), ("b", 0, 0, 20, 20), ("a", 90, 90, 99, 99)], columns=["image_id", *BOX]
    )
    marked = masses(("a", LESION), ("a", (0, 0, 10, 10)), ("c", LESION))
    assert candidate_scores.best_overlap(boxes[::-1], marked).tolist() == [0, 0, 0.5]


def test_a_learnt_score_is_a_logistic_regression_of_standardised_features():
    examples, on = table()
    score = candidate_scores.learn(examples, masses(("a", LESION)))
    assert (score.masses, score.others) == (on.sum(), (~on).sum())
    values = examples[list(FEATURES)].to_numpy()
    spread = np.where(values.std(axis=0) > 0, values.std(axis=0), 1)
    oracle = LogisticRegression(C=0.1, max_iter=1000).fit((values - values.mean(axis=0)) / spread, on)
    np.testing.assert_allclose(
        score(examples), oracle.predict_proba((values - values.mean(axis=0)) / spread)[:, 1], atol=0.003
    )
    others, on = table(seed=1)
    assert score(others)[on].min() > np.median(score(others)[~on])


def test_a_written_score_has_all_that_it_needs(tmp_path):
    examples, _ = table()
    score = candidate_scores.learn(examples, masses(("a", LESION)))
    candidate_scores.write(score, tmp_path / "learnt.json")
    again = candidate_scores.Learnt(**json.loads((tmp_path / "learnt.json").read_text()))
    np.testing.assert_array_equal(again(examples), score(examples))
    candidate_scores.write(candidate_scores.peak, tmp_path / "peak.json")
    assert json.loads((tmp_path / "peak.json").read_text()) == {"features": ["peak"]}


def test_without_a_mass_to_learn_from_the_peak_is_the_score():
    examples, _ = table()
    score = candidate_scores.learn(examples, masses(("c", LESION)))
    assert score is candidate_scores.peak
    assert "too few on masses" in candidate_scores.described(score, "learnt")
    assert candidate_scores.learn(examples[:0], masses(("a", LESION))) is candidate_scores.peak


def test_the_best_box_at_each_place_stays():
    cells = [
        ("b", 0, 0, 20, 20, 0.31),
        ("b", 2, 2, 18, 18, 0.62),
        ("b", 60, 60, 70, 70, 0.0),
        ("a", 0, 0, 20, 20, 0.5),
    ]
    examples = pd.DataFrame(cells, columns=["image_id", *BOX, "peak"]).assign(fraction=0.5)
    kept = CANDIDATES.check(candidate_scores.scored(examples, candidate_scores.peak, SETTINGS))
    assert kept.to_numpy().tolist() == [
        ["a", 0, 0, 20, 20, 0.5],
        ["b", 2, 2, 18, 18, 0.62],
        ["b", 60, 60, 70, 70, 0.0],
    ]


def test_around_one_peak_the_box_at_half_its_height_is_kept():
    cells = [("a", 0, 0, 30, 30, 0.8, 0.1), ("a", 4, 4, 20, 20, 0.8, 0.5), ("a", 8, 8, 12, 12, 0.8, 0.9)]
    examples = pd.DataFrame(cells, columns=["image_id", *BOX, "peak", "fraction"])
    for order in ([0, 1, 2], [2, 0, 1]):
        kept = candidate_scores.scored(examples.iloc[order], candidate_scores.peak, SETTINGS)
        assert kept.to_numpy().tolist() == [["a", 4, 4, 20, 20, 0.8]]


def test_no_candidates_at_all():
    none = pd.DataFrame(columns=["image_id", *BOX, *FEATURES])
    assert CANDIDATES.check(candidate_scores.scored(none, candidate_scores.peak, SETTINGS)).empty
