"""Starts a SLURM cluster of two nodes for a test and stops it afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "slurm" / "two-nodes.sh"


class Unavailable(Exception):
    """SLURM cannot be had on this machine; the last line of the message says why."""


@dataclass(frozen=True)
class Job:
    """What SLURM remembers of a job; its name is that of the rule and the wildcards."""

    name: str
    state: str
    partition: str
    gpus: int
    memory: str
    limit: str
    start: str
    end: str
    node: str


class Cluster:
    """The daemons, and what they know."""

    def __init__(self, gpus=2):
        # Sockets need a short path, and munge's user one that is open to it.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.gpus = gpus
        settings = {"PORT": str(_free_ports()), "GPUS": str(gpus)}
        # Not a pipe: the daemons hold it open.
        with (self.folder / "start.txt").open("w") as messages:
            ran = subprocess.run(
                [SCRIPT, "start", self.folder],
                env=os.environ | settings,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                check=False,
            )
        if ran.returncode:
            said = (self.folder / "start.txt").read_text()
            self.stop()
            raise Unavailable(said.strip())
        self.env = os.environ | {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }

    def jobs(self, folder, states="all"):
        """Jobs of the project in a folder, ended ones too, in the order of their submission."""
        fields = "WorkDir Comment State Partition tres-per-job MinMemory TimeLimit StartTime EndTime NodeList"
        ran = subprocess.run(
            [
                "squeue",
                "--noheader",
                "--states",
                states,
                "--sort",
                "i",
                "--Format",
                ":|,".join(fields.split()) + ":",
            ],
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [line.strip().split("|") for line in ran.stdout.splitlines()]
        return [
            Job(
                name.removeprefix("rule_").replace("_wildcards_", " "),
                state,
                partition,
                int(gpus.rpartition(":")[2]) if "gpu" in gpus else 0,
                *rest,
            )
            for where, name, state, partition, gpus, *rest in rows
            if where == str(folder)
        ]

    def stop(self):
        """End jobs and daemons; the folder goes too."""
        subprocess.run([SCRIPT, "stop", self.folder], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.folder)


def _free_ports():
    """The first of three ports in a row that nobody uses."""
    while True:
        with ExitStack() as open_sockets:
            try:
                first = _bound(open_sockets, 0)
                for port in (first + 1, first + 2):
                    _bound(open_sockets, port)
            except (OSError, OverflowError):
                continue
            return first


def _bound(open_sockets, port):
    one = open_sockets.enter_context(socket.socket())
    one.bind(("127.0.0.1", port))
    return one.getsockname()[1]
