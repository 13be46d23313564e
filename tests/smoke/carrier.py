#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a guest sees of its cable and of its MTU: a lab's guests, and one that somebody else runs."""
import os
import re
import signal
import subprocess
import time

import session
from session import LabSession, Session, await_true, need

LAB = """name: c
bridges: {sw: {}}
vms:
  h1: {memory: 128M, nics: [{to: sw, mtu: 9000, ip: 10.0.0.1/24}]}
  h2: {memory: 128M, nics: [{to: sw, mtu: 9000, ip: 10.0.0.2/24}]}
links:
  - {between: [h1, h2]}
"""
PORTS = "ports: {gw: {bridge: sw, type: tap, netns: %s, ifname: gw0, address: 10.0.0.9/24}}\n"


def seen(s, vm, nic, what="carrier"):
    return s.cli("exec", vm, "--", "cat", f"/sys/class/net/{nic}/{what}").stdout.strip()


def await_seen(s, vm, nic, value, what="carrier"):
    await_true(f"{vm} sees {what} {value} on {nic}", lambda: seen(s, vm, nic, what) == value)


def jumbo_frames_pass_whole(s):
    before = s.port("c/h1.eth0")["counters"]
    s.cli("exec", "h1", "--", "ping", "-c", "3", "-i", "0.2", "-s", "8972", "10.0.0.2")
    after = s.port("c/h1.eth0")["counters"]
    assert after["rx_bytes"] - before["rx_bytes"] >= 3 * 9014, after
    assert after["rx_frames"] - before["rx_frames"] < 12, after
    assert seen(s, "h1", "eth0", "mtu") == "9000" and seen(s, "h1", "eth1", "mtu") == "1500"


def device_offers_no_offloads_to_change(s):
    """QEMU would take a guest's wish (bit 2, CTRL_GUEST_OFFLOADS) and tell the switch nothing of it."""
    features = seen(s, "h1", "eth0", "device/features")
    assert features[0] == features[1] == "1" and features[2] == "0", features


def port_that_is_down_takes_the_carrier(s):
    assert seen(s, "h1", "eth0") == "1"
    s.cli("vm", "nic", "down", "h1.eth0")
    await_seen(s, "h1", "eth0", "0")
    assert s.port("c/h1.eth0")["carrier"] is False
    assert s.json("vm", "show", "h1")["nics"][0]["link"] == "down"
    assert seen(s, "h2", "eth0") == "1", "a switch's other ports keep theirs"
    s.cli("port", "up", "c/h1.eth0")
    await_seen(s, "h1", "eth0", "1")
    s.cli("exec", "h1", "--", "ping", "-c", "1", "-w", "10", "10.0.0.2")


def wire_is_cut_at_both_ends(s):
    assert seen(s, "h1", "eth1") == seen(s, "h2", "eth1") == "1"
    s.cli("port", "down", "c/h1.eth1")
    await_seen(s, "h1", "eth1", "0")
    await_seen(s, "h2", "eth1", "0")
    s.cli("port", "up", "c/h1.eth1")
    await_seen(s, "h1", "eth1", "1")
    await_seen(s, "h2", "eth1", "1")


def mtu_changes_with_the_next_start(s):
    done = s.cli("port", "set", "c/h2.eth0", "mtu=2000")
    assert "hears of it at its next start" in done.stdout, done
    assert "note" in s.json("port", "set", "c/h2.eth0", "mtu=2000")
    assert seen(s, "h2", "eth0", "mtu") == "9000"
    done = s.cli("exec", "h1", "--", "ping", "-c", "2", "-i", "0.2", "-W", "1", "-s", "8972", "10.0.0.2",
                 check=False)
    assert done.returncode == 1, done
    assert s.port("c/h2.eth0")["counters"]["tx_drops"]["too_long"] >= 2
    await_true("the supervisor keeps it", lambda: s.json("vm", "show", "h2")["nics"][0]["mtu"] == 2000)


def down_outlives_the_switch_and_a_reset(s):
    s.cli("port", "down", "c/h1.eth0")
    await_seen(s, "h1", "eth0", "0")
    s.cli("vm", "reset", "h1")
    session.kill_switch(s.json("status")["daemon"]["keeper_pid"])
    await_true("the VMs say so", lambda: all(vm["switch"] == "gone" for vm in s.json("vm", "list")))
    s.spawn(session.binary("lanyard-switch"), "--until-unused", env=s.env, stderr=subprocess.DEVNULL)
    await_true("the VMs are back", lambda: all(
        vm["switch"] == "connected" for vm in s.json("vm", "list")))
    s.await_port("c/h2.eth0", "up")
    assert s.port("c/h1.eth0")["state"] == "down"
    assert s.port("c/h2.eth0")["mtu"] == 2000
    s.cli("vm", "wait", "h1")
    await_seen(s, "h1", "eth1", "1")
    assert seen(s, "h1", "eth0") == "0" and seen(s, "h2", "eth0") == "1"
    s.cli("port", "up", "c/h1.eth0")
    await_seen(s, "h1", "eth0", "1")
    s.cli("exec", "h1", "--", "ping", "-c", "1", "-w", "10", "10.0.0.2")
    if os.geteuid() == 0:
        s.cli("exec", "h1", "--", "ping", "-c", "1", "-w", "10", "10.0.0.9")


