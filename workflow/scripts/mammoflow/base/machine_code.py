"""Compiles functions with Numba, once for all jobs."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Callable], Callable]:  # noqa: ANN401
    """Decorate a function that Numba compiles, and that may be called from several threads.

    The machine code is kept beside the module, or in the user's cache, for processes that start later. It is
    compiled anew when the module itself changes: so numbers that are defined in other modules must be
    arguments.

    Parameters
    ----------
    **options
        Further options of ``numba.njit``.
    """
    options = {"nogil": True, "error_model": "numpy", **options}

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # no folder where it could be kept: every process compiles
            return numba.njit(**options)(function)

    return decorate
