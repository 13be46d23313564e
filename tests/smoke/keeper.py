#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The process that forwards dies, by SIGKILL or because it stands still, and its ports go on: front ends that
never connect twice lose no frame, see none overtake another, and at most a burst a queue twice; addresses stay
known, ports stay up, sockets open. The gaps are printed."""
import os
import re
import signal

import session
from numbered import Numbered
from session import Session, await_true
from steady import PORTS, RATE, Steady, status

KILLS = int(os.environ.get("LANYARD_TEST_KILLS", 10))


def await_successor(s, pid, n):
    return await_true("another process forwards", lambda: (
        lambda d: d["pid"] if d["pid"] != pid and d["restarts"]["n"] == n else 0)(status(s)))


def config(s):
    return s.cli("show", "config").stdout


def spread(what, gaps):
    gaps = sorted(gaps)
    print(f"   {what}: gaps of {len(gaps)}: p50 {gaps[len(gaps) // 2] / 1000:.1f} ms, "
          f"max {gaps[-1] / 1000:.1f} ms: {' '.join(f'{g / 1000:.0f}' for g in gaps)}")


def die_again_and_again(s, load, n, how):
    gaps, switch = [], []
    pid = status(s)["pid"]
    for _ in range(n):
        s.await_spare()
        killed = status(s)["restarts"]["n"]
        load.report()
        load.gap_us = load.doubles_now = 0
        how(pid)
        # The very next command is answered, by the successor.
        if how is kill:
            s.cli("status")
        pid = await_successor(s, pid, killed + 1)
        load.await_frames(RATE * PORTS // 10)
        r = load.report()
        gaps.append(load.gap_us)
        switch.append(int(1000 * status(s)["restarts"]["gap_ms"]))
        load.check(r)
        assert all(p["state"] == "up" for p in s.json("port", "show")), s.json("port", "show")
    return gaps, switch


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)


def ports_go_on_when_the_switch_dies():
    with Session("--workers", "1") as s:
        load = Steady(s)
        before = config(s), status(s)["keeper_pid"]
        gaps, switch = die_again_and_again(s, load, KILLS, kill)
        spread("killed, seen by front ends", gaps)
        spread("killed, from death to ready", switch)
        gaps, _ = die_again_and_again(s, load, 2, stop)
        spread("stopped", gaps)
        assert (config(s), status(s)["keeper_pid"]) == before
        assert "stopped for" in status(s)["restarts"]["reason"], status(s)


def whoever_stops_it_shuts_nobody_out():
    """A worker that polls is always at some port: of two, one is for the second time after three stops."""
    with Session("--workers", "1", "--mode", "poll") as s:
        s.cli("bridge", "add", "br0")
        for name in ("a", "b"):
            s.cli("port", "add", name, "--bridge", "br0", "--type", "vhost-user", "--listen", "--path",
                  s.path(name + ".s"))
        frames = Numbered(s, 1000, "a", "b")
        for _ in range(3):
            pid = status(s)["pid"]
            stop(pid)
            await_true("another process forwards", lambda: status(s)["pid"] != pid)
            assert "stopped for" in status(s)["restarts"]["reason"], status(s)
            assert all(p["state"] == "up" for p in s.json("port", "show")), s.json("port", "show")
        seen = frames.drain()
        assert not seen["lost"] and not seen["misordered"] and not seen["reconnects"], seen


GUEST = "10.0.0.1", "10.0.0.2"


def carrier_changes(s, vm):
    return s.cli("exec", vm, "--", "cat", "/sys/class/net/eth0/carrier_changes").stdout


def guests_notice_nothing():
    session.need("qemu-system-x86_64", "busybox", "qemu-ga")
    with Session("--workers", "1") as s:
        s.cli("bridge", "add", "br0")
        for i in (0, 1):
            s.cli("vm", "start", f"h{i}", "--memory", "128M", "--nic", "br0")
        try:
            for i in (0, 1):
                s.cli("vm", "wait", f"h{i}", "--for", "120s")
                s.cli("exec", f"h{i}", "--", "sh", "-c",
                      f"ip link set eth0 up && ip address add {GUEST[i]}/24 dev eth0")
            await_true("they find each other", lambda: s.cli(
                "exec", "h0", "--", "ping", "-c", "1", "-W", "2", GUEST[1], check=False).returncode == 0)
            before = [carrier_changes(s, vm) for vm in ("h0", "h1")]
            s.cli("exec", "h0", "--", "sh", "-c",
                  f"ping -i 0.1 -W 3 {GUEST[1]} >/tmp/ping 2>&1 & echo $! >/tmp/pid")
            s.await_spare()
            pid = status(s)["pid"]
            kill(pid)
            await_successor(s, pid, 1)
            # Supervisors find the new process: it must not look like a link that went.
            await_true("their supervisors are back", lambda: all(
                vm["switch"] == "connected" for vm in s.json("vm", "list")))
            s.cli("exec", "h0", "--", "sh", "-c", "sleep 1; kill -INT $(cat /tmp/pid); sleep 0.5")
            text = s.cli("exec", "h0", "--", "cat", "/tmp/ping").stdout
            print("   " + text.strip().splitlines()[-2])
            sent, answered = map(int, re.search(r"(\d+) packets transmitted, (\d+) packets received",
                                                text).groups())
            # The last one may be on its way.
            assert sent > 10 and answered >= sent - 1, text[-500:]
            assert [carrier_changes(s, vm) for vm in ("h0", "h1")] == before
        finally:
            for i in (0, 1):
                s.cli("vm", "kill", f"h{i}", check=False)


session.run(ports_go_on_when_the_switch_dies, whoever_stops_it_shuts_nobody_out,
            guests_notice_nothing)
