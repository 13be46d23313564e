#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Attached and idle ports cost next to nothing, and one frame wakes the worker."""
import os
import subprocess
import time

import session
from session import Session, await_true, binary

N_PAIRS = 8
SECONDS = 5


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_ports_sleep_and_a_frame_wakes_them():
    with Session() as s:
        pairs = []
        for i in range(N_PAIRS):
            s.cli("bridge", "add", f"br{i}")
            paths = [s.path(f"{i}{end}") for end in "ab"]
            for end, path in zip("ab", paths):
                s.cli("port", "add", f"p{i}{end}", "--bridge", f"br{i}", "--type", "vhost-user",
                      "--listen", "--path", path)
            # Two frames a second each: every one must wake the worker, or it would never come.
            pairs.append(s.spawn(binary("exact"), "--path", paths[0], "--path", paths[1], "--frames",
                                 "1000", "--rate", "2", stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True))
        await_true("all ports are up",
                   lambda: all(p["state"] == "up" for p in s.json("port", "show")))
        before = cpu_seconds(s.daemon.pid), s.json("stats")["workers"][0]
        time.sleep(SECONDS)
        after = cpu_seconds(s.daemon.pid), s.json("stats")["workers"][0]
        share = (after[0] - before[0]) / SECONDS
        print(f"   {2 * N_PAIRS} ports, {(after[1]['frames'] - before[1]['frames']) / SECONDS:.0f} "
              f"frames/s: {100 * share:.1f} % of a core, "
              f"{(after[1]['sleeps'] - before[1]['sleeps']) / SECONDS:.0f} sleeps/s")
        # Generous: a worker that polls takes 100 %.
        assert share < 0.10, share
        for pair in pairs:
            pair.terminate()
        for pair in pairs:
            out = pair.communicate(timeout=30)[0]
            assert pair.returncode == 0, out


session.run(idle_ports_sleep_and_a_frame_wakes_them)
