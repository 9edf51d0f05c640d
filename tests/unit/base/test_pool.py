import threading

import pytest

from mammoflow.base import pool


@pytest.mark.parametrize("executor", [pool.ThreadPoolExecutor, pool.processes])
@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_items(executor, workers):
    assert list(pool.ordered(abs, range(-20, 0), workers, executor)) == list(range(20, 0, -1))


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
