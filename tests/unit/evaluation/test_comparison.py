import numpy as np
import pandas as pd
import pytest
from froc_cases import masses, rows, settings_with, two_folds, with_boxes
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.evaluation import comparison, froc_report, resampling
from mammoflow.evaluation.comparison import Evaluated

EVALUATION = settings_with(bootstrap=200)
AT = EVALUATION.operating_points


def evaluated(folds, evaluation=EVALUATION):
    report = froc_report.evaluate(folds, evaluation, seed=3)
    return Evaluated(report.operating_points, report.merits, report.draws)


def study(hit_by, patients=12):
    """Two folds of patients with one mass each, found or not, and a normal image."""
    made = []
    for fold in two_folds():
        names = [f"{fold.number}-{number}" for number in range(patients)]
        normals = [f"{name}-normal" for name in names]
        images = pd.DataFrame(
            {"image_id": [*names, *normals], "patient_id": [*names, *names], "laterality": ""}
        )
        spot = (0, 0, 10, 10)
        found = [(name, 0.0, spot, 0.9) for number, name in enumerate(names) if hit_by(number)]
        made.append(
            with_boxes(
                fold,
                rows(*found, (normals[0], 0.0, spot, 0.3)),
                images=images,
                lesions=masses(*((name, spot) for name in names)),
            )
        )
    return made


def test_a_model_does_not_differ_from_itself():
    model = evaluated(two_folds())
    found = comparison.measures(model, EVALUATION.definition, AT, model)
    assert (found["difference"] == 0).all()
    assert (found["difference_low"] == 0).all()
    assert (found["p"] == 1).all()


def test_paired_patients_tell_what_unpaired_ones_would_not():
    # Both find half of the patients; the better one finds two more of the same.
    better, worse = evaluated(study(lambda number: number < 8)), evaluated(study(lambda number: number < 6))
    found = comparison.measures(better, EVALUATION.definition, [0.5], worse).set_index("measure")
    tpr = found.loc["TPR"]
    assert tpr["value"] == pytest.approx(8 / 12)
    assert tpr["difference"] == pytest.approx(2 / 12)
    # Of 24 patients 4 differ, all one way: no draw can favour the other.
    assert tpr["difference_low"] >= 0
    assert tpr["difference_high"] < tpr["high"] - tpr["low"] + 0.1
    assert tpr["p"] < 0.06
    assert found.loc["wAFROC", "difference"] > 0


def test_the_other_way_round_is_the_same_test():
    first, second = evaluated(study(lambda number: number < 8)), evaluated(study(lambda number: number % 2))
    one, other = (
        comparison.measures(*pair[:1], EVALUATION.definition, AT, pair[1])
        for pair in ((first, second), (second, first))
    )
    np.testing.assert_allclose(one["difference"], -other["difference"])
    np.testing.assert_allclose(one["difference_low"], -other["difference_high"], atol=1e-12)
    np.testing.assert_allclose(one["p"], other["p"])


def test_alone_a_model_has_its_interval_and_no_test():
    model = evaluated(study(lambda number: number < 6))
    found = comparison.measures(model, EVALUATION.definition, AT)
    assert found[["difference", "p"]].isna().all(axis=None)
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()


def test_where_patients_cannot_be_drawn_there_is_no_p():
    alone = [each._replace(images=each.images.assign(patient_id="p")) for each in two_folds()]
    model = evaluated(alone)
    found = comparison.measures(model, EVALUATION.definition, AT, model)
    assert found[["low", "difference_low", "p"]].isna().all(axis=None)
    assert (found["difference"] == 0).all()


def test_other_numbers_of_draws_are_refused():
    first, second = evaluated(two_folds()), evaluated(two_folds(), settings_with(bootstrap=30))
    with pytest.raises(ValueError, match="as many draws of both models, got 200 and 30"):
        comparison.measures(first, EVALUATION.definition, AT, second)


# -- Drawing patients


def test_draws_are_as_many_patients_as_there_are():
    draws = resampling.draws(7, 500, np.random.default_rng(0))
    assert (draws.sum(axis=1) == 7).all()
    assert abs(draws.mean() - 1) < 1e-12
    # A patient is missing from a draw with probability (6/7)^7.
    assert (draws == 0).mean() == pytest.approx((6 / 7) ** 7, abs=0.02)


def test_a_fold_without_a_value_is_left_out_of_that_draw_only():
    first, second = np.array([[0.2], [np.nan], [np.nan]]), np.array([[0.4], [0.6], [np.nan]])
    mean = resampling.over_folds([first, second], [np.ones(2, int)] * 2, (3, 1))
    np.testing.assert_allclose(mean[:, 0], [0.3, 0.6, np.nan])
    low, high = resampling.percentiles(mean)
    assert 0.3 <= low[0] <= high[0] <= 0.6


@settings(max_examples=100)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=40))
def test_p_is_a_probability_and_never_none(differences):
    p = resampling.p_value(np.array(differences))
    assert 2 / (len(differences) + 1) <= p or p == 1
    assert 0 < p <= 1
    assert p == resampling.p_value(-np.array(differences))


def test_without_a_difference_few_tests_say_that_there_is_one():
    # The share of false alarms at 5 % over 400 studies of 40 patients.
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        difference = generator.normal(size=40)
        draws = resampling.draws(40, 400, generator) @ difference / 40
        wrong += resampling.p_value(draws) < 0.05
    assert 0.02 < wrong / 400 < 0.1
