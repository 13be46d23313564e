#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Roles on the control socket: a user who may look, one who may operate, one who may nothing."""
import json
import os
import subprocess

import hostnet
from session import Session, binary, need

VIEWER, OPERATOR, STRANGER = 64001, 64002, 64003  # users that need no name


def as_user(s, uid, *words, env=None):
    return subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
                           binary("lanyard"), *words], env=env or s.env, capture_output=True, text=True, timeout=60)


def refused(done, *parts):
    assert done.returncode == 1, done
    for part in parts:
        assert part in done.stderr, (part, done.stderr)


def own_switch_is_started_beside_the_hosts(s):
    """Where root's runs and is not theirs to use."""
    home = s.path("home")
    os.mkdir(home)
    os.chown(home, STRANGER, STRANGER)
    env = {"PATH": os.environ["PATH"], "HOME": home}
    os.symlink(s.run_dir, "/run/lanyard")
    done = as_user(s, STRANGER, "status", env=env)
    assert "/run/lanyard/switch.sock" in done.stderr and "Permission denied; run as root" in done.stderr, done
    # It is refused by the switch that it has started.
    lab = s.write("l.yaml", "name: l\nbridges: {s1: {}}\nports: {x: {bridge: s1, type: tap, ifname: a/b}}\n"
                  "vms: {h1: {nics: [{to: s1}]}}\n")
    done = as_user(s, STRANGER, "up", lab, env=env)
    assert "started, ends with the lab" in done.stdout and "is no interface name" in done.stderr, done
    assert json.loads(as_user(s, STRANGER, "--json", "labs", env=env).stdout) == []


def main():
    hostnet.private("setpriv")
    need("qemu-system-x86_64", "busybox", "qemu-ga")
    with Session(daemon=False) as s:
        os.chmod(s.dir, 0o755)
        s.start("--workers", "1", "--view", str(VIEWER), "--operate", str(OPERATOR))
        s.cli("bridge", "add", "b")
        s.cli("port", "add", "p", "--bridge", "b", "--type", "vhost-user", "--listen", "--path", s.path("p.s"))
        for uid in (VIEWER, OPERATOR):
            for words in (["port", "show"], ["stats"], ["fdb", "show"], ["drops"], ["show", "config"], ["status"]):
                done = as_user(s, uid, *words)
                assert done.returncode == 0, (uid, words, done)
            refused(as_user(s, uid, "port", "del", "p"), "port.del needs admin", "--admin")
            refused(as_user(s, uid, "stop"), "daemon.stop needs admin")
        refused(as_user(s, VIEWER, "port", "down", "p"), f"user {VIEWER} may view here, and port.down needs operate")
        assert as_user(s, OPERATOR, "port", "down", "p").returncode == 0
        assert s.port("p")["state"] == "down"
        refused(as_user(s, STRANGER, "port", "show"), f"user {STRANGER} has no role here")
        refused(as_user(s, VIEWER, "capture", "p", "-w", "-"), "capture.start needs operate")
        s.end(s.daemon)
        s.start("--workers", "1", "--socket-group", str(VIEWER))
        mode = os.stat(os.path.join(s.run_dir, "switch.sock"))
        assert (mode.st_mode & 0o777, mode.st_gid) == (0o660, VIEWER), mode
        assert as_user(s, VIEWER, "bridge", "add", "more").returncode == 0, "the group's members are admins"
        assert as_user(s, STRANGER, "status").returncode, "the file keeps others out"
        s.end(s.daemon)
        s.start("--workers", "1")
        assert os.stat(os.path.join(s.run_dir, "switch.sock")).st_mode & 0o777 == 0o600
        own_switch_is_started_beside_the_hosts(s)


if __name__ == "__main__":
    main()
