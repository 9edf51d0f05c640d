"""Compiles functions with Numba, in each process anew: its cache can mix up what two processes store."""

from functools import partial

import numba

# Decorates functions that several threads may call.
compiled = partial(numba.njit, nogil=True, error_model="numpy")
