"""Stands in for the commands of LSF that Snakemake's plugin calls; it runs each job at once, on this machine.

The test puts copies on the PATH, each with the name of a command. Requests, processes and states of jobs are
files in the folder LSF_FAKE.
"""

import argparse
import fnmatch
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(os.environ["LSF_FAKE"])


def bsub(arguments):
    parser = argparse.ArgumentParser()
    for option in ("-J", "-o", "-e", "-env", "-q", "-P", "-W", "-n", "-gpu", "-cwd"):
        parser.add_argument(option, required=option in ("-J", "-o", "-W", "-n", "-cwd"))
    parser.add_argument("-R", action="append")
    parser.add_argument("command")
    job = vars(parser.parse_args(arguments))
    number = len(list(HOME.glob("*.json"))) + 1
    (HOME / f"{number}.json").write_text(json.dumps(job))
    state = shlex.quote(str(HOME / f"{number}.state"))
    with open(job["o"], "a") as log:
        process = subprocess.Popen(
            ["sh", "-c", f"{{ {job['command']} ; }} && echo DONE >{state} || echo EXIT >{state}"],
            cwd=job["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (HOME / f"{number}.pid").write_text(str(process.pid))
    print(f"Job <{number}> is submitted to queue <{job['q']}>.")


def bjobs(arguments):
    pattern = arguments[arguments.index("-aJ") + 1]
    for file in sorted(HOME.glob("*.json")):
        if fnmatch.fnmatchcase(json.loads(file.read_text())["J"], pattern):
            state = file.with_suffix(".state")
            print(file.stem, state.read_text().strip() if state.exists() else "RUN")


def bkill(numbers):
    for number in numbers:
        if not (HOME / f"{number}.state").exists():
            os.killpg(int((HOME / f"{number}.pid").read_text()), signal.SIGKILL)
            (HOME / f"{number}.state").write_text("EXIT\n")


def badmin(arguments):
    assert arguments == ["showconf", "mbd"]
    parameters = HOME / "lsbatch" / "fake" / "configdir" / "lsb.params"
    parameters.parent.mkdir(parents=True, exist_ok=True)
    parameters.write_text("DEFAULT_QUEUE = normal\n")
    print(f"MBD configuration at {time.ctime()}")
    for setting in (f"LSB_SHAREDIR = {HOME}", f"LSF_CONFDIR = {HOME}", "LSF_UNIT_FOR_LIMITS = MB"):
        print(f"    {setting}")


def lsclusters(arguments):
    print("CLUSTER_NAME STATUS\nfake ok")


def bhist(arguments):
    print("Project <default>")


globals()[Path(sys.argv[0]).name](sys.argv[1:])
