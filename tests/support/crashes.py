"""Functions that end their process. They import nothing else, so that a process has them at once."""

import os


def at_three(number):
    """Ten times a number; at 3 the process ends."""
    if number == 3:
        os._exit(1)
    return number * 10
