"""Compares the results of two studies: arrays and tables bit by bit, instead of files byte by byte."""

import json

import h5py
import hdf5plugin  # noqa: F401 (the filter of all arrays)
import numpy as np
import pandas as pd

from mammoflow.bundles import manifest, model_file

# Entries that state when, where and how fast something ran.
OF_THE_RUN = {"provenance", "seconds", "seconds_per_epoch", "patches_per_second"}


def differences(results, others):
    """One line for each file of one results folder that is missing or otherwise in the other."""
    names, other_names = (
        {
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file() and "benchmarks" not in path.parts
        }
        for folder in (results, others)
    )
    return [f"only in one: {name}" for name in sorted(names ^ other_names)] + [
        f"{name}: {difference}"
        for name in sorted(names & other_names)
        for difference in _of_files(results / name, others / name)
    ]


def _of_files(path, other):
    if path.suffix == ".h5":
        with h5py.File(path) as file, h5py.File(other) as other_file:
            arrays, other_arrays = _arrays(file), _arrays(other_file)
        if set(arrays) != set(other_arrays):
            yield f"arrays {sorted(set(arrays) ^ set(other_arrays))}"
        for name in set(arrays) & set(other_arrays):
            if not _same(arrays[name], other_arrays[name]):
                yield f"array {name}"
    elif path.suffix in (".csv", ".parquet"):
        read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
        table, other_table = (read(file).drop(columns=OF_THE_RUN, errors="ignore") for file in (path, other))
        if not table.equals(other_table):
            yield "table"
    elif path.suffix == ".json":
        record, other_record = (json.loads(file.read_text()) for file in (path, other))
        for key in (set(record) | set(other_record)) - OF_THE_RUN:
            if record.get(key) != other_record.get(key):
                yield f"{key}: {record.get(key)} and {other_record.get(key)}"

    elif path.suffix == ".mammoflow":
        yield from _of_model_files(*(model_file.open_model(file) for file in (path, other)))


def _of_model_files(model, other):
    """Weights are those of the trainings, whose files differ in more than their arrays."""
    for key in (set(model.manifest) | set(other.manifest)) - {"members", "versions"}:
        if model.manifest.get(key) != other.manifest.get(key):
            yield f"{key}: {model.manifest.get(key)} and {other.manifest.get(key)}"
    for name in (manifest.SCORE, manifest.FROC):
        if model.read(name) != other.read(name):
            yield f"member {name}"


def _arrays(file):
    found = {}
    file.visititems(
        lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
    )
    return found


def _same(array, other):
    floating = np.issubdtype(np.asarray(array).dtype, np.floating)
    return (
        np.array_equal(array, other, equal_nan=floating)
        and np.asarray(array).dtype == np.asarray(other).dtype
    )
