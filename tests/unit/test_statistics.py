import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from mammoflow import statistics


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
