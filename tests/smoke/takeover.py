#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`lanyard-switch --takeover` by other builds (tests/builds): front ends lose no frame, get none twice and none after
a later one; a build that cannot go on with all of them is refused before anything stops; one that dies half way
gives everything back. Gaps are printed."""
import functools
import os
import shutil
import signal
import socket
import struct
import subprocess

import session
from hostnet import Net, out, private
from session import Session, await_true, binary
from steady import BURST, PORTS, RATE, Steady, status

OWN = os.path.dirname(binary("lanyard-switch"))
NOBODY = "65534"


@functools.cache
def build(name):
    """Its folder, made here: a keeper looks for the packet process beside itself."""
    builds = os.path.abspath(os.path.join(session.BUILD, "tests/builds"))
    folder = os.path.join(builds, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for part in ("switch", "packet"):
        os.link(os.path.join(builds, f"{name}-{part}"), os.path.join(folder, f"lanyard-{part}"))
    return folder


def takeover(s, folder, *before):
    return subprocess.run([*before, os.path.join(folder, "lanyard-switch"), "--takeover", "--run-dir", s.run_dir],
                          capture_output=True, text=True, timeout=60)


def refused(s, folder, *texts, before=()):
    """Nothing has changed; returns the sentence."""
    was = status(s)
    done = takeover(s, folder, *before)
    assert done.returncode == 1 and not done.stdout, done
    for text in texts:
        assert text in done.stderr, (text, done.stderr)
    now = status(s)
    assert [now[k] for k in ("keeper_pid", "version")] == [was[k] for k in ("keeper_pid", "version")], (was, now)
    return was["pid"] == now["pid"]


def program(pid):
    return os.path.dirname(os.readlink(f"/proc/{pid}/exe"))


def features(path):
    """What a vhost-user port offers to a front end that comes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as c:
        c.settimeout(10)
        c.connect(path)
        c.sendall(struct.pack("<III", 1, 1, 0))
        return struct.unpack("<IIIQ", c.recv(20, socket.MSG_WAITALL))[3]


def add_port(s, name):
    s.cli("port", "add", name, "--bridge", "br0", "--type", "vhost-user", "--listen", "--path",
          s.path(f"{name}.sock"))
    return s.path(f"{name}.sock")


