#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The process that forwards dies of what it is fed. Of a frame (a build with a planted bug): the port that sends it
is shut out at the second crash, the others forward on without loss, and `port up` lets it in again; a core that is
written meanwhile holds up nobody. Of a state that
is no longer whole: what does not hold together is dropped and said, its ports shake hands again, nobody else does."""
import json
import os
import resource
import shutil
import signal

from redial import Redial
from session import Session, await_true, binary, run
from steady import RATE, Steady


def switch_with_the_bug(s):
    folder = s.path("planted")
    os.mkdir(folder)
    shutil.copy(binary("lanyard-packet-planted"), os.path.join(folder, "lanyard-packet"))
    shutil.copy(binary("lanyard-host"), folder)
    return shutil.copy(binary("lanyard-switch"), folder)


def port_add(s, name, vid):
    s.cli("port", "add", name, "--bridge", "br0", "--type", "vhost-user", "--listen", "--path",
          s.path(name + ".s"), "--access", str(vid))


def hears(front_end):
    return lambda: int(front_end.ask("recv")) > 0


def await_quarantine(s, n):
    """Who asks while it crashes may be cut off."""
    def shut_out():
        done = s.cli("--json", "port", "show", check=False)
        return not done.returncode and next(
            (p for p in json.loads(done.stdout) if p["name"] == "evil" and p["state"] == "errored"), None)

    p = await_true("it is shut out", shut_out)
    assert "crashed twice within 60 s" in p["reason"] and "`lanyard port up evil`" in p["reason"], p
    restarts = s.json("status")["daemon"]["restarts"]
    assert restarts["n"] == n and "Segmentation fault" in restarts["reason"], restarts


def sender_of_a_deadly_frame_is_shut_out():
    with Session(daemon=False) as s:
        s.start("--workers", "1", program=switch_with_the_bug(s))
        load = Steady(s, 4)
        for name in ("evil", "peer"):
            port_add(s, name, 99)
        evil, peer = (Redial(s, name, s.path(name + ".s")) for name in ("evil", "peer"))
        for front_end in (evil, peer):
            assert front_end.up() == 1
        evil.send(1)
        await_true("a frame without magic is forwarded", hears(peer))
        for n in (2, 4):  # it counts from the beginning
            s.await_spare()
            before = load.report()["received"]
            load.gap_us = load.doubles_now = 0
            # One is enough: nobody has taken it off its ring.
            evil.send(1, b"planted")
            await_quarantine(s, n)
            load.await_frames(RATE)
            r = load.report()
            load.check(r)
            print(f"   two crashes: longest gap {load.gap_us / 1000:.1f} ms, {r['received'] - before} frames of others")
            assert {p["name"]: p["state"] for p in s.json("port", "show")} == {
                "evil": "errored", "peer": "up", **{f"p{i}": "up" for i in range(4)}}
            assert evil.ask("alive") == "no" and evil.ask("hangup") == "closed"
            s.cli("port", "up", "evil")
            evil.up()
            s.await_port("evil", "up")
            evil.send(1)
            await_true("it is heard again", hears(peer))


def core_that_is_written_holds_nobody_up():
    limits, home = resource.getrlimit(resource.RLIMIT_CORE), os.getcwd()
    with Session(daemon=False) as s:
        os.chdir(s.dir)  # where core_pattern is a plain name
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        try:
            s.start("--workers", "1", program=switch_with_the_bug(s))
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, limits)
            os.chdir(home)
        load = Steady(s, 4)
        port_add(s, "evil", 99)
        evil = Redial(s, "evil", s.path("evil.s"))
        assert evil.up() == 1

        def crash(how, n):
            s.await_spare()
            pid = s.pid
            load.report()
            load.gap_us = load.doubles_now = 0
            how(pid)

            def another():  # who asks while it crashes may be cut off
                d = json.loads(s.cli("--json", "status", check=False).stdout)["daemon"]
                return d and d["pid"] != pid and d["restarts"]["n"] == n
            await_true("another process forwards", another)
            load.await_frames(RATE // 2)
            load.check(load.report())
            print(f"   longest gap {load.gap_us / 1000:.1f} ms")
            return f"process {pid}, which forwarded, is gone: killed by signal "

        # Its last frame stays on its ring, so that the next one dies of it, too: two, and it is shut out.
        said = crash(lambda pid: evil.send(1, b"planted"), 2)
        assert said + "11 (Segmentation fault); its core is being written" in s.log_text(), s.log_text()[-3000:]
        said = crash(lambda pid: os.kill(pid, signal.SIGQUIT), 3)
        assert said + "3 (Quit); its core is being written" in s.log_text(), s.log_text()[-3000:]


HEADER = 40  # bytes of the state that say what it is: magic, version, sizes


def die(s):
    pid = s.pid
    s.await_spare()
    os.kill(pid, signal.SIGKILL)
    await_true("another process forwards", lambda: s.pid != pid)


def state_memory(s):
    """The keeper's descriptor of what outlives a process."""
    folder = f"/proc/{s.daemon.pid}/fd"
    return next(path for path in (os.path.join(folder, fd) for fd in os.listdir(folder))
                if os.readlink(path).startswith("/memfd:lanyard-arena"))


def spoil(s, what, data):
    """Over the first place where that is; what: bytes, or an offset."""
    with open(state_memory(s), "r+b", buffering=0) as f:
        f.seek(place_of(f, what) if isinstance(what, bytes) else what)
        f.write(data)


def place_of(f, what):
    """Most of the memory has never been touched: holes are not read."""
    at = 0
    while True:
        at = os.lseek(f.fileno(), at, os.SEEK_DATA)
        end = os.lseek(f.fileno(), at, os.SEEK_HOLE)
        found = os.pread(f.fileno(), end - at, at).find(what)
        if found >= 0:
            return at + found
        at = end


def spoilt_state_is_dropped_and_said():
    with Session("--workers", "1") as s:
        s.cli("bridge", "add", "br0")
        ends = {}
        for name in ("one", "two", "three"):
            port_add(s, name, 99)
            ends[name] = Redial(s, name, s.path(name + ".s"))
            assert ends[name].up() == 1
        config = s.json("show", "config")

        def renegotiate(names):
            """Those, and nobody else; then they hear each other."""
            for name, end in ends.items():
                assert (end.ask("alive") == "no") == (name in names), (name, names, s.log_text()[-2000:])
                if name in names:
                    assert end.ask("hangup") == "closed" and end.up()
                s.await_port(name, "up")
            for name, end in ends.items():
                end.ask("recv")
            ends["one"].send(1)
            await_true("they hear each other", hears(ends["two"]))
            await_true("they hear each other", hears(ends["three"]))
            assert s.json("show", "config") == config

        die(s)
        renegotiate([])
        # The name of a slot does not end: that port alone.
        spoil(s, b"two".ljust(32, b"\0"), b"x" * 64)
        die(s)
        assert "dropped" in s.log_text() or "not taken over" in s.log_text(), s.log_text()
        renegotiate(["two"])
        # Nothing of it can be believed.
        spoil(s, 0, os.urandom(HEADER))
        die(s)
        renegotiate(["one", "two", "three"])
        print("   " + "\n   ".join(l for l in s.log_text().splitlines() if l[:4] in ("warn", "err ") and "gone" not in l))


run(sender_of_a_deadly_frame_is_shut_out, core_that_is_written_holds_nobody_up, spoilt_state_is_dropped_and_said)
