"""Keras' ImageNet weights without the top, with the digests that the installed Keras compares them with."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from mammoflow.base import storage
from mammoflow.exchange import fetching
from mammoflow.exchange.downloading import Part
from mammoflow.exchange.fetching import Client, Damaged
from mammoflow.networks import architectures

# A settings file that names the weights, next to them.
SETTINGS = "imagenet.yaml"

# More than any of the files has.
_MOST = 2**30


class Pinned(NamedTuple):
    """A file of weights as Keras would fetch it."""

    network: str
    name: str
    url: str
    md5: str


class _Asked(Exception):
    """Keras asked for a file."""


def pinned() -> list[Pinned]:
    """Files of every network of which Keras has weights; Keras itself is asked, and fetches nothing."""
    networks = [name for name in architectures.names() if architectures.network(name).imagenet]
    return [_pinned(name) for name in networks]


def _pinned(network: str) -> Pinned:
    architecture = architectures.network(network)
    with _asking() as asked:
        architecture.body(architecture.smallest, "imagenet")
    (name, url), settings = asked
    return Pinned(network, name, url, settings["file_hash"])


@contextmanager
def _asking() -> Iterator[list]:
    """The arguments with which Keras would fetch a file within the block, which ends there."""
    from keras.src.utils import file_utils

    asked: list = []

    def get_file(*arguments: str, **settings: str) -> None:
        asked.extend([arguments, settings])
        raise _Asked

    try:
        with mock.patch.object(file_utils, "get_file", get_file):
            yield asked
    except _Asked:
        pass


def parts(client: Client, files: Sequence[Pinned], base: str | None, to: Path) -> list[Part]:
    """What to fetch; from a folder at another address, if ``base`` names one.

    Raises
    ------
    ValueError
        When a file is there, and is not the one that Keras expects.
    """
    found = []
    for file in files:
        url = fetching.address(base, file.name) if base else file.url
        path = to / file.name
        if path.exists() and (digest := _md5(path)) != file.md5:
            raise ValueError(f"{path}: {_other(file, digest)}; remove it, and it is fetched")
        size = 0 if path.exists() else client.size(url) or 0
        found.append(Part(path, size, partial(_fetch, client, url, file, path)))
    return found


def _fetch(client: Client, url: str, file: Pinned, path: Path) -> str:
    def fetched() -> None:
        with storage.whole(path) as temporary:
            client.into(url, temporary, _MOST)
            if (digest := _md5(temporary)) != file.md5:
                raise Damaged(_other(file, digest))

    client.persistently(url, fetched)
    return ""


def _md5(path: Path) -> str:
    with open(path, "rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _other(file: Pinned, digest: str) -> str:
    return f"a file with MD5 {digest}, where Keras expects {file.md5}"


def write_settings(files: Sequence[Pinned], to: Path) -> Path:
    """Write the settings ``weights.imagenet`` for these files, and return where."""
    lines = ["weights:", "  imagenet:", "    label: ImageNet", "    source: files", "    files:"]
    for file in files:
        path = (to / file.name).resolve()
        lines += [
            f"      {file.network}:",
            f"        path: {_quoted(str(path))}",
            f"        sha256: {storage.sha256(path)}",
        ]
    with storage.whole(to / SETTINGS) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
    return to / SETTINGS


def _quoted(text: str) -> str:
    """Text for YAML."""
    return "'" + text.replace("'", "''") + "'"
