#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A guest boots while no switch is there: when one comes, the guest's port works or says why not, and a reset of the
guest mends it."""
import session
from hostnet import Net, private
from session import Session, await_true, need

ADDRESS = "10.66.0.2"


def network_up(s):
    s.cli("exec", "h1", "--", "sh", "-c", f"ip addr add {ADDRESS}/24 dev eth0; ip link set eth0 up")


def reset(s):
    s.cli("vm", "reset", "h1")
    await_true("it reboots", lambda: not s.json("vm", "show", "h1")["ready"], 30)
    s.cli("vm", "wait", "h1", "--for", "90s", timeout=100)
    network_up(s)


def guest_that_boots_without_a_switch_has_network_after_a_reset():
    with Session() as s:
        s.cli("bridge", "add", "br")
        s.cli("port", "add", "t1", "--bridge", "br", "--type", "tap", "--netns", "net", "--address", "10.66.0.1/24")
        try:
            s.cli("vm", "start", "h1", "--nic", "br", "--memory", "128M")
            assert s.port("h1.eth0")["state"] == "negotiating", "it has begun to use its card already"
            s.kill()
            s.cli("vm", "wait", "h1", "--for", "90s", timeout=100)
            network_up(s)
            s.start()
            await_true("its port is back", lambda: s.json("vm", "show", "h1")["switch"] == "connected", 20)
            s.await_port("h1.eth0", "up")
            if not net.ping(ADDRESS, count=2):
                print("   QEMU has told the switch nothing of what the driver wants")
                assert "`lanyard vm reset`" in s.port("h1.eth0")["reason"], s.port("h1.eth0")
                reset(s)
            await_true("the guest answers", lambda: net.ping(ADDRESS), 20)
            port = s.port("h1.eth0")
            assert port["state"] == "up" and port["reason"] == "" and "VERSION_1" in port["features"], port
        finally:
            s.cli("vm", "kill", "h1", check=False)


need("qemu-system-x86_64", "busybox", "qemu-ga")
private("ping")
net = Net("net")
session.run(guest_that_boots_without_a_switch_has_network_after_a_reset)
