"""Draws a contact sheet of training patches: as stored, and as augmented in a few epochs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mammoflow.report.figures import style
from mammoflow.training.augmentation import Views

_CLASSES = {1: ("mass", style.POSITIVE), 0: ("non-mass", style.NEGATIVE)}


def spread(labels: np.ndarray, each: int) -> np.ndarray:
    """Rows of a bank to show: a few of each class, masses first, spread evenly over its images.

    Parameters
    ----------
    labels : (n,) ndarray of int
        1 for patches of masses.
    each : int
        Of each class, at most.

    Returns
    -------
    (k,) ndarray of int

    Examples
    --------
    >>> spread(np.array([0, 0, 0, 0, 1, 1]), each=2)
    array([4, 5, 1, 3])
    """
    rows = []
    for label in _CLASSES:
        of_class = np.flatnonzero(labels == label)
        count = min(each, len(of_class))
        rows.append(of_class[((np.arange(count) + 0.5) / max(count, 1) * len(of_class)).astype(int)])
    return np.concatenate(rows)


@style.styled
def draw(
    patches: np.ndarray, labels: np.ndarray, shown: Sequence[np.ndarray], views: Sequence[Views], title: str
) -> Figure:
    """A row for each patch: as stored, then as drawn in each epoch.

    Parameters
    ----------
    patches : (n, w, w) ndarray
        As stored.
    labels : (n,) ndarray of int
        1 for patches of masses.
    shown : sequence of (n, w, w) ndarray
        Of each epoch, before normalisation.
    views : sequence of Views
        What was drawn in each epoch.
    title : str
        Data set and part.

    Returns
    -------
    Figure
        Grey values of a row are stretched over the patch as stored, so that its views compare. What was
        drawn stands below each.

    References
    ----------
    Section 2.3.
    """
    columns = 1 + len(shown)
    side = style.PAGE / columns
    figure = style.new(style.PAGE, 0.5 + (side + 0.12) * len(patches))
    grid = figure.subplots(len(patches), columns, squeeze=False)
    for place, (line, patch, label) in enumerate(zip(grid, patches, labels, strict=True)):
        name, colour = _CLASSES[int(label)]
        pictures = [patch, *(epoch[place] for epoch in shown)]
        words = ["as stored", *(_words(epoch, place) for epoch in views)]
        for axes, picture, text in zip(line, pictures, words, strict=True):
            axes.imshow(picture, cmap="gray", vmin=patch.min(), vmax=patch.max())
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(text, fontsize=5.5, labelpad=1.5)
            axes.spines[:].set(visible=True, color=colour, linewidth=1)
            axes.grid(visible=False)
        line[0].set_ylabel(name, color=colour, fontsize=7)
    for epoch, axes in enumerate(grid[0, 1:], start=1):
        axes.set_title(f"epoch {epoch}", fontsize=7)
    figure.suptitle(title, fontsize=8, x=0.01, ha="left")
    return figure


def _words(views: Views, place: int) -> str:
    """What was drawn: degrees counter-clockwise, magnification, mirrored or not."""
    flip = ", mirrored" if views.flip[place] else ""
    return f"{np.degrees(views.angle[place]):+.0f}°, ×{views.scale[place]:.2f}{flip}"
