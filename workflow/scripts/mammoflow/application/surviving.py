"""Applies a function to items in processes, and goes on when an item ends its process."""

import logging
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def results(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    crashed: Callable[[Item], Result],
) -> Iterator[Result]:
    """Results in the order of the items; work on the first ones begins at once.

    Parameters
    ----------
    function : callable
        Applied to each item in another process. It, items and results must be picklable.
    items : iterable
        Consumed as results are used, as by `pool.ordered`.
    workers : int
        Number of processes, at least 1.
    crashed : callable
        Gives the result of an item during which the process ended: native decoders can crash, and the
        system ends processes that take too much memory.
    """
    items = iter(items)
    executor = _processes(workers)
    waiting = deque((item, _submitted(executor, function, item)) for item in islice(items, workers + 1))
    return _rest(function, items, workers, crashed, executor, waiting)


def _rest(
    function: Callable[[Item], Result],
    items: Iterator[Item],
    workers: int,
    crashed: Callable[[Item], Result],
    executor: ProcessPoolExecutor,
    waiting: deque,
) -> Iterator[Result]:
    try:
        while waiting:
            try:
                result = waiting[0][1].result()
            except BrokenProcessPool:
                # Any of the items in work may have ended the process: each is tried again alone.
                suspects = [item for item, _ in waiting]
                waiting.clear()
                executor.shutdown()
                for item in suspects:
                    yield _alone(function, item, crashed)
                executor = _processes(workers)
            else:
                waiting.popleft()
                yield result
            for item in islice(items, workers + 1 - len(waiting)):
                waiting.append((item, _submitted(executor, function, item)))
    finally:
        executor.shutdown(cancel_futures=True)


def _submitted(executor: ProcessPoolExecutor, function: Callable[[Item], Result], item: Item) -> Future:
    try:
        return executor.submit(function, item)
    except BrokenProcessPool as error:  # since a moment ago, which the first result in work tells
        future = Future()
        future.set_exception(error)
        return future


def _alone(function: Callable[[Item], Result], item: Item, crashed: Callable[[Item], Result]) -> Result:
    with _processes(1) as executor:
        try:
            return executor.submit(function, item).result()
        except BrokenProcessPool:
            return crashed(item)


def _processes(workers: int) -> ProcessPoolExecutor:
    # Not forked from this process, which may run TensorFlow's threads.
    context = multiprocessing.get_context("forkserver")
    return ProcessPoolExecutor(workers, context, _begin)


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end with it, even if it is killed.

    Warnings of libraries are not shown: they may quote what is in a file, such as a name.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    logging.disable()

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
