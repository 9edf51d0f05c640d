"""Applies a function to items with several workers and yields the results in order."""

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
    """Apply a function to items with several workers and yield the results in the order of the items.

    Parameters
    ----------
    function : callable
        With threads, it should release the interpreter lock most of the time (decoding, NumPy); otherwise
        threads do not help.
    items : iterable
        Consumed as results are used: in addition to the result that the consumer holds, at most
        ``workers + 1`` items are being processed or waiting.
    workers : int
        Number of workers, at least 1.
    executor : callable
        Creates the pool for a number of workers.
    """
    items = iter(items)
    with executor(workers) as pool:
        waiting = deque(pool.submit(function, item) for item in islice(items, workers + 1))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(items, 1))
            yield result


def processes(workers: int) -> ProcessPoolExecutor:
    """Pool of processes for `ordered`; the processes end with their parent, even if it is killed.

    They are forked, because a spawned process would run Snakemake's script again. Functions, items and
    results must be picklable.
    """
    return ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _end_with_parent)


def _end_with_parent() -> None:
    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
