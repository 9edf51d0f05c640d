"""Settings shared by all tests."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress

import pytest
from hypothesis import settings

# A shell starts what runs in the background with SIGINT ignored, and children inherit that: tests that
# interrupt theirs would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Busy machines make deadlines fail for no fault of the code; examples stay the same from run to run.
settings.register_profile("mammoflow", deadline=None, derandomize=True)
settings.load_profile("mammoflow")

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def pytest_collection_modifyitems(config, items):
    """With several processes, begin with what takes longest."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


class Disk:
    """A separate file system in memory."""

    def __init__(self, folder, size):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs")

    def _mount(self, *arguments):
        if shutil.which("mount") is None:
            pytest.skip("a disk of its own needs Linux and root: there is no mount")
        ran = subprocess.run(["mount", *arguments, self.folder], capture_output=True, text=True, check=False)
        if ran.returncode:
            pytest.skip(f"a disk of its own needs Linux and root: {ran.stderr.strip()}")

    def fill(self, free):
        """Leave so many bytes free."""
        self.empty()
        with open(self.folder / "filler", "wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, max(4096, shutil.disk_usage(self.folder).free - free))

    def empty(self):
        """Remove what `fill` left."""
        with suppress(FileNotFoundError):
            (self.folder / "filler").unlink()

    def close(self, closed=True):
        """Make it read-only, or not."""
        self._mount("-o", f"remount,{'ro' if closed else 'rw'}")

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.folder], check=False)


@pytest.fixture
def disk():
    """Makes disks: of a folder and a size; they go when the test ends."""
    disks = []

    def make(folder, size):
        disks.append(Disk(folder, size))
        return disks[-1]

    yield make
    for made in reversed(disks):
        made.unmount()
