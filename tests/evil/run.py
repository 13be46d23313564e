#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: run.py [evil's options and names of cases]
Starts a switch of its own and runs named attacks on it (tests/evil/evil.h says what passes)."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../smoke"))
from session import Session, binary  # noqa: E402


def main():
    with Session() as s:
        done = subprocess.run([binary("evil"), "--run-dir", s.run_dir, *sys.argv[1:]], check=False)
        assert s.daemon.poll() is None, f"the switch ended with {s.daemon.returncode}"
        assert done.returncode == 0, "some cases failed"


main()
