"""Finds the boxes of a model on validation images, of which the study keeps no maps."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from mammoflow.base.contracts.detections import CANDIDATES, DETECTIONS
from mammoflow.breasts.image_store import StoredImage
from mammoflow.bundles.detector import Detector
from mammoflow.detection.mpm import Grid


def boxes(
    detector: Detector,
    store: Mapping[str, StoredImage],
    image_ids: Sequence[str],
    maps: Mapping[str, Grid],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Boxes of both modes on images, at all thresholds.

    Parameters
    ----------
    detector : Detector
        The model.
    store : mapping of str to StoredImage
        Stored images.
    image_ids : sequence of str
        Validation images.
    maps : mapping of str to Grid
        Maps that need not be computed again: of the images that scores were learnt from.

    Returns
    -------
    detections, candidates : pandas.DataFrame
        Tables of these names.
    """
    regions, found = [], []
    for image_id, grid in _grids(detector, store, image_ids, maps):
        image = store[image_id]
        regions.append(detector.regions(image, grid))
        found.append(detector.candidates(image, grid))
    return _joined(regions, list(DETECTIONS.columns)), _joined(found, list(CANDIDATES.columns))


def _grids(
    detector: Detector,
    store: Mapping[str, StoredImage],
    image_ids: Sequence[str],
    maps: Mapping[str, Grid],
) -> Iterator[tuple[str, Grid]]:
    for image_id in sorted(maps.keys() & set(image_ids)):
        yield image_id, maps[image_id]
    yield from detector.grids(store, [image_id for image_id in image_ids if image_id not in maps])


def _joined(tables: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    some = [table for table in tables if len(table)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=columns)
