"""A model that was loaded from its file, ready to detect: as the study did it, with the study's functions."""

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pandas as pd

from mammoflow.breasts.image_store import StoredImage
from mammoflow.bundles import manifest as manifests
from mammoflow.bundles.model_file import ModelFile
from mammoflow.detection import candidate_scores, candidates, components, magnified, mapping
from mammoflow.detection.mpm import Grid
from mammoflow.networks import runtime, trained
from mammoflow.patches.sliding_windows import Windows


@dataclass(frozen=True)
class Detector:
    """Networks and settings of a model.

    Parameters
    ----------
    models : list of keras.Model
        One for each run.
    way : mapping.Way
        How maps are computed.
    settings : candidates.Settings
        How candidates are found.
    score : function
        Scores of candidates; see `candidate_scores`.
    own_scale : sequence of float
        Sizes at which networks see each candidate.
    levels : int
        Thresholds of the paper's boxes.
    """

    models: list[keras.Model]
    way: mapping.Way
    settings: candidates.Settings
    score: candidate_scores.Score
    own_scale: list[float]
    levels: int

    def grids(self, images: Mapping[str, StoredImage], image_ids: Iterable[str]) -> magnified.Grids:
        """Window probabilities of prepared images, one after the other; see `mapping.grids`."""
        return mapping.grids(self.models, images, image_ids, self.way)

    def candidates(self, image: StoredImage, grid: Grid) -> pd.DataFrame:
        """All scored candidates of an image: a ``candidates`` table, by descending score."""
        window = self.way.windows.window
        table = candidates.of_image(image.image_id, image, grid, window, self.settings)
        if self.own_scale and len(table):
            table = self._described(image, table)
        return candidate_scores.scored(table, self.score, self.settings)

    def regions(self, image: StoredImage, grid: Grid, level: int | None = None) -> pd.DataFrame:
        """The paper's boxes of an image: a ``detections`` table, of one level of the map or of all."""
        found = components.find(components.quantise(grid.map(), self.levels))
        if level is not None:
            there = (found.first <= level) & (level <= found.last)
            same = np.full(there.sum(), level)
            found = components.Components(found.boxes[there], same, same, found.score[there])
        return components.rows(found, self.levels, image.image_id, grid.geometry)

    def boxes(self, image: StoredImage, grid: Grid, mode: str, threshold: float) -> pd.DataFrame:
        """Boxes on an image at a threshold.

        Parameters
        ----------
        image : StoredImage
            The prepared image.
        grid : Grid
            Its window probabilities.
        mode : {"paper", "candidate"}
            Kind of the boxes.
        threshold : float
            From 0 to 1. Candidates with at least this score; or regions of the map above the nearest of
            its levels.

        Returns
        -------
        pandas.DataFrame
            A ``candidates`` table, by descending score.
        """
        if mode == "candidate":
            found = self.candidates(image, grid)
            found = found[found["score"] >= threshold]
        else:
            found = self.regions(image, grid, round(threshold * self.levels)).drop(columns="threshold")
        return found.sort_values("score", ascending=False, kind="stable", ignore_index=True)

    def _described(self, image: StoredImage, table: pd.DataFrame) -> pd.DataFrame:
        from mammoflow.detection import own_scale  # only where a model asks for it

        store = {image.image_id: image}
        return own_scale.described(
            table, store, self.models, self.way.normalization, self.own_scale, self.way.precision
        )


def load(file: ModelFile, precision: str | None = None) -> Detector:
    """Build the networks of a model file from their names, and load their weights.

    Parameters
    ----------
    file : ModelFile
        Of `model_file.open_model`.
    precision : str, optional
        See `inference.compiled`; by default that of the study if this machine computes in it, else float32.

    Raises
    ------
    ValueError
        When the weights do not fit the network, or the score is none.
    """
    manifest = file.manifest
    network, maps, boxes = manifest["network"], manifest["maps"], dict(manifest["boxes"])
    levels, own_scale = boxes.pop("levels"), boxes.pop("own_scale")
    windows = Windows(network["window"], maps["stride"], maps["edge"])
    return Detector(
        [_network(file, run) for run in manifest["runs"]],
        mapping.Way(
            windows,
            network["normalization"],
            maps["maps"],
            precision or _precision(maps["precision"]),
            maps["mirrored"],
            maps["magnifications"],
        ),
        candidates.Settings(**boxes),
        candidate_scores.parse(_json(file), f"{file.path}: {manifests.SCORE}"),
        own_scale,
        levels,
    )


def _precision(wanted: str) -> str:
    return wanted if wanted in ("float32", runtime.policy("auto")) else "float32"


def _json(file: ModelFile) -> Any:  # noqa: ANN401
    try:
        return json.loads(file.read(manifests.SCORE))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file.path}: expected {manifests.SCORE} as JSON, got {error}") from error


def _network(file: ModelFile, run: int) -> keras.Model:
    """Network of a run; only arrays are read from its weights."""
    name = manifests.weights(run)
    network = file.manifest["network"]
    with tempfile.TemporaryDirectory() as folder:
        weights, metadata = Path(folder, "model.weights.h5"), Path(folder, "model.json")
        weights.write_bytes(file.read(name))
        _check_arrays(weights, f"{file.path}: {name}", file.manifest["members"][name]["bytes"])
        record = {
            "backbone": network["backbone"],
            "window": network["window"],
            "weights_sha256": file.manifest["members"][name]["sha256"],
        }
        metadata.write_text(json.dumps(record))
        return trained.load(weights, metadata, "float32")[0]


def _check_arrays(path: Path, origin: str, most: int) -> None:
    """Raise unless an HDF5 file holds only arrays of its own, which together are not larger than itself.

    Links to other files and arrays that are stored in them would read what the user never meant to give; a
    compressed array may be far larger than its file.
    """
    total = 0

    def visit(group: h5py.Group) -> None:
        nonlocal total
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{origin}: expected arrays alone, got a link to something else")
            item = group[name]
            if isinstance(item, h5py.Group):
                visit(item)
            elif item.external or item.is_virtual or item.dtype.kind not in "fiu":
                raise ValueError(f"{origin}: expected arrays of numbers in the file itself, got others")
            else:
                total += item.nbytes
                if total > most:
                    raise ValueError(f"{origin}: expected arrays of at most {most:,} bytes, got more")

    try:
        with h5py.File(path) as file:
            visit(file)
    except (OSError, RuntimeError, RecursionError) as error:
        raise ValueError(f"{origin}: expected weights as HDF5, got a damaged file ({error})") from error
