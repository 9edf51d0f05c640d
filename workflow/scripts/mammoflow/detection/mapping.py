"""Maps images in the way that a model's settings ask for: views and magnifications included."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras

from mammoflow.detection import classification, dense, magnified
from mammoflow.detection.classification import Located, Tell
from mammoflow.patches import local_contrast
from mammoflow.patches.sliding_windows import Windows

_WAYS = {"windows": classification, "dense": dense}


@dataclass(frozen=True)
class Way:
    """How the maps of a model are computed.

    Parameters
    ----------
    windows : Windows
        Size and placement of the windows.
    normalization : {'gcn', 'scale', 'local'}
        Normalisation that the networks were trained with.
    maps : {'windows', 'dense'}
        As the config key ``inference.maps``.
    precision : str
        See `inference.compiled`.
    mirrored : bool
        Whether each window is classified upside down as well.
    magnifications : sequence of float
        Of the image; one of them is 1.
    """

    windows: Windows
    normalization: str
    maps: str
    precision: str
    mirrored: bool
    magnifications: Sequence[float]


def grids(
    models: Sequence[keras.Model],
    store: Mapping[str, Located],
    image_ids: Iterable[str],
    way: Way,
    tell: Tell = lambda network: None,
) -> magnified.Grids:
    """Yield the window probabilities of images, one image after the other.

    Parameters
    ----------
    models : sequence of keras.Model
        Networks made by `backbones.build`, in float32; the grids hold their mean.
    store : mapping of str to Located
        Stored images.
    image_ids : iterable of str
        Images of the store, in the order of the results; taken one by one, so they may be ready only later.
    way : Way
        See there.
    tell : function, optional
        As in `classification.probabilities`.

    Yields
    ------
    image_id : str
    grid : mpm.Grid
    """
    orders = iter(itertools.tee(image_ids, len(way.magnifications)))

    def mapped(images: Mapping[str, Located]) -> magnified.Grids:
        """Maps of the images, at the resolution at which they are given."""
        return _WAYS[way.maps].grids(
            models,
            local_contrast.of(images, way.normalization, way.windows.window),
            next(orders),
            way.windows,
            way.normalization,
            way.precision,
            tell=tell,
            mirrored=way.mirrored,
        )

    return magnified.grids(mapped, store, way.magnifications)
