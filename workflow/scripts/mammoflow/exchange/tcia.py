"""CBIS-DDSM from The Cancer Imaging Archive, by the REST service NBIA.

References
----------
NBIA Search REST API, version 1: getSeries, getSeriesSize, getImageWithMD5Hash.
"""

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mammoflow.archives.marks import CBIS_DDSM_TABLES
from mammoflow.base import pool, storage
from mammoflow.exchange import fetching, unpacking
from mammoflow.exchange.downloading import Part
from mammoflow.exchange.fetching import Client, Damaged

# Addresses below which the service and the tables of cases are, and what they have.
SERVICE = "https://services.cancerimagingarchive.net/nbia-api/services/v1"
TABLES = "https://www.cancerimagingarchive.net/wp-content/uploads"
COLLECTION = "CBIS-DDSM"
NAMES = {
    "mass": tuple(CBIS_DDSM_TABLES.values()),
    "calcification": ("calc_case_description_train_set.csv", "calc_case_description_test_set.csv"),
}
TERMS = "CBIS-DDSM, doi:10.7937/K9/TCIA.2016.7O02S9CY, CC BY 3.0: name the source"

# Beginning of the PatientID of an object, which holds its case.
_CASES = {"mass": "Mass-", "calcification": "Calc-"}
_UID = re.compile(r"\d+(\.\d+){1,31}")
# A table of cases has less than a megabyte.
_LARGEST_TABLE = 2**25
# How much larger than announced an archive may be: far more than its list of digests and its licence need, so
# that this only keeps a broken server from filling the disk.
_TIMES, _MORE_BYTES = 2, 2**26


class Series(NamedTuple):
    """A series of the collection: its UID, its bytes, and its number of DICOM files if that is known."""

    uid: str
    size: int
    objects: int | None


def listed(client: Client, service: str, cases: Sequence[str], connections: int) -> list[Series]:
    """Series of the collection, in the order of their cases.

    Parameters
    ----------
    client : Client
        Asks the service.
    service : str
        Address of the service.
    cases : sequence of str
        Among ``mass`` and ``calcification``.
    connections : int
        Questions at the same time.

    Raises
    ------
    ValueError
        When the service does not answer, or in another way than expected.
    """
    url = fetching.address(service, "getSeries", Collection=COLLECTION, format="json")
    entries = client.json(url)
    beginnings = tuple(_CASES[case] for case in cases)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{url}: expected a list of series, got something else")
    wanted = [entry for entry in entries if str(entry.get("PatientID")).startswith(beginnings)]
    if not wanted:
        raise ValueError(
            f"{url}: expected series of {' and '.join(cases)} cases, got {len(entries)} series, none of them"
        )
    once = {str(entry.get("SeriesInstanceUID")): entry for entry in wanted}
    ordered = sorted(
        once.values(), key=lambda entry: (entry["PatientID"], str(entry.get("SeriesInstanceUID")))
    )
    return list(pool.ordered(partial(_series, client, service), ordered, connections, client.threads))


def parts(
    client: Client, service: str, tables: str, cases: Sequence[str], series: Sequence[Series], to: Path
) -> list[Part]:
    """What to fetch: tables of cases into the folder, and each series into a folder below ``dicom``."""
    names = [name for case in cases for name in NAMES[case]]
    of_tables = [
        Part(to / name, 0, partial(_fetch_table, client, fetching.address(tables, name), to / name))
        for name in names
    ]
    folders = [(each, to / "dicom" / each.uid) for each in series]
    of_series = [
        Part(folder, each.size, partial(_fetch_series, client, service, each, folder))
        for each, folder in folders
    ]
    return of_tables + of_series


def _series(client: Client, service: str, entry: dict[str, Any]) -> Series:
    """A series as the service lists it; its size is asked for where the list has none."""
    uid = str(entry.get("SeriesInstanceUID"))
    if not _UID.fullmatch(uid):
        raise ValueError(f"{service}: expected UIDs of series, got {uid[:80]!r}")
    size, objects = _whole(entry.get("FileSize")), _whole(entry.get("ImageCount"))
    if size is None:
        url = fetching.address(service, "getSeriesSize", SeriesInstanceUID=uid)
        answer = client.json(url)
        told = answer[0] if isinstance(answer, list) and answer and isinstance(answer[0], dict) else {}
        size = _whole(told.get("TotalSizeInBytes"))
        if size is None:
            raise ValueError(f"{url}: expected the size of a series, got something else")
        objects = objects or _whole(told.get("ObjectCount"))
    return Series(uid, size, objects)


def _whole(value: object) -> int | None:
    """A positive number, which the service also writes as text and with decimals."""
    with suppress(ValueError, OverflowError):
        if isinstance(value, int | float | str) and (number := int(float(value))) > 0:
            return number
    return None


def _fetch_table(client: Client, url: str, path: Path) -> str:
    def fetched() -> None:
        with storage.whole(path) as temporary:
            client.into(url, temporary, _LARGEST_TABLE)
            if b"patient_id" not in temporary.read_bytes()[:4096]:
                raise Damaged("something other than a table of cases")

    client.persistently(url, fetched)
    return ""


def _fetch_series(client: Client, service: str, series: Series, folder: Path) -> str:
    url = fetching.address(service, "getImageWithMD5Hash", SeriesInstanceUID=series.uid)
    compared = client.persistently(url, partial(_unpacked, client, url, series, folder))
    return "" if compared else f"{series.uid}: the service has no MD5 of it"


def _unpacked(client: Client, url: str, series: Series, folder: Path) -> bool:
    """Fetch, check and rename; what a killed process has left of the series is removed first."""
    unpacked, archive = folder.with_name(f".{series.uid}.partial"), folder.with_name(f"{series.uid}.zip")
    most = series.size * _TIMES + _MORE_BYTES
    shutil.rmtree(unpacked, ignore_errors=True)
    storage.make_folder(unpacked)
    try:
        with storage.whole(archive) as temporary:  # which says what a full disk needs
            client.into(url, temporary, most)
            compared = unpacking.unpack(temporary, unpacked, most, series.objects)
        os.replace(unpacked, folder)
    finally:
        archive.unlink(missing_ok=True)
        shutil.rmtree(unpacked, ignore_errors=True)
    return compared
