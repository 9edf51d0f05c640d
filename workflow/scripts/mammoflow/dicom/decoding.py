"""Decodes compressed pixels in separate worker processes.

A few kilobytes can expand to gigabytes, and the decoders are native code that can crash or never return
on damaged pictures. In these cases only a worker process ends: the image is excluded with the reason, and
the stage continues with a new worker.

`multiprocessing` (and libraries based on it) is not used because it either imports the main module again,
which under Snakemake is the script of the job, or forks a process that has threads. A process that is forked
from this one starts its own workers.
"""

import atexit
import contextlib
import logging
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder

from mammoflow.base.exclusions import Excluded
from mammoflow.dicom import codestreams

# One decoder per transfer syntax: after a failure pydicom would try the next, and one of those
# (libjpeg) hands over half-decoded pictures as whole. pyjpegls never returns from some cut pictures.
PLUGINS = {
    uid.RLELossless: "pydicom",
    uid.JPEGBaseline8Bit: "gdcm",
    uid.JPEGExtended12Bit: "gdcm",
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
    uid.JPEGLSLossless: "gdcm",
    uid.JPEGLSNearLossless: "gdcm",
    uid.JPEG2000Lossless: "gdcm",
    uid.JPEG2000: "gdcm",
}

MEMORY_BYTES = 3 * 2**29
SECONDS = 60.0


@dataclass(frozen=True)
class Frame:
    """One compressed picture, and its description in the header.

    Parameters
    ----------
    syntax : str
        Transfer syntax, a key of `PLUGINS`.
    codestream : bytes
        All fragments of the picture.
    rows, columns, bits_allocated : int
        Elements of the header.
    """

    syntax: str
    codestream: bytes
    rows: int
    columns: int
    bits_allocated: int


@dataclass(frozen=True)
class Samples:
    """A decoded picture.

    Parameters
    ----------
    values : (M, N) uint8 or uint16 ndarray
        Output of the decoder; signed samples are in two's complement.
    precision : int
        Bits per sample; these are the lowest bits.
    signed : bool
        Whether the codestream declares the samples as signed.
    """

    values: np.ndarray
    precision: int
    signed: bool


def decode(frame: Frame) -> Samples:
    """Decode a compressed picture in a worker process; each calling thread gets a separate worker.

    Parameters
    ----------
    frame : Frame
        A picture with one component.

    Returns
    -------
    Samples

    Raises
    ------
    Excluded
        ``undecodable``, ``decoder-memory``, ``decoder-timeout`` or ``decoder-crashed``.
    RuntimeError
        When no worker can be started, which points to a broken installation.
    """
    worker = _take_worker()
    try:
        reply = worker.ask((frame, SECONDS))
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):
        raise worker.cause_of_death() from None
    _idle.append(worker)
    if isinstance(reply, Samples):
        return reply
    raise Excluded(*reply)


# Code that runs in the stage's process. Appending to a list and popping from it are atomic.

_START = """
import sys
memory, *sys.path[:] = sys.argv[1:]
from mammoflow.dicom import decoding
decoding.serve(int(memory))
"""
_OUT_OF_MEMORY = 77


class _Worker:
    """A worker process that decodes pictures one after the other until its input ends."""

    def __init__(self) -> None:
        # Isolated (-I): imports depend neither on the environment nor on the working folder.
        # Only one thread for BLAS, which otherwise reserves memory for every processor.
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(MEMORY_BYTES), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        try:
            pickle.load(self.process.stdout)
        except EOFError:
            code = self.process.wait()
            self.end()
            raise RuntimeError(
                f"decoder: expected a worker process to start, got one that ended with exit code {code}"
            ) from None

    def ask(self, request: object) -> Samples | tuple[str, str]:
        pickle.dump(request, self.process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)

    def cause_of_death(self) -> Excluded:
        self._close()
        code = self.process.wait()
        if code == _OUT_OF_MEMORY:
            return Excluded("decoder-memory", f"expected at most {MEMORY_BYTES} bytes of memory")
        if code == -signal.SIGPROF:
            return Excluded("decoder-timeout", f"expected at most {SECONDS:g} s of processor time")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Excluded("decoder-crashed", f"the decoder ended with {how}")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):  # for the data that can no longer be sent to it
                pipe.close()


