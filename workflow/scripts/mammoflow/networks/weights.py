"""Obtains base weights from Keras or from a user's file."""

from collections.abc import Mapping
from pathlib import Path

from mammoflow.base import storage
from mammoflow.networks import architectures, backbones


def obtain(name: str, backbone: str, window: int, source: Mapping, path: Path) -> dict[str, object]:
    """Write the base weights of a backbone in Keras' ``notop`` layout.

    Parameters
    ----------
    name : str
        The key under ``weights`` in the config.
    backbone : str
        One of `architectures.names`.
    window : int
        Side of the patches in pixels.
    source : mapping
        The config section ``weights.<name>``: its ``source`` is ``keras`` or ``files``.
    path : Path
        The file to write.

    Returns
    -------
    dict
        Entries for the record of the weights, such as ``source``.

    Raises
    ------
    ValueError
        When the source has no weights for the backbone, or weights that do not match digest or network.
    """
    match source["source"]:
        case "keras":
            return _download(name, backbone, window, path)
        case "files":
            return _adopt(name, backbone, window, source["files"], path)
    raise ValueError(f"weights.{name}.source: expected keras or files, got {source['source']!r}")


def _download(name: str, backbone: str, window: int, path: Path) -> dict[str, object]:
    if not architectures.network(backbone).imagenet:
        raise ValueError(
            f"weights.{name}: expected a backbone for which Keras has ImageNet weights, got {backbone}; "
            "give a file under 'source: files'"
        )
    try:
        model = backbones.build(backbone, window, weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception
        raise ValueError(
            f"weights.{name}: expected to download the ImageNet weights of {backbone} with Keras, "
            f"got: {error}. Without a network, give their file under 'source: files'"
        ) from error
    backbones.save_notop(model, path)
    return {"source": "keras"}


def _adopt(name: str, backbone: str, window: int, files: Mapping, path: Path) -> dict[str, object]:
    """Copy a user's file and check that the copy matches its digest and the network."""
    if backbone not in files:
        raise ValueError(
            f"weights.{name}.files: expected a file for {backbone}, got {', '.join(files) or 'none'}"
        )
    source, expected = files[backbone]["path"], files[backbone]["sha256"]
    path.write_bytes(Path(source).read_bytes())
    digest = storage.sha256(path)
    if digest != expected.lower():
        raise ValueError(
            f"weights.{name}.files.{backbone}: {source}: expected sha256 {expected}, got {digest}"
        )
    backbones.load_notop(backbones.build(backbone, window), source)
    return {"source": "files"}
