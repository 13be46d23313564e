#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ten million numbered frames of 60 to 1514 bytes through two vhost-user ports of a running switch:
each arrives once, in order, intact, and the counters know it."""
import subprocess
import sys

import session
from session import Session, binary

N = 10_000_000


def exchange(n_frames, *daemon_args):
    with Session(*daemon_args) as s:
        s.cli("bridge", "add", "br")
        for name in "ab":
            s.cli("port", "add", name, "--bridge", "br", "--type", "vhost-user", "--listen",
                  "--path", s.path(name))
        done = subprocess.run([binary("exact"), "--path", s.path("a"), "--path", s.path("b"),
                               "--frames", str(n_frames)], capture_output=True, text=True, timeout=600)
        sys.stdout.write("   " + done.stdout + done.stderr)
        assert done.returncode == 0
        for name in "ab":
            c = s.port(name)["counters"]
            assert c["rx_frames"] == c["rx_forwarded"] == c["tx_frames"] == n_frames // 2, c


def every_frame_arrives_once_in_order_intact():
    exchange(N)


def two_workers_do_the_same():
    exchange(N // 5, "--workers", "0,1")


session.run(every_frame_arrives_once_in_order_intact, two_workers_do_the_same)
