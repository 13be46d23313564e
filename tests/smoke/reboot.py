#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A guest that is rebooted again and again, by itself and by its reset button, while another pings a third:
not one ping is lost, and neither the switch nor the guest's supervisor is left with a descriptor more."""
import os
import re

import session
from session import LabSession, await_true, need

N = int(os.environ.get("LANYARD_TEST_REBOOTS", 2))  # after two that count nothing; every second by its button

LAB = """
name: reboots
bridges: {br: {}}
vms:
  h1: {nics: [{to: br, ip: 10.0.0.1/24}]}
  h2: {nics: [{to: br, ip: 10.0.0.2/24}]}
  h3: {nics: [{to: br, ip: 10.0.0.3/24}]}
"""


def n_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def reboot(s, i):
    before = s.port("reboots/h2.eth0")["counters"]["rx_frames"]
    if i % 2:
        s.cli("vm", "reset", "h2")
    else:
        # The agent goes away before it can tell how the command ended.
        s.cli("exec", "h2", "--", "reboot", "-f", check=False)
    await_true("h2 is rebooting", lambda: not s.json("vm", "show", "h2")["ready"], 30)
    s.cli("vm", "wait", "h2", "--for", "90s")
    await_true("h2 is heard again",
               lambda: s.port("reboots/h2.eth0")["counters"]["rx_frames"] > before, 30)


def reboots_of_one_guest_cost_the_others_nothing():
    with LabSession() as s:
        s.up(LAB, "--wait", "180s", timeout=200)
        s.cli("exec", "h1", "--", "sh", "-c",
              "ping -i 0.2 10.0.0.3 >/tmp/ping 2>&1 & echo $! >/tmp/pid")
        reboot(s, 0)
        reboot(s, 1)
        switch = s.json("status")["daemon"]["pid"]
        supervisor = s.json("vm", "show", "h2")["supervisor_pid"]
        before = n_fds(switch), n_fds(supervisor)
        for i in range(N):
            reboot(s, i)
        s.cli("exec", "h1", "--", "sh", "-c", "kill -INT $(cat /tmp/pid); sleep 1")
        out = s.cli("exec", "h1", "--", "cat", "/tmp/ping").stdout
        sent = int(re.search(r"(\d+) packets transmitted", out)[1])
        answered = [int(n) for n in re.findall(r"seq=(\d+) ", out)]
        print(f"   {N} reboots: {sent} pings sent, {len(answered)} answered; descriptors "
              f"{before} before, {(n_fds(switch), n_fds(supervisor))} after")
        # The last one may be on its way.
        assert answered in (list(range(sent)), list(range(sent - 1))) and sent > N, out[-500:]
        await_true("no more descriptors than before",
                   lambda: n_fds(switch) <= before[0] and n_fds(supervisor) <= before[1])


if __name__ == "__main__":
    need("qemu-system-x86_64", "busybox", "qemu-ga")
    session.run(reboots_of_one_guest_cost_the_others_nothing)
