#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""lanyard-switch.service under a real systemd: ready when it says so; the process that forwards and its keeper are
killed again and again, and the unit is restarted, under front ends that never connect twice; stopping it leaves
nothing."""
import os
import subprocess
import tempfile

import own_systemd
import session
from session import await_true
from steady import PORTS, RATE, Steady, status
from switch_unit import UNIT, Service, unit_text

KILLS = int(os.environ.get("LANYARD_TEST_KILLS", 5))


def keeper_pid(s):
    return int(s.show("MainPID"))


class Deaths:
    """Each is the end of somebody, and what has to hold then."""

    def __init__(self, s):
        self.s = s
        self.load = Steady(s)
        self.config = s.cli("show", "config").stdout
        self.fdb = self.addresses()

    def addresses(self):
        return sorted((e["mac"], e["vlan"], e["port"]) for e in self.s.json("fdb", "show"))

    def one(self, what, how, same_keeper=False):
        s, load = self.s, self.load
        pid, keeper = status(s)["pid"], keeper_pid(s)
        load.report()
        load.gap_us = load.doubles_now = 0
        how(pid, keeper)

        now = s.await_switch(pid)
        load.await_frames(RATE * PORTS // 10)
        load.check(load.report())
        assert all(p["state"] == "up" for p in s.json("port", "show")), s.json("port", "show")
        assert self.addresses() == self.fdb, self.addresses()
        assert s.cli("show", "config").stdout == self.config
        assert (keeper_pid(s) == keeper) == same_keeper, (keeper, keeper_pid(s))
        assert s.show("ActiveState") == "active"
        print(f"   {what}: {load.gap_us / 1000:.0f} ms without a frame")
        return now


def interface(s, name):
    """Its number; None: there is none."""
    done = s.systemd.inside("cat", f"/sys/class/net/{name}/ifindex", check=False)
    return int(done.stdout) if done.returncode == 0 else None


def host_ports_add(s):
    """What needs the rights that the unit leaves the switch."""
    s.cli("bridge", "add", "br1")
    s.cli("port", "add", "t0", "--bridge", "br1", "--type", "tap", "--address", "10.9.0.1/24")
    s.systemd.inside("ip", "netns", "add", "far")
    s.cli("port", "add", "t1", "--bridge", "br1", "--type", "tap", "--netns", "far", "--ifname", "eth0", "--address",
          "10.9.0.2/24")
    s.cli("port", "add", "n0", "--bridge", "br1", "--type", "nat", "--address", "10.9.1.1/24")
    ping(s)


def ping(s):
    await_true("the host and its name space find each other", lambda: s.systemd.inside(
        "ping", "-c", "1", "-W", "1", "10.9.0.2", check=False).returncode == 0)


def ports_go_on_when_it_is_killed():
    with Service() as s:
        host_ports_add(s)
        tap, nat = interface(s, "t0"), interface(s, "n0")
        assert tap and nat, (tap, nat)
        deaths = Deaths(s)
        deaths.one("packet process killed", lambda pid, keeper: s.kill(pid), same_keeper=True)
        for _ in range(KILLS):
            now = deaths.one("keeper killed", lambda pid, keeper: s.kill(keeper))
            assert "keeper" in now["restarts"]["reason"], now
        assert int(s.show("NRestarts")) == KILLS
        deaths.one("systemctl restart", lambda pid, keeper: s.systemd.ctl("restart", UNIT))
        assert (interface(s, "t0"), interface(s, "n0")) == (tap, nat)
        ping(s)
        stopping_leaves_nothing(s, deaths.load)


def what_was_not_stored_yet_is_not_believed():
    """The keeper is stopped while a port gets its front end, and then killed: the port begins anew."""
    with Service() as s:
        s.cli("bridge", "add", "br0")
        for i in range(4):
            s.cli("port", "add", f"p{i}", "--bridge", "br0", "--type", "vhost-user", "--listen", "--path",
                  s.path(f"{i}.sock"), "--access", str(10 + i // 2))
        keeper, pid = keeper_pid(s), status(s)["pid"]
        s.kill(keeper, "STOP")
        load = Steady(s, n_ports=2, add=False)
        s.kill(keeper)
        s.await_switch(pid)
        assert "not stored yet" in s.log_text(), s.log_text()
        # Its front ends have lost their connections; the next ones find everything as it should be.
        await_true("both were closed", lambda: load.report()["closed"] == 2)
        s.end(load.child)
        load = Steady(s, n_ports=4, add=False)
        load.await_frames(1000)
        load.check(load.report())


def stopping_leaves_nothing(s, load):
    s.systemd.ctl("stop", UNIT)
    now = s.show("ActiveState", "Result", "NFileDescriptorStore")
    assert now == {"ActiveState": "inactive", "Result": "success", "NFileDescriptorStore": "0"}, now
    assert load.report()["closed"] == PORTS
    assert not [f for f in os.listdir(s.dir) if f.endswith(".sock")], os.listdir(s.dir)
    assert (interface(s, "t0"), interface(s, "n0")) == (None, None)
    assert "switch.sock" not in os.listdir(s.run_dir), os.listdir(s.run_dir)


def the_unit_is_understood():
    session.need("systemd-analyze")
    with tempfile.TemporaryDirectory(prefix="lanyard-unit-") as folder:
        path = os.path.join(folder, UNIT)
        with open(path, "w", encoding="utf-8") as f:
            f.write(unit_text())
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path],
                              text=True, capture_output=True, check=False)
    assert done.returncode == 0 and UNIT not in done.stdout + done.stderr, done.stdout + done.stderr


def the_user_is_made():
    session.need("systemd-sysusers")
    conf = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../control/daemon/lanyard.sysusers")
    with tempfile.TemporaryDirectory(prefix="lanyard-users-") as folder:
        os.mkdir(os.path.join(folder, "etc"))
        subprocess.run(["systemd-sysusers", f"--root={folder}", os.path.abspath(conf)], check=True, capture_output=True)
        with open(os.path.join(folder, "etc/passwd"), encoding="utf-8") as f:
            name, _, uid, _, _, home, shell = f.read().strip().split(":")
    assert name == "lanyard" and 0 < int(uid) < 1000 and home == "/" and shell.endswith("nologin"), (name, uid, shell)


own_systemd.need()
session.run(the_unit_is_understood, the_user_is_made, ports_go_on_when_it_is_killed, what_was_not_stored_yet_is_not_believed)
