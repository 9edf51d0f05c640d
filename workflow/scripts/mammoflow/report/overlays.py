"""Finds the fold that tests an image, and the threshold at which its boxes are drawn."""

import difflib

import pandas as pd

from mammoflow.report import examples


def fold_testing(splits: pd.DataFrame, image_id: str, origin: str) -> int:
    """The fold that tests an image; the first, should there be several.

    Parameters
    ----------
    splits : pandas.DataFrame
        A ``splits`` table.
    image_id : str
        The image.
    origin : str
        Where the table is, for the message.

    Raises
    ------
    ValueError
        When no fold tests the image.
    """
    tested = splits[splits["role"] == "test"]
    folds = tested.loc[tested["image_id"] == image_id, "fold"]
    if folds.empty:
        known = sorted(set(tested["image_id"]))
        near = difflib.get_close_matches(image_id, known, n=1, cutoff=0) or ["none"]
        raise ValueError(
            f"image: expected one of the {len(known)} test images in {origin}, such as '{near[0]}', "
            f"got '{image_id}'"
        )
    return int(folds.min())


def threshold(points: pd.DataFrame, levels: int | None, fpi: float, threshold: float | None) -> float:
    """Threshold at which boxes are drawn: the config section ``detection.overlays``.

    Parameters
    ----------
    points : pandas.DataFrame
        Table ``froc-points`` of one definition.
    levels : int or None
        As in `components.quantise`; None for candidates, whose scores are not levels of a map.
    fpi : float
        The threshold is that with the highest mean TPR at no more false positives per image than this.
    threshold : float or None
        In place of it: the level nearest to this, or this itself without levels.
    """
    if threshold is None:
        return examples.operating_threshold(points, fpi)
    return threshold if levels is None else round(threshold * levels) / levels
