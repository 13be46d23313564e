#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The process that forwards is killed at each system call that it makes while a front end shakes hands, with either
owner of the socket: the port gets up, by the same connection or by a new one; nobody else notices."""
import argparse
import json
import os
import subprocess

from redial import Redial
from session import Session, await_true, binary, need, run, skip
from steady import RATE, Steady

NAMES = {"comes": False, "serves": True}  # who owns the socket: the switch, the front end

GUEST_CALLS = (8, 24, 40, 56)


def arguments():
    a = argparse.ArgumentParser()
    a.add_argument("--every", type=int, default=5, help="of so many calls one, another one for each role")
    a.add_argument("--guest", action="store_true", help="QEMU's handshake, at some calls, instead of a raw front end's")
    return a.parse_args()


class Killer:
    """Kills the process before the Nth call of its control thread from now on."""

    def __init__(self, s, n):
        self.s = s
        self.child = s.spawn(binary("kill_at"), str(s.pid), str(n), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
        assert self.child.stdout.readline() == "ready\n", "the process can be traced"

    def end(self):
        """The number of the call before which it was killed, or None: there were less."""
        self.child.stdin.close()
        said = self.child.stdout.readline().split()
        assert said, "the process could not be traced to its end"
        self.s.end(self.child)
        return int(said[2]) if said[0] == "killed" else None


def port_state(s, name):
    """Who asks while it dies may be cut off."""
    done = s.cli("--json", "port", "show", check=False)
    return next((p["state"] for p in json.loads(done.stdout) if p["name"] == name), None) if not done.returncode else None


def tries_until_up(s, end):
    """How often the front end shakes hands until both sides say that the port is up."""
    tries = end.up()

    def is_up():
        nonlocal tries
        # It may have been killed in what the front end's last message did, after the rings were started.
        if end.ask("alive") == "no":
            end.ask("hangup")
            tries += end.up()
        return port_state(s, end.port) == "up"

    await_true(f"port {end.port} is up", is_up)
    return tries


def killed_at(s, end, peer, load, n):
    """The call before which it died, or None: there were not so many; and how often the front end shook hands."""
    load.report()
    load.gap_us = load.doubles_now = 0
    killer = Killer(s, n)
    try:
        tries = tries_until_up(s, end)
    except AssertionError as e:
        raise AssertionError(f"killed at call {n}: {e}") from e
    call = killer.end()
    # What one death costs is one connection at most.
    assert tries <= (1 if call is None else 2), (n, call, tries, s.log_text()[-2000:])
    for one, other in ((end, peer), (peer, end)):
        other.ask("recv")
        assert one.send(1) == "sent"
        await_true(f"killed at call {n} ({call}), {other.port} hears {one.port}", lambda: int(other.ask("recv")) > 0)
    load.await_frames(RATE // 10)
    load.check(load.report())
    assert end.ask("hangup") == "closed"
    return call, tries


def port_add(s, name, serves):
    s.cli("port", "add", name, "--bridge", "br0", "--type", "vhost-user", "--path", s.path(name + ".s"),
          "--access", "99", *([] if serves else ["--listen"]))
    return Redial(s, name, s.path(name + ".s"), serves)


def port_gets_up_whenever_the_switch_dies():
    every = arguments().every
    with Session("--workers", "1") as s:
        load = Steady(s, 2)
        ends = [port_add(s, name, serves) for name, serves in NAMES.items()]
        peer = port_add(s, "peer", False)
        assert peer.up() == 1
        for i, end in enumerate(ends):
            n, killed = 1 + i * every // 2, []
            while True:
                call, tries = killed_at(s, end, peer, load, n)
                if call is None:
                    break
                killed.append((n, call, tries))
                n += every
            again = sum(tries > 1 for _, _, tries in killed)
            assert len(killed) > 50 // every and 0 < again < len(killed), killed
            print(f"   a front end that {end.port}: killed at {len(killed)} of less than {n} system calls; "
                  f"{len(killed) - again} times the handshake went on, {again} times it began anew")
        assert peer.ask("alive") == "yes"


def guest_is_heard_whenever_the_switch_dies():
    """Its NIC's driver shakes hands, by way of QEMU, when it has been reset."""
    need("qemu-system-x86_64")
    with Session("--workers", "1") as s:
        load = Steady(s, 2)
        peer = port_add(s, "peer", False)
        assert peer.up() == 1
        try:
            s.cli("vm", "start", "h1", "--memory", "128M", "--nic", "br0,access=99")
            s.cli("vm", "wait", "h1", "--for", "90s", timeout=100)
            ports = [p["name"] for p in s.json("port", "show")]
            killed = [guest_reset(s, peer, load, n) for n in GUEST_CALLS]
            assert None not in killed, killed
            again = s.log_text().count("its front end has to connect again")
            assert 0 < again <= len(killed), (again, killed)
            assert [p["name"] for p in s.json("port", "show")] == ports and peer.ask("alive") == "yes"
            print(f"   QEMU, whose guest is reset: killed at {len(killed)} system calls; {len(killed) - again} times the "
                  f"handshake went on, {again} times it began anew")
        finally:
            s.cli("vm", "kill", "h1", check=False)


def guest_reset(s, peer, load, n):
    load.report()
    load.gap_us = load.doubles_now = 0
    killer = Killer(s, n)
    s.cli("vm", "reset", "h1")
    s.cli("vm", "wait", "h1", "--for", "90s", timeout=100)
    s.cli("exec", "h1", "--", "sh", "-c", "ip addr replace 10.0.0.1/24 dev eth0; ip link set eth0 up")
    await_true(f"killed at call {n}, the guest's port is up", lambda: port_state(s, "h1.eth0") == "up")
    call = killer.end()
    peer.ask("recv")
    heard = guest_heard(s)
    s.cli("exec", "h1", "--", "ping", "-c", "1", "-W", "1", "10.0.0.2", check=False)
    await_true(f"killed at call {n} ({call}), the guest is heard", lambda: int(peer.ask("recv")) > 0)
    assert peer.send(1) == "sent"
    await_true(f"killed at call {n} ({call}), the guest hears", lambda: guest_heard(s) > heard)
    load.await_frames(RATE // 10)
    load.check(load.report())
    return call


def guest_heard(s):
    return int(s.cli("exec", "h1", "--", "cat", "/sys/class/net/eth0/statistics/rx_packets").stdout)


if os.geteuid():
    skip("only root may trace a process that must not be dumped")
run(*([guest_is_heard_whenever_the_switch_dies] if arguments().guest else [port_gets_up_whenever_the_switch_dies]))
