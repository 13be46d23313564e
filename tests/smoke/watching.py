#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Watching a switch: events, drops, rates, and `top` in a terminal (tmux's)."""
import json
import os
import signal
import subprocess
import time

import session
from session import Session, await_true, binary, need


def vhost_user(s, *names):
    for name in names:
        s.cli("port", "add", name, "--bridge", "br", "--type", "vhost-user", "--listen",
              "--path", s.path(name))


def load(s, seconds):
    return s.spawn(binary("load"), "--path", s.path("a"), "--path", s.path("b"), "--rate", "50000",
                   "--seconds", str(seconds), stdout=subprocess.DEVNULL)


class Events:
    """`lanyard --json events` in a file of the session."""
    def __init__(self, s, *words):
        self.path = s.path("events")
        self.child = s.spawn(binary("lanyard"), "--json", "events", *words, env=s.env,
                             stdout=open(self.path, "wb"))
        # The first thing told is that it is told: a bridge that comes and goes.
        n = 0
        while not self.seen("bridge.add"):
            s.cli("bridge", "add", f"probe{n}")
            s.cli("bridge", "del", f"probe{n}")
            n += 1

    def all(self):
        with open(self.path) as f:
            whole = f.read().rpartition("\n")[0]  # at once: a line may be half there
        return [json.loads(line) for line in whole.splitlines()]

    def seen(self, kind, **what):
        return [e for e in self.all() if e["kind"] == kind and
                all(e.get(k) == v for k, v in what.items())]


def events_are_told_as_they_happen():
    with Session() as s:
        s.cli("bridge", "add", "br")
        events = Events(s)
        vhost_user(s, "a", "b")
        assert load(s, 1).wait(30) == 0
        for state in ("negotiating", "up", "waiting"):
            await_true(f"port a was {state}", lambda: events.seen("port.state", object="a", new=state))
        assert events.seen("port.add", object="b", bridge="br", type="vhost-user")
        s.write("conf.yaml", "bridges: {br: {}}\n")
        s.cli("apply", s.path("conf.yaml"))
        s.cli("rollback")
        await_true("the rollback is told", lambda: events.seen("config.rollback"))
        assert events.seen("config.apply", changes=2) and events.seen("port.del", object="a")
        now = time.time()
        assert all(now - 60 < e["time"] <= now + 1 and e["object"] for e in events.all())
        # A line for people, --count and --kind.
        people = s.spawn(binary("lanyard"), "events", "--kind", "port.state", "--count", "1",
                         env=s.env, stdout=subprocess.PIPE, text=True)
        while people.poll() is None:
            s.cli("port", "down", "a")
            s.cli("port", "up", "a")
        line = people.stdout.read()
        assert line.count("\n") == 1 and "port.state  a " in line and " -> " in line, line
        done = s.cli("--json", "events", "--for", "0.1s", "--kind", "vm")
        assert done.stdout == "", done


