"""Runs Snakemake in forks of a process that has imported only Snakemake, which halves the time of a plan.

Each input line is JSON: the arguments, the folder, and the file for the output. Each output line is an exit
status, negative for a signal. The test process itself is not forked, because forks of a process with
TensorFlow's threads have crashed.
"""

import json
import os
import sys

from snakemake import cli


def become_snakemake(arguments, folder, said):
    """Run Snakemake in this process, which ends with it."""
    with open(said, "w") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    os.chdir(folder)
    sys.path[0], sys.argv = folder, ["snakemake", *arguments]
    sys.exit(cli.main(arguments))


for line in sys.stdin:
    child = os.fork()
    if not child:
        become_snakemake(**json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
