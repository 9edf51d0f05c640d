"""Licences of the data that models are trained with, and whether such a model may be passed on."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Source of base weights of which nothing is known.
_FILES = "files"


@dataclass(frozen=True)
class Licence:
    """Terms of some training data.

    Parameters
    ----------
    data : str
        What the data are.
    terms : str
        Their licence in a few words.
    share : bool
        Whether the terms allow to pass on a model that was trained with the data. False also where they do
        not say so: then its owner has to decide.
    """

    data: str
    terms: str
    share: bool


ARCHIVES = {
    "annotated": Licence("images of one's own", "unknown", False),
    "cbis-ddsm": Licence("CBIS-DDSM", "CC BY 3.0: name the source", True),
    "cbis-ddsm-jpeg": Licence("CBIS-DDSM as JPEG files", "CC BY 3.0: name the source", True),
    "cdd-cesm": Licence("CDD-CESM", "CC BY 4.0: name the source", True),
    "inbreast": Licence(
        "INbreast",
        "the images may not be passed on; the terms do not mention models trained with them",
        False,
    ),
    "mini-mias": Licence(
        "mini-MIAS", "for research; the images may not be passed on without the Society's consent", False
    ),
    "vindr-mammo": Licence(
        "VinDr-Mammo",
        "restricted licence of PhysioNet: the images may not be passed on; read what it says of models",
        False,
    ),
}
PHANTOMS = Licence("phantoms drawn by mammoflow", "MIT", True)
WEIGHTS = {
    "keras": Licence(
        "ImageNet weights published with Keras",
        "as their authors license them; the images of ImageNet are for non-commercial research and education",
        True,
    ),
    "photographs": Licence("photographs in scikit-image", "public domain, or as free as that", True),
    _FILES: Licence("weights from a file", "unknown", False),
}


def of_data(settings: Mapping[str, Any]) -> Licence:
    """Licence of a data set, from its entry in the config."""
    return PHANTOMS if settings.get("phantoms") else ARCHIVES[settings["archive"]]


def of_weights(settings: Mapping[str, Any]) -> Licence:
    """Licence of base weights, from their entry in the config."""
    return WEIGHTS[settings["source"]]


def entry(name: str, known: Licence, own: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Training data in a manifest.

    Parameters
    ----------
    name : str
        Of the data set or the base weights in the config.
    known : Licence
        The licence in this module.
    own : mapping
        The config section ``bundles: licences``: ``data``, ``terms`` and ``share`` by name, in place
        of the known ones.
    """
    return {"name": name, **asdict(known), **own.get(name, {})}


def require_named(training: Collection[Mapping[str, Any]], named: Collection[str]) -> None:
    """Refuse to pass on a model unless its owner names every licence that does not allow it.

    Parameters
    ----------
    training : collection of mapping
        The entry ``training`` of a manifest.
    named : collection of str
        Names of data that the owner answers for.

    Raises
    ------
    ValueError
        With the terms of the first one that is not named.
    """
    for data in training:
        if not data["share"] and data["data"] not in named and data["name"] not in named:
            raise ValueError(
                f"licence: the model was trained with {data['data']} ({data['terms']}); expected it by name "
                f"from whoever may decide to pass the model on: --licence '{data['data']}'"
            )