def machine_that_is_off_holds_no_wire(s):
    s.cli("vm", "kill", "h2")
    await_seen(s, "h1", "eth1", "0")
    assert seen(s, "h1", "eth0") == "1"
    s.cli("vm", "start", "h2")
    await_seen(s, "h1", "eth1", "1")
    s.cli("vm", "wait", "h2")
    assert seen(s, "h2", "eth0", "mtu") == "2000"
    assert seen(s, "h2", "eth1") == "1"


def guests_of_a_lab_see_their_cables():
    netns = f"lanyard-carrier-{os.getpid()}"
    with LabSession() as s:
        try:
            root = os.geteuid() == 0
            if root:
                subprocess.run(["ip", "netns", "add", netns], check=True)
            s.up(LAB + (PORTS % netns if root else ""))
            if root:
                s.cli("exec", "h1", "--", "ping", "-c", "1", "-w", "10", "10.0.0.9")
            for part in (jumbo_frames_pass_whole, device_offers_no_offloads_to_change,
                         port_that_is_down_takes_the_carrier,
                         wire_is_cut_at_both_ends, mtu_changes_with_the_next_start,
                         down_outlives_the_switch_and_a_reset, machine_that_is_off_holds_no_wire):
                part(s)
                print("  ok", part.__name__, flush=True)
            s.sums_check()
            s.cli("down")
            if root:
                left = subprocess.run(["ip", "-n", netns, "link"], capture_output=True, text=True)
                assert "gw0" not in left.stdout, left
        finally:
            s.cli("down", check=False)
            subprocess.run(["ip", "netns", "del", netns], stderr=subprocess.DEVNULL, check=False)


class Foreign:
    """A QEMU that is not ours, attached by what `port show --qemu` says; its console is a pipe."""

    def __init__(self, s, port):
        # Any VM makes the image. It is stopped at once: only the files are wanted.
        s.cli("vm", "start", "maker", "--memory", "128M")
        with open(os.path.join(s.run_dir, "vm", next(
                f for f in os.listdir(os.path.join(s.run_dir, "vm")) if f.endswith(".json"))),
                  encoding="utf-8") as f:
            spec = f.read()
        s.cli("vm", "kill", "maker")
        kernel, initrd, append = (re.search(f'"boot_{k}": ?"([^"]*)"', spec)[1]
                                  for k in ("kernel", "initrd", "append"))
        lines = s.cli("port", "show", port, "--qemu").stdout.replace("\\\n", " ")
        words = " ".join(l for l in lines.splitlines() if not l.startswith("#")).split()
        words = [w.replace("size=1G", "size=128M") for w in words]
        words[-1] += ",vectors=0,romfile="  # this QEMU crashes under TCG with MSI-X
        self.text = ""
        self.s = s
        self.qemu = s.spawn("qemu-system-x86_64", "-nodefaults", "-display", "none", "-m", "128M",
                            "-M", "q35", "-accel", "tcg", "-cpu", "qemu64", "-serial", "stdio",
                            "-kernel", kernel, "-initrd", initrd, "-append", append, *words,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.set_blocking(self.qemu.stdout.fileno(), False)

    def read(self):
        self.text += (self.qemu.stdout.read() or b"").decode(errors="replace")
        return self.text

    def carrier(self):
        self.text = ""
        self.qemu.stdin.write(b"echo seen$((1))=$(cat /sys/class/net/eth0/carrier).\n")
        self.qemu.stdin.flush()
        found = await_true("the guest answers", lambda: re.search(r"seen1=(\d)\.", self.read()), 10)
        return found[1]


def foreign_guest_sees_its_cable():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        s.cli("port", "add", "p", "--bridge", "br0", "--type", "vhost-user", "--path",
              s.path("p.sock"), "--listen", "--mtu", "4000")
        guest = Foreign(s, "p")
        s.await_port("p", "up", 60)
        await_true("there is a shell", lambda: "BusyBox" in guest.read(), 60)
        assert guest.carrier() == "1"
        s.cli("port", "down", "p")
        await_true("no carrier", lambda: guest.carrier() == "0")
        # QEMU connects once a second and is hung up on: its guest goes on meanwhile.
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert guest.carrier() == "0"
        s.cli("port", "up", "p")
        await_true("a carrier again", lambda: guest.carrier() == "1")
        s.await_port("p", "up")
        s.end(guest.qemu, signal.SIGKILL)


if __name__ == "__main__":
    need("qemu-system-x86_64", "busybox", "qemu-ga")
    session.run(foreign_guest_sees_its_cable, guests_of_a_lab_see_their_cables)
