"""Unpacks a series of DICOM files from the archive that a server sends, and checks them."""

import csv
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mammoflow.exchange.fetching import Damaged

# Where NBIA lists the MD5 of each file, by ``Filename`` and ``MD5Hash``.
_DIGESTS = "md5hashes.csv"
_CHUNK = 2**20
_FORBIDDEN = set("/\\:\0")
# What zipfile raises for damage, for an encrypted member, and for a compression that it does not know.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def unpack(archive: Path, folder: Path, most: int, objects: int | None) -> bool:
    """Write the files of an archive into a folder.

    Parameters
    ----------
    archive : Path
        A zip archive; its members have plain names.
    folder : Path
        An empty folder.
    most : int
        Bytes that all files together may have.
    objects : int or None
        Number of DICOM files, if it is known.

    Returns
    -------
    bool
        Whether the archive has an MD5 of every DICOM file; they were compared. Without, only the archive's
        own checksums were.

    Raises
    ------
    Damaged
        When the archive is damaged, incomplete or larger, has a member that would be written elsewhere, or
        a file differs from its MD5.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _require_plain([member.filename for member in members])
            if (size := sum(member.file_size for member in members)) > most:
                raise Damaged(f"an archive of {size:,} bytes, where {most:,} are the most")
            digests = _digests(opened, members)
            found = {
                member.filename: _write(opened, member, folder / member.filename)
                for member in members
                if member.filename != _DIGESTS
            }
    except _BROKEN as error:
        raise Damaged(f"a damaged archive ({error})") from error
    return _checked(found, digests, objects)


def _require_plain(names: Sequence[str]) -> None:
    for name in names:
        if not name or name.startswith(".") or _FORBIDDEN & set(name):
            raise Damaged(f"an archive with a member {name!r}, whose name is not that of a file")
    if len({name.casefold() for name in names}) < len(names):
        raise Damaged("an archive with two members of one name")


def _digests(opened: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> dict[str, str]:
    """MD5 by the name of the file; none where the archive has no list."""
    if _DIGESTS not in [member.filename for member in members]:
        return {}
    rows = csv.DictReader(io.StringIO(opened.read(_DIGESTS).decode("utf-8-sig", errors="replace")))
    return {str(row.get("Filename")): str(row.get("MD5Hash")).strip().lower() for row in rows}


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> str:
    """Write a member, and return its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    with opened.open(member) as source, open(path, "wb") as target:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


def _checked(found: Mapping[str, str], digests: Mapping[str, str], objects: int | None) -> bool:
    if missing := sorted(set(digests) - set(found)):
        raise Damaged(f"an archive without '{missing[0]}', whose MD5 it lists")
    for name, digest in found.items():
        if name in digests and digests[name] != digest:
            raise Damaged(f"'{name}' with MD5 {digest}, where {digests[name]} is listed")
    dicom = [name for name in found if name.lower().endswith(".dcm")]
    if not dicom or (objects is not None and len(dicom) != objects):
        raise Damaged(f"an archive of {len(dicom)} DICOM files{'' if objects is None else f' for {objects}'}")
    return all(name in digests for name in dicom)