def end_of_the_switch_is_one_object_too():
    with Session() as s:
        s.cli("bridge", "add", "br")
        events = Events(s)
        watch = s.spawn(binary("lanyard"), "--json", "stats", "--watch", env=s.env,
                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert json.loads(watch.stdout.readline())["ports"] == []
        s.cli("stop")
        assert events.child.wait(20) != 0 and watch.wait(20) != 0
        assert "the switch has ended" in events.all()[-1]["error"]["message"], events.all()[-1]
        last = watch.stdout.read().splitlines()[-1]
        assert json.loads(last)["error"]["message"], last
        s.daemon.wait(5)
        s.start()


def reader_that_sleeps_loses_events_and_holds_up_nobody():
    with Session() as s:
        s.cli("bridge", "add", "br")
        events = Events(s)
        events.child.send_signal(signal.SIGSTOP)
        ports = "".join(f"  p{i}: {{type: link, bridge: br, peer-bridge: b2}}\n" for i in range(700))
        for name, text in (("full", "bridges: {br: {}, b2: {}}\nports:\n" + ports),
                           ("empty", "bridges: {br: {}, b2: {}}\n")):
            s.write(name, text)
        for _ in range(2):
            s.cli("apply", s.path("full"))
            s.cli("apply", s.path("empty"))
        events.child.send_signal(signal.SIGCONT)
        await_true("it is told of what it lost", lambda: any(e.get("lost") for e in events.all()))
        print("   lost and told:", sum(e.get("lost", 0) for e in events.all()))


def drops_are_sorted_and_explained():
    with Session() as s:
        s.cli("bridge", "add", "br")
        vhost_user(s, "a", "b")
        assert s.cli("drops").stdout == "no frame was dropped\n"
        assert s.json("drops") == []
        # b is alone in its VLAN: what it sends goes nowhere, and a's is refused.
        s.cli("port", "set", "a", "access=10")
        s.cli("port", "set", "b", "access=20")
        s.spawn(binary("load"), "--path", s.path("a"), "--path", s.path("b"), "--vlan", "10",
                "--seconds", "1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(30)
        rows = s.json("drops")
        assert rows and all(r["count"] > 0 and len(r["advice"]) > 30 for r in rows), rows
        assert [r["count"] for r in rows] == sorted((r["count"] for r in rows), reverse=True), rows
        assert {r["reason"] for r in rows} >= {"vlan_tagged_on_access"}, rows
        assert {r["direction"] for r in rows} <= {"in", "out"}
        port = s.port(rows[0]["port"])["counters"]
        assert port["rx_drops" if rows[0]["direction"] == "in" else "tx_drops"][
            rows[0]["reason"]] == rows[0]["count"]
        assert s.cli("drops", "nobody", check=False).returncode != 0


def stats_are_watched_by_the_second():
    with Session() as s:
        s.cli("bridge", "add", "br")
        vhost_user(s, "a", "b")
        child = load(s, 3)
        s.await_port("b", "up")
        done = s.cli("--json", "stats", "--watch", "--for", "2s")
        rates = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(rates) == 2 and all(0.9 < r["seconds"] < 1.5 for r in rates), rates
        for r in rates:
            a = next(p for p in r["ports"] if p["name"] == "a")
            # 60-byte frames: bits follow from frames.
            assert a["state"] == "up" and abs(a["rx_bits_per_s"] - 480 * a["rx_frames_per_s"]) < 1000, a
            assert a["rx_frames_per_s"] > 1000 and r["workers"][0]["frames_per_s"] > 1000, r
            # Beside the rates, each line has all that `stats` has.
            for what, now in s.json("stats").items():
                assert all(set(now[0]) < set(row) for row in r[what]), (what, r[what], now[0])
            assert set(a["counters"]["rx_drops"]) == set(s.port("a")["counters"]["rx_drops"])
        before, after = (next(p for p in r["ports"] if p["name"] == "a") for r in rates)
        n = after["counters"]["rx_frames"] - before["counters"]["rx_frames"]
        assert abs(n - after["rx_frames_per_s"] * rates[1]["seconds"]) < 2 + n / 500, (before, after)
        assert child.wait(30) == 0


class Terminal:
    def __init__(self, s, width, height, *words):
        self.socket, self.env = s.path("tmux"), s.env
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
                  f"{' '.join(words)}; echo ended with $?; sleep 60")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *words], env=self.env, text=True,
                              capture_output=True, timeout=20, check=True).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p").split("\n")

    def await_text(self, what):
        await_true(f"the screen says {what!r}, not {self.screen()}",
                   lambda: any(what in line for line in self.screen()), 10)

    def first_port(self):
        lines = self.screen()
        heading = next((i for i, line in enumerate(lines) if line.startswith("PORT")), None)
        return lines[heading + 1].split()[:1] if heading is not None else None


def top_shows_sorts_and_resizes():
    need("tmux")
    with Session() as s:
        s.cli("bridge", "add", "br")
        vhost_user(s, "a", "b", "idle")
        t = Terminal(s, 100, 24, binary("lanyard"), "top")
        try:
            child = load(s, 6)
            t.await_text("3 ports, 2 up")
            t.await_text("RX-FR/Sv")
            await_true("busy ports come first", lambda: t.first_port() in (["a"], ["b"]))
            t.tmux("send-keys", "n")
            await_true("sorted by name", lambda: t.first_port() == ["a"])
            t.tmux("send-keys", "r")
            await_true("reversed", lambda: t.first_port() == ["idle"])
            t.tmux("resize-window", "-x", "30", "-y", "6")
            await_true("narrow: only names and states", lambda: t.first_port() == ["idle"] and not
                       any("RX-FR" in line for line in t.screen()))
            t.tmux("resize-window", "-x", "100", "-y", "24")
            t.tmux("send-keys", "/", "b", "Enter")
            await_true("filtered", lambda: t.first_port() == ["b"])
            t.tmux("send-keys", "?")
            t.await_text("reverse the order")
            t.tmux("send-keys", "x", "p")
            t.await_text("paused")
            frozen = t.screen()
            time.sleep(1.3)  # longer than a round: nothing may change
            assert t.screen() == frozen
            t.tmux("send-keys", "q")
            t.await_text("ended with 0")
            child.wait(30)
        finally:
            subprocess.run(["tmux", "-S", t.socket, "kill-server"], capture_output=True)
        done = s.cli("top", check=False)
        assert done.returncode == 2 and "top needs a terminal" in done.stderr, done


session.run(events_are_told_as_they_happen, end_of_the_switch_is_one_object_too,
            reader_that_sleeps_loses_events_and_holds_up_nobody,
            drops_are_sorted_and_explained, stats_are_watched_by_the_second,
            top_shows_sorts_and_resizes)
