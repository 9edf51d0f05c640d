"""A stream of results from a few threads, in order, with a few items in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Results of a function over items, computed by threads and yielded in the items' order.

    Parameters
    ----------
    function : callable
        Releases the interpreter lock for most of its time (decoding, NumPy), or gains nothing.
    items : iterable
        Consumed as results are taken: at most ``threads + 1`` results wait in memory.
    threads : int
        At least 1.
    """
    items = iter(items)
    with ThreadPoolExecutor(threads) as executor:
        waiting = deque(executor.submit(function, item) for item in islice(items, threads + 1))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(executor.submit(function, item) for item in islice(items, 1))
            yield result
