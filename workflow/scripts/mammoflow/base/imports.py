"""Makes the imports of a job fast."""

import gc
import sys


def begin(*unused: str) -> None:
    """Import fast until `end`: without packages that the job does not use, and without collecting garbage.

    Keras imports scikit-learn for its wrappers and Matplotlib for its plots, where they are installed. That
    is a quarter of the time that TensorFlow takes to start, in every job of a study. A quarter of the rest
    goes into looking for garbage among the objects of more than three thousand modules.

    Parameters
    ----------
    *unused : str
        Names of packages that this process must not need later: imports of them fail from now on, as if
        they were not installed.

    Raises
    ------
    ValueError
        When one of them has been imported already: the call is too late.
    """
    late = [package for package in unused if package in sys.modules]
    if late:
        raise ValueError(f"imports: expected packages that are not imported yet, got {', '.join(late)}")
    sys.modules.update(dict.fromkeys(unused))
    gc.disable()


def end() -> None:
    """Collect garbage again from now on, but not among what has been imported."""
    gc.freeze()
    gc.enable()
