"""An Orthanc of its own for tests: a DICOM archive on the loopback address, in a temporary folder."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest


def program(name):
    """Path of a program; the test is skipped where it is not installed."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        pytest.skip(f"there is no {name}: tests/programs.sh installs it")
    return path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Archive:
    """A running Orthanc: `dicom` and `http` are its ports."""

    def __init__(self, dicom, http):
        self.dicom, self.http = dicom, http

    def get(self, path, content=None):
        """Answer of the REST interface: bytes; content is sent as JSON."""
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    def find(self, level, query):
        """Identifiers in the archive of what a query finds, at the level Study, Series or Instance."""
        return json.loads(self.get("/tools/find", {"Level": level, "Query": query}))


@contextmanager
def archive(folder):
    """Start an Orthanc and end it."""
    ports = free_port(), free_port()
    settings = {
        "Name": "tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomPort": ports[0],
        "HttpPort": ports[1],
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False,
        "Plugins": [],
    }
    config, log = folder / "orthanc.json", folder / "orthanc.log"
    config.write_text(json.dumps(settings))
    with log.open("wb") as output:
        process = subprocess.Popen([program("Orthanc"), config], stdout=output, stderr=output)
    try:
        running = Archive(*ports)
        wait_for(running, process, log)
        yield running
    finally:
        process.terminate()
        process.wait(20)


def wait_for(running, process, log, seconds=30):
    """Wait until it answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            return running.get("/system")
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"Orthanc did not start:\n{log.read_text()[-2000:]}", pytrace=False)
            time.sleep(0.1)
