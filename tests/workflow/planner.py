"""Runs Snakemake in forks of a process that has imported it and nothing else: a plan takes half the time.

A line that comes in is JSON: the arguments, the folder, and the file for what is said. A line that goes out
is an exit status, negative for a signal. The tests themselves are no parent for this: forks of a process with
TensorFlow's threads were seen to die.
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
