#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Instructions a frame, counted with valgrind's callgrind: the same number on every machine that has
the same compiler, however busy it is.

usage: bench/instructions.py [SCENARIO...]
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SCENARIOS = ["unicast", "macs", "two", "indirect", "push", "pop", "flood8"]
ROUNDS = 200
BUILD = os.environ.get("LANYARD_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../build"))


def count(scenario):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=measured",
             f"--callgrind-out-file={folder}/out", os.path.join(BUILD, "bench/instructions"), scenario,
             str(ROUNDS)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"instructions: {scenario}: {done.stderr}")
        collected = int(re.search(r"Collected : (\d+)", done.stderr).group(1))
        return collected / int(done.stdout)


def main():
    if not shutil.which("valgrind"):
        sys.exit("instructions: valgrind is not installed")
    for scenario in sys.argv[1:] or SCENARIOS:
        print(f"{scenario:10} {count(scenario):8.1f} instructions a frame", flush=True)


main()
