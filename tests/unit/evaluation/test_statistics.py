import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from mammoflow.evaluation import resampling, statistics


def test_az_of_perfect_reversed_and_constant_scores():
    assert statistics.az([0, 0, 1], [0.1, 0.2, 0.9]) == 1
    assert statistics.az([1, 1, 0], [0.1, 0.2, 0.9]) == 0
    assert statistics.az([0, 1, 1], [0.5, 0.5, 0.5]) == 0.5


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_az_agrees_with_sklearn(cases):
    labels, scores = zip(*cases, strict=True)
    if len(set(labels)) == 2:
        assert statistics.az(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    else:
        assert np.isnan(statistics.az(labels, scores))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.5], "as many labels as scores"),
        ([0, 2], [0.5, 0.5], r"labels 0 and 1, got \[0, 2\]"),
        ([0, 1], [0.5, np.nan], "got 1 NaN"),
    ],
)
def test_az_refuses(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        statistics.az(labels, scores)


CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None)
@given(CASES, st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=5))
def test_az_of_drawn_patients_is_that_of_their_cases_as_often_as_they_are_drawn(cases, draws):
    labels, scores, patients = (np.array(column) for column in zip(*cases, strict=True))
    found = statistics.az_of_draws(labels, scores, patients, np.array(draws))
    for value, draw in zip(found, draws, strict=True):
        times = np.array(draw)[patients]
        again = np.repeat(labels, times), np.repeat(scores, times)
        if len(set(again[0])) == 2:
            assert value == pytest.approx(roc_auc_score(*again))
        else:
            assert np.isnan(value)


def drawn(patients, samples=4000):
    return np.random.default_rng(0).multinomial(patients, np.full(patients, 1 / patients), size=samples)


def test_the_interval_of_unrelated_cases_is_delongs():
    generator = np.random.default_rng(3)
    labels = np.repeat([0, 1], 100)
    scores = generator.normal(labels, 1)
    low, high = resampling.percentiles(statistics.az_of_draws(labels, scores, np.arange(200), drawn(200)))
    # DeLong et al., Biometrics 44, 1988: variance of the placements of each class among the other.
    order = (scores[labels == 1][:, None] > scores[labels == 0]).astype(float)
    deviation = np.sqrt(sum(order.mean(axis=axis).var(ddof=1) / 100 for axis in (0, 1)))
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.05)
    assert (low + high) / 2 == pytest.approx(statistics.az(labels, scores), abs=0.01)


def test_more_patches_of_the_same_patients_do_not_narrow_the_interval():
    generator = np.random.default_rng(3)
    labels = np.repeat([0, 1], 20)
    scores, patients = generator.normal(labels, 1), np.arange(40)
    once = statistics.az_of_draws(labels, scores, patients, drawn(40, 100))
    copies = (np.tile(column, 9) for column in (labels, scores, patients))
    np.testing.assert_allclose(once, statistics.az_of_draws(*copies, drawn(40, 100)))


def test_percentiles_leave_out_draws_without_a_value():
    assert resampling.percentiles(np.array([*range(101), np.nan]), level=0.9) == pytest.approx((5, 95))
    assert np.isnan(resampling.percentiles(np.array([np.nan]))).all()
    assert np.isnan(resampling.percentiles(np.zeros(0))).all()
    assert np.isnan(resampling.percentiles(np.zeros((0, 3)))).all()


def test_sample_deviation():
    mean, std = statistics.mean_std([1.0, 2.0, 3.0])
    assert (mean, std) == (2, 1)


def test_one_value_has_no_deviation_and_no_value_no_mean():
    mean, std = statistics.mean_std([0.5])
    assert mean == 0.5
    assert np.isnan(std)
    assert np.isnan(statistics.mean_std([])).all()
    assert np.isnan(statistics.t_interval([0.5])).all()
    assert np.isnan(statistics.t_interval(np.zeros((0, 3)))).all()


def test_t_interval_agrees_with_scipy_and_is_clipped():
    values = [0.7, 0.9, 0.8, 1.0]
    low, high = statistics.t_interval(values, high=1)
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert low == pytest.approx(expected[0])
    assert expected[1] > high == 1


def test_t_interval_without_variance_is_the_mean():
    low, high = statistics.t_interval([0.25, 0.25, 0.25])
    assert low == high == 0.25


def test_welch_agrees_with_scipy():
    first, second = [0.84, 0.85, 0.83, 0.86], [0.80, 0.82, 0.79]
    test = statistics.welch(first, second)
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert (test.statistic, test.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert test.degrees == pytest.approx(expected.df)
    assert not test.undefined


def test_paired_agrees_with_scipy():
    first, second = [0.84, 0.85, 0.83, 0.86], [0.80, 0.82, 0.79, 0.85]
    test = statistics.paired(first, second)
    expected = stats.ttest_rel(first, second)
    assert (test.statistic, test.p, test.degrees) == pytest.approx((expected.statistic, expected.pvalue, 3))


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (statistics.welch([0.8], [0.9, 0.7]), "groups of 1 and 2 values"),
        (statistics.welch([0.8, 0.8], [0.9, 0.9]), "no variance in either"),
        (statistics.paired([0.8], [0.9]), "1 pairs"),
        (statistics.paired([0.5, 1.0], [0.25, 0.75]), "no variance of the differences"),
    ],
)
def test_undefined_tests_say_why(test, reason):
    assert np.isnan(test.p)
    assert reason in test.undefined


def test_welch_needs_variance_in_one_group_only():
    assert statistics.welch([0.8, 0.8], [0.9, 0.7]).p == pytest.approx(1)


def test_pairs_are_pairs():
    with pytest.raises(ValueError, match="expected pairs, got 1 and 2"):
        statistics.paired([1], [1, 2])
