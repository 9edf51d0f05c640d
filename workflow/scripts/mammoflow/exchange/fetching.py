"""Fetches over HTTP: complete or not at all, and again after errors that may pass."""

import http.client
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from mammoflow.base.version import version

Result = TypeVar("Result")

# Times that something is tried, and seconds before the second time; each further pause is twice as long.
ATTEMPTS = 6
PAUSE_S = 1.0

_LONGEST_PAUSE_S = 60
_SILENCE_S = 60
_CHUNK = 2**18
# More than any list of a service.
_MOST = 2**28
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class Damaged(Exception):
    """What arrived is not what was sent: tried again."""


class Stopped(Exception):
    """A thread was fetching when the command ended."""


_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[!-~]*)?")
_FAILURES = (Damaged, urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


class Client:
    """Fetches from one or several servers; safe to use from several threads."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def threads(self, connections: int) -> ThreadPoolExecutor:
        """Threads for `pool.ordered`, which stop fetching when the block that uses them ends by an error."""
        stop = self._stop

        class Threads(ThreadPoolExecutor):
            def __exit__(self, kind: type[BaseException] | None, *rest: object) -> bool | None:
                if kind is not None:
                    stop.set()
                return super().__exit__(kind, *rest)

        return Threads(connections)

    def persistently(self, url: str, action: Callable[[], Result]) -> Result:
        """Result of an action that fetches from an address; tried again after errors that may pass.

        Raises
        ------
        ValueError
            When the server refuses, or the last attempt fails.
        """
        attempt = 1
        while True:
            try:
                return action()
            except _FAILURES as error:
                pause = min(max(PAUSE_S * 2 ** (attempt - 1), _asked_s(error)), _LONGEST_PAUSE_S)
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
                if attempt == ATTEMPTS or not _may_pass(error):
                    times = f" ({attempt} times)" if attempt > 1 else ""
                    raise ValueError(
                        f"{url}: expected a complete answer, got {_reason(error)}{times}"
                    ) from error
            if self._stop.wait(pause):
                raise Stopped
            attempt += 1

    def json(self, url: str) -> Any:  # noqa: ANN401
        """Content of a JSON answer; an empty answer is an empty list."""

        def parsed() -> Any:  # noqa: ANN401
            chunks: list[bytes] = []
            self._receive(url, chunks.append, _MOST)
            try:
                return json.loads(b"".join(chunks) or b"[]")
            except (ValueError, RecursionError) as error:
                raise Damaged("an answer that is no JSON") from error

        return self.persistently(url, parsed)

    def size(self, url: str) -> int | None:
        """Bytes of a file, if the server says so."""

        def told() -> int | None:
            with self._open(url, "HEAD") as response:
                length = response.headers.get("Content-Length", "")
            return int(length) if length.isdecimal() else None

        return self.persistently(url, told)

    def into(self, url: str, path: Path, most: int) -> None:
        """Write an answer to a file; tried once, for an action of `persistently`.

        Raises
        ------
        Damaged
            When fewer bytes arrive than announced, or more than ``most``.
        """
        with open(path, "wb") as file:
            self._receive(url, file.write, most)

    def _receive(self, url: str, take: Callable[[bytes], object], most: int) -> None:
        received = 0
        with self._open(url) as response:
            announced = response.length
            while chunk := response.read1(_CHUNK):  # does not wait for a full chunk, so that it can stop
                if self._stop.is_set():
                    raise Stopped
                received += len(chunk)
                if received > most:
                    raise Damaged(f"more than {most:,} bytes")
                take(chunk)
        if announced is not None and received != announced:
            raise Damaged(f"{received:,} of {announced:,} bytes")

    def _open(self, url: str, method: str = "GET") -> http.client.HTTPResponse:
        request = urllib.request.Request(url, method=method, headers={"User-Agent": f"mammoflow/{version()}"})
        return urllib.request.urlopen(request, timeout=_SILENCE_S)


def address(base: str, name: str, **query: str) -> str:
    """Address of something below a base address.

    Raises
    ------
    ValueError
        When the base is no address of HTTP, or has characters that an address writes otherwise.
    """
    if not _ADDRESS.fullmatch(base):
        raise ValueError(f"address: expected one that begins with https:// or http://, got '{base}'")
    return f"{base.rstrip('/')}/{name}" + (f"?{urllib.parse.urlencode(query)}" if query else "")


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, urllib.error.HTTPError) or error.code in _PASSING


def _asked_s(error: Exception) -> float:
    """Seconds that the server asks to wait."""
    asked = error.headers.get("Retry-After", "") if isinstance(error, urllib.error.HTTPError) else ""
    return float(asked) if asked.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"status {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return " ".join(str(cause).split()) or type(cause).__name__
