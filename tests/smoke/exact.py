#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ten million numbered frames of 60 to 1514 bytes through two vhost-user ports of a running switch:
each arrives once, in order, intact, and the counters know it."""
import subprocess
import sys

import session
from session import Session, binary

N = 10_000_000


def every_frame_arrives_once_in_order_intact():
    with Session() as s:
        s.cli("bridge", "add", "br")
        for name in "ab":
            s.cli("port", "add", name, "--bridge", "br", "--type", "vhost-user", "--listen",
                  "--path", s.path(name))
        done = subprocess.run([binary("exact"), "--path", s.path("a"), "--path", s.path("b"),
                               "--frames", str(N)], capture_output=True, text=True, timeout=600)
        sys.stdout.write("   " + done.stdout + done.stderr)
        assert done.returncode == 0
        for name in "ab":
            c = s.port(name)["counters"]
            assert c["rx_frames"] == c["rx_forwarded"] == c["tx_frames"] == N // 2, c


session.run(every_frame_arrives_once_in_order_intact)