def settled(load):
    load.await_frames(RATE * PORTS // 10)
    return load.report()


def nobody_notices_a_takeover():
    # Also not where all that is left to a process is little.
    with Session("--workers", "1") as s:
        load = Steady(s)
        old = add_port(s, "old")
        offered = features(old)
        config, keeper, gaps = s.cli("show", "config").stdout, status(s)["keeper_pid"], []
        for folder, version in ((build("newer"), "0.2.0-newer"), (OWN, None), (build("newer"), "0.2.0-newer")):
            load.report()
            load.gap_us = load.doubles_now = 0
            was = status(s)
            done = takeover(s, folder)
            assert done.returncode == 0 and f"{PORTS} connected front ends" in done.stdout, done
            now = status(s)
            assert version in (None, now["version"]) and now["version"] != was["version"], now
            assert f"{was['version']} -> {now['version']}" in done.stdout, done
            assert now["keeper_pid"] == keeper == s.daemon.pid and now["pid"] != was["pid"], now
            assert program(keeper) == program(now["pid"]) == folder, (program(keeper), program(now["pid"]))
            assert now["restarts"] == {"n": 0} and now["successions"]["n"] == len(gaps) + 1, now
            r = settled(load)
            load.check(r)
            assert not r["doubles"], r
            gaps.append((load.gap_us / 1000, now["successions"]["gap_ms"]))
        print("   ms without a frame, seen by front ends:", " ".join(f"{g[0]:.1f}" for g in gaps),
              "; as it says itself:", " ".join(f"{g[1]:.1f}" for g in gaps))
        # What is there keeps its offer; what is new gets the new one.
        assert features(old) == offered and features(add_port(s, "new")) == offered | 1 << 23
        s.cli("port", "del", "new")
        assert s.cli("show", "config").stdout == config
        await_true("there is another spare", lambda: len(s.pids()) == 3)
        assert all(program(pid) == build("newer") for pid in s.pids()), s.pids()
        # It is watched over as before.
        pid = status(s)["pid"]
        os.kill(pid, signal.SIGKILL)
        await_true("another process forwards", lambda: status(s)["pid"] != pid)
        load.check(settled(load))
        assert status(s)["version"] == "0.2.0-newer" and status(s)["restarts"]["n"] == 1, status(s)


def takeover_that_cannot_be_changes_nothing():
    with Session("--workers", "1") as s:
        load = Steady(s)
        load.report()
        load.gap_us = 0
        assert refused(s, build("lesser"), 'port "p0"', "MRG_RXBUF (bit 15)"), "it was restarted"
        crashing = s.path("crashing")
        os.mkdir(crashing)
        shutil.copy(os.path.join(OWN, "lanyard-switch"), crashing)
        shutil.copy(os.path.join(OWN, "../host/lanyard-host"), crashing)
        with open(os.path.join(crashing, "lanyard-packet"), "w", encoding="ascii") as f:
            f.write("#!/bin/sh\nkill -SEGV $$\n")
        os.chmod(f.name, 0o755)
        assert refused(s, crashing, "signal 11"), "it was restarted"
        os.chmod(s.dir, 0o755)
        if not os.geteuid():
            shutil.copy(os.path.join(OWN, "lanyard-packet"), s.path("lanyard-packet"))
            shutil.copy(os.path.join(OWN, "lanyard-switch"), s.path("lanyard-switch"))
            shutil.copy(os.path.join(OWN, "../host/lanyard-host"), s.path("lanyard-host"))
            assert refused(s, s.dir, "only root and the user", before=(
                "setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups")), "it was restarted"
        r = settled(load)
        load.check(r)
        assert not r["doubles"] and status(s)["successions"] == {"n": 0}, (r, status(s))
        print(f"   refused three times: {load.gap_us / 1000:.1f} ms at most between two frames")


def build_that_dies_half_way_gives_everything_back():
    with Session("--workers", "1") as s:
        load = Steady(s)
        s.await_spare()
        load.report()
        load.gap_us = load.doubles_now = 0
        assert not refused(s, build("doomed"), "died before it was ready", "signal 6"), "nothing was handed over"
        load.check(settled(load))
        print(f"   {load.gap_us / 1000:.1f} ms without a frame")
        assert all(p["state"] == "up" for p in s.json("port", "show")), s.json("port", "show")
        done = takeover(s, build("newer"))
        assert done.returncode == 0, done
        load.check(settled(load))


def uplinks_are_back_after_a_takeover():
    with Session("--workers", "1") as s:
        s.cli("bridge", "add", "br0")
        for i in "12":
            out("ip", "link", "add", f"v{i}", "type", "veth", "peer", "name", f"p{i}", "netns", f"n{i}")
            out("ip", "link", "set", f"v{i}", "up")
            nets[i].ip("link", "set", f"p{i}", "up")
            nets[i].ip("address", "add", f"10.9.0.{i}/24", "dev", f"p{i}")
            s.cli("port", "add", "u" + i, "--bridge", "br0", "--type", "uplink", "--device",
                  f"net_af_packet{i},iface=v{i}")
        s.cli("port", "add", "t1", "--bridge", "br0", "--type", "tap", "--netns", "n1")
        helper = s.helper_pid
        await_true("they reach each other", lambda: nets["1"].ping("10.9.0.2"))
        pings = s.spawn(*nets["1"].argv("ping", "-i", "0.01", "-W", "1", "10.9.0.2"), stdout=subprocess.PIPE,
                        text=True)
        await_true("pings", lambda: pings.stdout.readline())
        done = takeover(s, build("newer"))
        assert done.returncode == 0, done
        await_true("uplinks are up", lambda: all(s.port(f"u{i}")["state"] == "up" for i in "12"))
        await_true("they reach each other again", lambda: nets["1"].ping("10.9.0.2"))
        assert helper and s.helper_pid == helper, (helper, s.helper_pid)
        assert s.port("t1")["state"] == "up", s.port("t1")
        s.cli("port", "add", "t2", "--bridge", "br0", "--type", "tap", "--netns", "n2")
        s.cli("port", "del", "t1")
        assert not nets["1"].link("t1") and nets["2"].link("t2")
        pings.send_signal(signal.SIGINT)
        text = pings.communicate(timeout=10)[0]
        seen = [int(line.split("icmp_seq=")[1].split()[0]) for line in text.splitlines() if "icmp_seq=" in line]
        gap = max(b - a for a, b in zip(seen, seen[1:]))
        print(f"   two uplinks (AF_PACKET): some {10 * gap} ms without an answer to pings")
        assert gap < 500, gap


private("ping", "setpriv")
nets = {i: Net(f"n{i}") for i in "12"}
session.run(nobody_notices_a_takeover, takeover_that_cannot_be_changes_nothing,
            build_that_dies_half_way_gives_everything_back, uplinks_are_back_after_a_takeover)
