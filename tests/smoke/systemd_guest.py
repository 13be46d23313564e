#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""VMs of the launcher on lanyard-switch.service, which forwards as nobody: whatever befalls the service, two guests go
on pinging each other and count no change of their carrier."""
import json
import os
import re

import own_systemd
import session
from session import await_true, binary
from switch_unit import UNIT, Service

ADDRESSES = {"h1": "10.77.0.1", "h2": "10.77.0.2"}


class Guests:
    """Started in there, as an administrator of that machine does."""

    def __init__(self, s):
        self.s = s
        self.run("bridge", "add", "br")
        for name in ADDRESSES:
            self.run("vm", "start", name, "--nic", "br", "--memory", "128M", "--accel", "tcg")
        for name, address in ADDRESSES.items():
            self.run("vm", "wait", name, "--for", "90s")
            self.run("exec", name, "--", "ip", "addr", "add", f"{address}/24", "dev", "eth0")
            self.run("exec", name, "--", "ip", "link", "set", "eth0", "up")
        self.run("exec", "h1", "--", "sh", "-c",
                 f"ping -i 0.05 {ADDRESSES['h2']} >/tmp/pings 2>&1 & echo $! >/tmp/pid")
        self.changes = {}
        await_true("they ping each other", lambda: self.n_answers() > 5)
        self.changes = self.carrier_changes()

    def run(self, *words):
        return self.s.systemd.inside(binary("lanyard"), *words, timeout=100).stdout

    def carrier_changes(self):
        return {name: self.run("exec", name, "--", "cat", "/sys/class/net/eth0/carrier_changes") for name in ADDRESSES}

    def n_answers(self):
        return int(self.run("exec", "h1", "--", "sh", "-c", "grep -c ttl= /tmp/pings || true"))

    def go_on_after(self, what, how):
        pid, before = json.loads(self.run("--json", "status"))["daemon"]["pid"], self.n_answers()
        vms = {vm["name"]: (vm["pid"], vm["supervisor_pid"]) for vm in json.loads(self.run("--json", "vm", "list"))}
        how()
        self.s.await_switch(pid)
        await_true(f"pings go on: {what}", lambda: self.n_answers() > before + 20)
        await_true("the supervisors have the switch again", lambda: all(
            vm["switch"] == "connected" and vm["nics"][0]["link"] == "up" for vm in self.vms()))
        assert {vm["name"]: (vm["pid"], vm["supervisor_pid"]) for vm in self.vms()} == vms
        assert self.carrier_changes() == self.changes, (what, self.carrier_changes(), self.changes)
        print(f"   {what}: no change of carrier")

    def vms(self):
        return json.loads(self.run("--json", "vm", "list"))

    def lost(self):
        """Of how many."""
        self.run("exec", "h1", "--", "sh", "-c", "kill -INT $(cat /tmp/pid)")
        said = await_true("ping has summed up", lambda: re.search(
            r"(\d+) packets transmitted, (\d+) packets received", self.run("exec", "h1", "--", "tail", "-n", "3", "/tmp/pings")))
        sent, received = map(int, said.groups())
        return sent - received, sent


def keeper_pid(s):
    return int(s.show("MainPID"))


def guests_go_on_whatever_befalls_the_service():
    with Service(readable=["/boot"]) as s:
        guests = Guests(s)
        assert all(int(vm["user"]) >= 61440 for vm in guests.vms()), guests.vms()
        status = json.loads(guests.run("--json", "status"))["daemon"]
        assert re.match(r"user \d+, no capabilities", status["confined"]), status
        guests.go_on_after("packet process killed", lambda: s.kill(status["pid"]))
        guests.go_on_after("keeper killed", lambda: s.kill(keeper_pid(s)))
        guests.go_on_after("systemctl restart", lambda: s.systemd.ctl("restart", UNIT))
        keeper = keeper_pid(s)
        guests.go_on_after("takeover", lambda: s.systemd.inside(binary("lanyard-switch"), "--takeover"))
        assert keeper_pid(s) == keeper and s.show("ActiveState") == "active"
        # What the new keeper has put into the store is as good.
        guests.go_on_after("keeper killed again", lambda: s.kill(keeper_pid(s)))
        lost, sent = guests.lost()
        print(f"   {lost} of {sent} pings lost")
        # Frames wait in their ring while nobody forwards.
        assert lost < sent / 4, (lost, sent)
        s.systemd.ctl("stop", UNIT)
        assert all(vm["state"] == "running" for vm in guests.vms()), guests.vms()
        for name in ADDRESSES:
            guests.run("vm", "kill", name)


own_systemd.need()
session.need("qemu-system-x86_64", "busybox", "qemu-ga")
session.run(guests_go_on_whatever_befalls_the_service)
