"""Writes the network of a model file for other programs, with a description of what goes in and comes out."""

import importlib.util
from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mammoflow.base import storage
from mammoflow.bundles import detector, licences
from mammoflow.bundles import manifest as manifests
from mammoflow.bundles.model_file import ModelFile
from mammoflow.patches import local_contrast

# By format: name of the file or folder, Keras' name of the format, and the package that it needs.
FORMATS = {
    "onnx": ("network.onnx", "onnx", "tf2onnx"),
    "openvino": ("network.xml", "openvino", "openvino"),
    "saved-model": ("saved-model", "tf_saved_model", None),
}

_NORMALIZED = {
    "gcn": "Subtract the mean of the window, and divide by its standard deviation (of all its pixels, n in "
    "the denominator). A window whose standard deviation is below 0.001 becomes zeros.",
    "scale": "From each pixel subtract the lowest grey value of the breast, and multiply by 255 / (highest - "
    "lowest); clip to 0 to 255. The lowest and the highest are those of all pixels of the breast.",
    "local": "From each pixel subtract the mean of the {window} × {window} pixels around it, and divide by "
    "their standard deviation; the image is mirrored at its edges. Round to 1 / {steps}, and clip to -32 to "
    "just below 32. Where the standard deviation is below 0.001 the value is 0.",
}


def export(file: ModelFile, kind: str, out: Path, named: Collection[str] = ()) -> Path:
    """Write a network in another format, and how to use it.

    Parameters
    ----------
    file : ModelFile
        Of `model_file.open_model`.
    kind : str
        A key of `FORMATS`.
    out : Path
        Folder to write to; it must be empty or missing.
    named : collection of str
        Data whose licences do not allow to pass the model on, and which its owner names nevertheless.

    Returns
    -------
    Path
        The file or folder with the network: normalised windows in, probabilities of no mass and of a mass
        out, the mean of all runs of the model.

    Raises
    ------
    ValueError
        When a licence is not named, a package is missing, or the folder has files.
    """
    licences.require_named(file.manifest["training"], named)
    name, format_of_keras, package = FORMATS[kind]
    if package and importlib.util.find_spec(package) is None:
        raise ValueError(f"export: expected the package {package}, found none; pip install {package}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: expected an empty folder or none, got something else")
    out.mkdir(parents=True, exist_ok=True)
    network = mean(detector.load(file).models)
    network(np.zeros((1, *network.input_shape[1:]), np.float32))  # Keras exports only what was called once
    network.export(str(out / name), format=format_of_keras, verbose=False)
    texts = {
        "PREPROCESSING.md": preprocessing(file.manifest).encode(),
        **{member: file.read(member) for member in (manifests.CARD, manifests.SCORE)},
    }
    for member, content in texts.items():
        with storage.whole(out / member) as temporary:
            temporary.write_bytes(content)
    return out / name


def mean(models: list[keras.Model]) -> keras.Model:
    """One network that answers with the mean of several; the only one, if there are no others."""
    if len(models) == 1:
        return models[0]
    window = keras.Input(models[0].input_shape[1:], name="patch")
    # Networks of one architecture have one name, which may be in a model only once.
    runs = [keras.Model(model.input, model.output, name=f"run-{run}") for run, model in enumerate(models)]
    return keras.Model(window, keras.layers.Average()([run(window) for run in runs]))


def preprocessing(manifest: dict[str, Any]) -> str:
    """How to use an exported network in another program, Markdown.

    Parameters
    ----------
    manifest : dict
        Of the model file.
    """
    network, given, maps = manifest["network"], manifest["input"], manifest["maps"]
    window, resolution = network["window"], given["resolution"]
    if resolution == "original":
        size = "Keep its size."
    elif "mm" in resolution:
        size = f"Reduce it by area averaging to {resolution['mm']:g} mm a pixel; never enlarge it."
    else:
        size = (
            f"Reduce it by area averaging, {resolution['factor']:g} × {resolution['factor']:g} pixels to one."
        )
    edge = {
        "inside": "Windows lie completely inside the image.",
        "centred": "Window centres cover the whole image, which is mirrored at its edges.",
    }
    views = "each window and the same upside down, mean of both" if maps["mirrored"] else "each window once"
    steps = [
        f"Grey values: {given['grey_scale']}. Air is dark.",
        "Cut out the bounding box of the breast, and mirror it if needed: the chest wall is on the left.",
        f"{size} Round to whole numbers.",
        f"Cut windows of {window} × {window} pixels, every {maps['stride']} pixels. {edge[maps['edge']]}",
        _NORMALIZED[network["normalization"]].format(window=window, steps=local_contrast.STEPS),
        f"Input: float32, (windows, {window}, {window}, 1). Output: float32, (windows, 2): "
        f"{' and '.join(network['classes'])}, which sum to 1. A probability belongs to the central pixel of "
        f"its window (row and column {window // 2}, from 0).",
        f"Views: {views}; magnifications: {', '.join(f'{each:g}' for each in maps['magnifications'])}.",
        "Interpolate linearly between the centres; 0 outside the breast. From this map, boxes are made.",
    ]
    listed = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
    dense = (
        "\n\nThe study mapped each image in one pass of the fully convolutional network (`dense`): there a "
        "window is surrounded by its neighbours, and not by zeros, which changes the answers."
    )
    return (
        f"# From a mammogram to the map of {manifest['model']}\n\n{listed}"
        f"{dense if maps['maps'] == 'dense' else ''}\n"
    )
