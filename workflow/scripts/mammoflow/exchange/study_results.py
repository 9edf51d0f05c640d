"""Reads the results of a study that a data set for other programs is made of."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import h5py
import pandas as pd

from mammoflow.base.contracts.index import LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.shards import Shards
from mammoflow.breasts import image_store
from mammoflow.breasts.geometry import Geometry
from mammoflow.study import paths


class Described(NamedTuple):
    """Place of a stored image in its original, and digest of that original."""

    geometry: Geometry
    pixels_sha256: str


class StudyResults(NamedTuple):
    """What a study knows of the images of its folds.

    Parameters
    ----------
    described : mapping of str to Described
        Every image of the folds, sorted by its identifier.
    store : Shards
        Stored images by identifier; it may hold further ones.
    lesions : pandas.DataFrame
        Table ``lesions``; those of other images are in it, too.
    splits : pandas.DataFrame
        Table ``splits``.
    """

    described: Mapping[str, Described]
    store: Shards
    lesions: pd.DataFrame
    splits: pd.DataFrame


def read(results: Path, dataset: str) -> StudyResults:
    """Read the results of one data set.

    Parameters
    ----------
    results : Path
        The folder ``results`` of a study.
    dataset : str
        One of its data sets.

    Raises
    ------
    ValueError
        When the folder is another one, the study has no such data set, or has not stored and divided its
        images yet.
    """
    datasets = _datasets(results)
    if dataset not in datasets:
        raise ValueError(
            f"--dataset: expected one of the data sets in {results} ({', '.join(datasets)}), got '{dataset}'"
        )
    splits = SPLITS.read(_existing(results, paths.splits(dataset), dataset))
    lesions = LESIONS.read(_existing(results, paths.index(dataset, "lesions"), dataset))
    shards = sorted(_at(results, paths.store(dataset, 0)).parent.glob("shard-*.h5"))
    described = Shards(shards, image_store.image_ids, _described)
    wanted = sorted(set(splits["image_id"]))
    if missing := [image_id for image_id in wanted if image_id not in described]:
        raise ValueError(
            f"{results}: expected the {len(wanted)} images of the folds of '{dataset}' in its images store, "
            f"{len(missing)} are missing, such as '{missing[0]}'; run the study again"
        )
    return StudyResults(
        {image_id: described[image_id] for image_id in wanted},
        image_store.open_store(shards),
        lesions,
        splits,
    )


def _datasets(results: Path) -> list[str]:
    index = _at(results, "results/index")
    found = sorted(path.name for path in index.iterdir() if path.is_dir()) if index.is_dir() else []
    if not found:
        inside = "; it has a folder 'results'" if (results / "results").is_dir() else ""
        got = f"one without them{inside}" if results.is_dir() else "no folder"
        raise ValueError(
            f"{results}: expected the folder 'results' of a study, with index/, images/ and splits/, "
            f"got {got}"
        )
    return found


def _existing(results: Path, path: str, dataset: str) -> Path:
    """A file of the study, by its path in the workspace."""
    if not (file := _at(results, path)).is_file():
        raise ValueError(
            f"{file}: expected a file of a study whose images are stored and divided into folds, got none; "
            f"run the study first, or at least: snakemake {paths.splits(dataset)}"
        )
    return file


def _at(results: Path, path: str) -> Path:
    return results / Path(path).relative_to("results")


def _described(file: h5py.File, image_id: str) -> Described:
    """Reader of `Shards` that reads no pixel."""
    attributes = file[f"images/{image_id}"].attrs
    return Described(Geometry.from_attributes(attributes), attributes["pixels_sha256"])
