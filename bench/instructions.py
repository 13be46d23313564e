#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Instructions a frame, counted with valgrind's callgrind: the same number on every machine that has
the same compiler, however busy it is.

usage: bench/instructions.py [--check | --record] [SCENARIO...]

  --check   fail where a count is more than 5 % above bench/instructions.json
  --record  write that file; the commit says why: `Instructions: old -> new, because …`
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SCENARIOS = ["unicast", "guard", "macs", "two", "indirect", "push", "pop", "flood8", "tso", "tso-cut"]
VERSIONS = ["v3", "portable"]  # valgrind knows no AVX-512
ROUNDS = 200
TOLERANCE = 1.05
HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("LANYARD_BUILD", os.path.join(HERE, "../build"))
RECORD = os.path.join(HERE, "instructions.json")


def count(version, scenario):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=measured",
             f"--callgrind-out-file={folder}/out", os.path.join(BUILD, "bench", "instructions"), scenario,
             str(ROUNDS), version], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"instructions: {scenario}: {done.stderr}")
        collected = int(re.search(r"Collected : (\d+)", done.stderr).group(1))
        if not collected:
            sys.exit(f"instructions: {scenario}: nothing was counted: is there a function measured() in it?")
        return round(collected / int(done.stdout), 1)


def main():
    words = sys.argv[1:]
    check, record = "--check" in words, "--record" in words
    scenarios = [w for w in words if not w.startswith("--")] or SCENARIOS
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed (tests/run installs it)")
        sys.exit(77)
    with open("/proc/cpuinfo", encoding="ascii") as f:
        versions = [v for v in VERSIONS if v == "portable" or " avx2 " in f.read()]
    known = {}
    if os.path.exists(RECORD):
        with open(RECORD, encoding="ascii") as f:
            known = json.load(f)
    found, worse = {}, []
    for version in versions:
        for scenario in scenarios:
            n = count(version, scenario)
            found.setdefault(version, {})[scenario] = n
            was = known.get(version, {}).get(scenario)
            print(f"{version:9} {scenario:9} {n:7.1f} instructions a frame"
                  f"{f', {was:.1f} recorded' if was else ''}", flush=True)
            if check and (not was or n > was * TOLERANCE):
                worse.append(f"{version} {scenario}: {n} where {was} is recorded")
    if record:
        with open(RECORD, "w", encoding="ascii") as f:
            json.dump(found, f, indent=1)
            f.write("\n")
    if worse:
        sys.exit("instructions: more than 5 % above the record: " + "; ".join(worse))


main()
