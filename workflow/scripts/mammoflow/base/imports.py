"""Keeps libraries from importing packages that a job does not use."""

import sys


def skip(*packages: str) -> None:
    """Let imports of packages fail from now on, as if they were not installed.

    Keras imports scikit-learn for its wrappers and Matplotlib for its plots, where they are installed. That
    is a quarter of the time that TensorFlow takes to start, in every job of a study.

    Parameters
    ----------
    *packages : str
        Names of packages that this process must not need later.

    Raises
    ------
    ValueError
        When one of them has been imported already: the call is too late.
    """
    late = [package for package in packages if package in sys.modules]
    if late:
        raise ValueError(f"imports: expected packages that are not imported yet, got {', '.join(late)}")
    sys.modules.update(dict.fromkeys(packages))