_idle: list[_Worker] = []


def _take_worker() -> _Worker:
    while _idle:
        with contextlib.suppress(IndexError):  # another thread has taken it
            worker = _idle.pop()
            if worker.process.poll() is None:
                return worker
            worker.end()
    return _Worker()


@atexit.register
def end_workers() -> None:
    """End all idle workers; the next picture starts a new one."""
    while _idle:
        _idle.pop().end()


os.register_at_fork(after_in_child=_idle.clear)


# Code that runs in the worker process.


def serve(memory: int) -> None:
    """Decode pictures from the standard input until it ends, with at most `memory` bytes of memory."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _limit_memory(memory)
    _send(replies, "ready")
    with tempfile.TemporaryFile() as complaints:
        for descriptor in (1, 2):
            os.dup2(complaints.fileno(), descriptor)
        _raise_what_pydicom_catches()
        with contextlib.suppress(EOFError):
            while True:
                try:
                    frame, seconds = pickle.load(requests)
                    signal.setitimer(signal.ITIMER_PROF, seconds)
                    reply = _reply(frame, complaints)
                    signal.setitimer(signal.ITIMER_PROF, 0)
                    _send(replies, reply)
                except MemoryError:
                    os._exit(_OUT_OF_MEMORY)


def _send(replies: BinaryIO, reply: object) -> None:
    pickle.dump(reply, replies, protocol=pickle.HIGHEST_PROTOCOL)
    replies.flush()


def _limit_memory(memory: int) -> None:
    """Limit the memory of this process if the system supports it, and forbid core files with pixels."""
    for kind, limit in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, memory)):
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses
            resource.setrlimit(kind, (limit, hard))


def _raise_what_pydicom_catches() -> None:
    """Make pydicom pass on the errors of decoders instead of replacing them, and raise its warnings."""

    def through(record: logging.LogRecord) -> bool:
        if record.exc_info:
            raise record.exc_info[1]
        return False

    logging.getLogger("pydicom.pixels.decoders.base").addFilter(through)
    warnings.simplefilter("error")


def _reply(frame: Frame, complaints: BinaryIO) -> Samples | tuple[str, str]:
    """Samples, or reason and detail of a failure; some decoders only print an error and continue."""
    complaints.truncate(0)
    try:
        samples = decode_here(frame)
        if os.fstat(complaints.fileno()).st_size:
            raise Excluded("undecodable", "the decoder reports corrupt data")
    except Excluded as error:
        return error.reason, error.detail
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (damaged data can make a decoder raise any exception)
        name = uid.UID(frame.syntax).name
        return "undecodable", f"the {name} decoder stopped with {type(error).__name__}"
    return samples


def decode_here(frame: Frame) -> Samples:
    """Decode a compressed picture in this process, without limits on time or memory.

    Parameters
    ----------
    frame : Frame
        A picture with one component.

    Raises
    ------
    Excluded
        ``undecodable`` when the codestream does not match the header.
    Exception
        Any exception of the decoder.
    """
    precision, signed = frame.bits_allocated, False
    if frame.syntax != uid.RLELossless:
        picture = codestreams.describe(frame.codestream, frame.syntax)
        _expect("components", 1, picture.components)
        _expect("rows and columns", (frame.rows, frame.columns), (picture.rows, picture.columns))
        precision, signed = picture.precision, picture.signed
        _expect("depth of 1 to 16 bits", True, 1 <= precision <= 16)
    values, properties = get_decoder(frame.syntax).as_buffer(
        encapsulate([frame.codestream]),
        index=0,
        decoding_plugin=PLUGINS[frame.syntax],
        rows=frame.rows,
        columns=frame.columns,
        number_of_frames=1,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=8 if precision <= 8 else 16,
        bits_stored=precision,
        pixel_representation=int(signed),
        pixel_keyword="PixelData",
    )
    values = np.frombuffer(values, f"<u{properties['bits_allocated'] // 8}")
    return Samples(values.reshape(frame.rows, frame.columns), precision, signed)


def _expect(what: str, expected: object, got: object) -> None:
    if expected != got:
        raise Excluded("undecodable", f"{what}: expected {expected}, the compressed picture has {got}")
