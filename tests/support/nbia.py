"""A server on this machine that speaks the interface of NBIA, and fails when it is told to."""

import csv
import hashlib
import io
import json
import threading
import zipfile
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def packed(files, digests=None, listed=True):
    """A zip archive as the service sends it: files by name, and the list of their MD5."""
    digests = {name: hashlib.md5(content).hexdigest() for name, content in files.items()} | (digests or {})
    table = io.StringIO()
    csv.writer(table).writerows([("Filename", "MD5Hash"), *digests.items()])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        if listed:
            archive.writestr("md5hashes.csv", table.getvalue())
    return buffer.getvalue()


def _members(objects):
    return {f"{number:08d}.dcm": content for number, content in enumerate(objects, start=1)}


def _flipped(objects):
    return packed(_members(objects), {"00000001.dcm": "0" * 32})


def _slip(objects):
    return packed({"../../slipped.dcm": objects[0]})


def _twice(objects):
    return packed({"00000001.dcm": objects[0], "00000001.DCM": objects[0]})


def _bomb(objects):
    return packed({"00000001.dcm": bytes(2**24)})


def _unlisted_file(objects):
    return packed(_members(objects), {"00000099.dcm": "0" * 32})


def _fewer(objects):
    return packed({"LICENSE": b"CC BY"})


def _damaged(objects):
    content = bytearray(packed(_members(objects)))
    content[60] ^= 0xFF
    return bytes(content)


# Archives that are not what they should be.
WRONG = {
    "wrong md5": _flipped,
    "../": _slip,
    "two of one name": _twice,
    "bomb": _bomb,
    "a listed file is missing": _unlisted_file,
    "no DICOM file": _fewer,
    "damaged": _damaged,
    "no archive": lambda objects: b"<html>maintenance</html>",
    "truncated": lambda objects: packed(_members(objects))[:-30],
}


class Service:
    """The service; its address is ``base``.

    Parameters
    ----------
    series : dict
        By UID, the case and the contents of the objects.
    files : dict
        Contents of plain files by path.
    sized : bool
        Whether the list of series has their sizes.
    """

    def __init__(self, series, files, sized=True):
        self.series, self.files, self.sized = series, files, sized
        # What goes wrong with the next requests for a series or a file, first come first; "always" stays.
        self.faults = defaultdict(list)
        self.asked = Counter()
        self.answered = threading.Event()
        self.unlisted = set()

    def __enter__(self):
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                service.answer(self)

            do_HEAD = do_GET

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request):
        parts = urlsplit(request.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        uid, action = query.get("SeriesInstanceUID", ""), parts.path.rsplit("/", 1)[-1]
        self.asked[action if uid == "" else f"{action} {uid}"] += 1
        if action == "getSeries":
            self._send(request, json.dumps(self._listed()).encode(), action)
        elif action == "getSeriesSize":
            size, objects = self._size(uid)
            told = [{"TotalSizeInBytes": f"{size}.000000", "ObjectCount": objects}]
            self._send(request, json.dumps(told).encode(), action)
        elif action == "getImageWithMD5Hash":
            self._send(request, None, uid)
        else:
            self._send(request, self.files.get(parts.path.lstrip("/")), action)

    def _listed(self):
        return [
            {
                "SeriesInstanceUID": uid,
                "PatientID": case,
                "Collection": "CBIS-DDSM",
                "ImageCount": len(objects),
                **({"FileSize": self._size(uid)[0]} if self.sized else {}),
            }
            for uid, (case, objects) in self.series.items()
        ]

    def _size(self, uid):
        objects = self.series[uid][1]
        return sum(map(len, objects)), len(objects)

    def _send(self, request, content, name):
        faults = self.faults[name]
        fault = faults[0] if faults[-1:] == ["always"] else faults.pop(0) if faults else ""
        if content is None and name in self.series:
            objects = self.series[name][1]
            right = packed(_members(objects), listed=name not in self.unlisted)
            content = WRONG[fault](objects) if fault in WRONG else right
        if content is None or fault.isdecimal():
            request.send_response(int(fault or 404))
            request.send_header("Retry-After", "0")
            request.end_headers()
            return
        request.send_response(200)
        if fault != "truncated":
            request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command == "HEAD":
            return
        if fault == "hangs up":
            content = content[: len(content) // 2]
        request.wfile.write(content[:100])
        if fault == "slow":
            request.wfile.flush()
            self.answered.set()
            while not request.wfile.closed:
                try:
                    request.wfile.write(b"\0")
                    threading.Event().wait(0.01)
                except OSError:
                    return
        request.wfile.write(content[100:])
