"""A stream of results from a few workers, in order, with a few items in memory."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    executor: Callable[[int], Executor] = ThreadPoolExecutor,
) -> Iterator[Result]:
    """Results of a function over items, computed by workers and yielded in the items' order.

    Parameters
    ----------
    function : callable
        In threads it releases the interpreter lock for most of its time (decoding, NumPy), or gains
        nothing.
    items : iterable
        Consumed as results are taken: at most ``workers + 1`` are in work or wait, besides the one
        that the consumer holds.
    workers : int
        At least 1.
    executor : callable
        Makes the pool for a number of workers.
    """
    items = iter(items)
    with executor(workers) as pool:
        waiting = deque(pool.submit(function, item) for item in islice(items, workers + 1))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(items, 1))
            yield result


def processes(workers: int) -> ProcessPoolExecutor:
    """Pool of processes, for `ordered`; they end with the process that made them, even if it is killed.

    Forked, since a spawned process would run Snakemake's script anew. Functions, items and results have
    to be such as can be pickled.
    """
    return ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _end_with_parent)


def _end_with_parent() -> None:
    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
