"""Writes and reads model files: zip archives whose every byte is checked before any of it is used.

The comment at the end of the archive is the SHA-256 of all bytes before it. So every changed byte is noticed,
also where zip itself has no checksum, and the digest identifies the model.
"""

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mammoflow.base import storage
from mammoflow.bundles import manifest as manifests

# More than any model has: weights in bytes, other members, and the file.
MAX_WEIGHTS, MAX_TEXT, MAX_FILE = 2**31, 2**24, 2**33

_COMMENT = re.compile(rb"sha256:[0-9a-f]{64}")
_LENGTH = len("sha256:") + 64
# Of every member, so that the same content gives the same file.
_DATE = (1980, 1, 1, 0, 0, 0)
_BLOCK = 2**20


@dataclass(frozen=True)
class ModelFile:
    """A checked model file.

    Parameters
    ----------
    path : Path
        The file.
    digest : str
        SHA-256 of its bytes, hexadecimal.
    manifest : dict
        As in ``manifest.schema.json``.
    """

    path: Path
    digest: str
    manifest: dict[str, Any]

    def read(self, name: str) -> bytes:
        """A member of the file.

        Raises
        ------
        ValueError
            When its size or digest differ from those in the manifest.
        """
        expected = self.manifest["members"][name]
        with zipfile.ZipFile(self.path) as archive:
            content = _content(archive, name, self.path, expected["bytes"])
        if hashlib.sha256(content).hexdigest() != expected["sha256"]:
            raise ValueError(f"{self.path}: expected '{name}' as listed in the manifest, got another content")
        return content


def write(path: str | Path, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> str:
    """Write a model file.

    Parameters
    ----------
    path : str or Path
        The file to write.
    manifest : mapping
        Without the entry ``members``.
    members : mapping of str to bytes
        Content by name; see `manifest.members`.

    Returns
    -------
    str
        Its digest. The same arguments give the same bytes.

    Raises
    ------
    ValueError
        When the manifest does not agree with the schema.
    """
    listed = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in members.items()
    }
    manifest = {**manifest, "members": listed}
    manifests.check(manifest, str(path))
    text = (json.dumps(manifest, indent=2, allow_nan=False) + "\n").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {manifests.MANIFEST: text, **members}.items():
            # Weights hardly get smaller.
            kind = zipfile.ZIP_STORED if name.endswith(".h5") else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, kind)
        archive.comment = b"\0" * _LENGTH
    content = buffer.getbuffer()[:-_LENGTH]
    digest = hashlib.sha256(content).hexdigest()
    with storage.whole(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.write(f"sha256:{digest}".encode())
    return digest


def open_model(path: str | Path) -> ModelFile:
    """Check a model file and read its manifest; nothing of the file is executed.

    Parameters
    ----------
    path : str or Path
        Of a file made by `write`.

    Raises
    ------
    ValueError
        When it is no model file, was changed or cut, has another version, or contains what no model has.
    """
    path = Path(path)
    digest = _digest(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            content = _content(archive, manifests.MANIFEST, path, MAX_TEXT)
            manifest = manifests.parse(content, str(path))
            names = sorted(info.filename for info in archive.infolist())
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: expected a model file, got a damaged zip archive ({error})") from error
    if names != sorted([manifests.MANIFEST, *manifest["members"]]):
        raise ValueError(
            f"{path}: expected the {len(manifest['members'])} members listed in its manifest, got others"
        )
    return ModelFile(path, digest, manifest)


def _digest(path: Path) -> str:
    """Digest in the comment of a model file, once it agrees with the bytes before it."""
    kind = "a model file made by mammoflow (*.mammoflow)"
    if not path.is_file():
        raise ValueError(f"{path}: expected {kind}, found {'a folder' if path.is_dir() else 'nothing'}")
    size = path.stat().st_size
    if size > MAX_FILE:
        raise ValueError(f"{path}: expected {kind} of at most {MAX_FILE:,} bytes, got {size:,}")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ValueError(f"{path}: expected {kind}, got a file of another kind")
        file.seek(max(size - _LENGTH, 0))
        comment = file.read()
        if not _COMMENT.fullmatch(comment):
            raise ValueError(f"{path}: expected {kind}, got a zip archive that is cut off or of another kind")
        file.seek(0)
        left = size - _LENGTH
        while left:
            block = file.read(min(_BLOCK, left))
            digest.update(block)
            left -= len(block)
    if f"sha256:{digest.hexdigest()}".encode() != comment:
        raise ValueError(f"{path}: expected a model file as it was written, got one that was changed since")
    return digest.hexdigest()


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise unless all members have names and sizes that a model's may have."""
    known = {manifests.MANIFEST, manifests.SCORE, manifests.FROC, manifests.CARD}
    names = [info.filename for info in archive.infolist()]
    strange = [
        name
        for name in names
        if name not in known and not re.fullmatch(r"weights/run-\d+\.weights\.h5", name)
    ]
    if strange or len(set(names)) < len(names) or not known <= set(names):
        raise ValueError(
            f"{path}: expected the members of a model ({', '.join(sorted(known))} and weights), each once, "
            f"got {len(names)} members, {len(strange)} of which no model has"
        )


def _content(archive: zipfile.ZipFile, name: str, path: Path, most: int) -> bytes:
    """A member that is not larger than it may be; never more than that is decompressed."""
    info = archive.getinfo(name)
    most = min(most, MAX_WEIGHTS if name.endswith(".h5") else MAX_TEXT)
    if info.file_size > most or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(
            f"{path}: expected '{name}' with at most {most:,} bytes, got {info.file_size:,} in the archive"
        )
    try:
        with archive.open(info) as member:
            return member.read(most)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise ValueError(f"{path}: expected '{name}' intact, got a damaged one ({error})") from error
