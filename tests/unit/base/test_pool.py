import os
import signal
import threading

import pytest

from mammoflow.base import pool
from mammoflow.base.exclusions import Excluded


@pytest.mark.parametrize("ordered", [pool.ordered, pool.in_processes])
@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_items(ordered, workers):
    assert list(ordered(abs, range(-20, 0), workers)) == list(range(20, 0, -1))


def test_processes_inherit_what_cannot_be_sent():
    lock, big = threading.Lock(), dict.fromkeys(range(10), "value")

    def here(number):
        with lock:
            return big[number], os.getpid()

    found = list(pool.in_processes(here, range(10), 2))
    assert [value for value, _ in found] == ["value"] * 10
    assert os.getpid() not in {process for _, process in found}


def test_two_series_at_once_each_keep_their_function():
    pairs = zip(pool.in_processes(abs, [-1, -2], 2), pool.in_processes(str, [1, 2], 2), strict=True)
    assert list(pairs) == [(1, "1"), (2, "2")]


def test_a_killed_process_is_one_sentence():
    def ended(number):
        if number == 30:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    message = (
        r"expected 2 processes until the end, got one that was killed after \d+ results, possibly for lack"
    )
    with pytest.raises(RuntimeError, match=message):
        list(pool.in_processes(ended, range(100), 2))


def test_an_error_that_cannot_be_sent_is_not_taken_for_a_killed_process():
    class Two(Exception):
        def __init__(self, one, other):
            super().__init__(f"{one} {other}")

    def fails(number):
        raise Two(number, number)

    with pytest.raises(Exception, match=r"^(?!expected 2 processes)"):
        list(pool.in_processes(fails, [1, 2], 2))


def test_reasons_come_back_from_processes():
    def excluded(reason):
        return Excluded(reason, "said")

    first, second = pool.in_processes(excluded, ["duplicate", "unreadable"], 2)
    assert (first.reason, first.detail, str(first)) == ("duplicate", "said", "duplicate: said")
    assert second.reason == "unreadable"


def test_few_items_are_taken_ahead_of_the_consumer():
    taken, lock = [], threading.Lock()

    def items():
        for number in range(50):
            with lock:
                taken.append(number)
            yield number

    for done, result in enumerate(pool.ordered(abs, items(), 2), start=1):
        assert result == done - 1
        assert len(taken) - done <= 3


def test_an_error_reaches_the_consumer():
    with pytest.raises(ZeroDivisionError):
        list(pool.ordered(lambda number: 1 / number, [1, 0, 2], 2))
