"""Applies a function to items with several workers and yields the results in order."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    executor: Callable[[int], Executor] = ThreadPoolExecutor,
) -> Iterator[Result]:
    """Apply a function to items in several threads and yield the results in the order of the items.

    Parameters
    ----------
    function : callable
        It should release the interpreter lock most of the time (decoding, NumPy); otherwise threads do not
        help, see `in_processes`.
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


def in_processes(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """As `ordered`, in processes, for functions that hold the interpreter's lock or HDF5's.

    The processes are forked, because a spawned process would run Snakemake's script again: they inherit the
    function with all that it refers to, and only items and results must be picklable. They end with their
    parent, even if it is killed. One worker is a thread of this process.

    Raises
    ------
    RuntimeError
        When a process is killed.
    """
    if workers == 1:
        yield from ordered(function, items, 1)
        return

    def forked(workers: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("fork")
        return ProcessPoolExecutor(workers, context, _begin, (function,))

    done = 0
    try:
        for result in ordered(_inherited, items, workers, forked):
            yield result
            done += 1
    except BrokenProcessPool as error:
        if error.__cause__:  # no process was killed: a result or an error cannot be sent
            raise
        raise RuntimeError(
            f"expected {workers} processes until the end, got one that was killed after {done} results, "
            "possibly for lack of memory; run again with fewer threads"
        ) from error


# What a forked process applies to its items.
_function: Callable[[Any], Any]


def _begin(function: Callable[[Any], Any]) -> None:
    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    global _function
    _function = function
    threading.Thread(target=wait, daemon=True).start()


def _inherited(item: Any) -> Any:  # noqa: ANN401
    return _function(item)
