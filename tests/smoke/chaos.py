#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Chaos: everything goes wrong at once, and nobody gets what is not theirs.

What     Four raw ports in two VLANs on two bridges, two guests and a tap in a third, frames numbered; a nemesis
         with a seed kills, stops, cuts links, changes the configuration, fills the disk, takes the cores. Through all of it
         no frame comes to another VLAN, none is changed, order is kept, the guests find each other again, the
         counters add up, and what is configured is what was acknowledged last.
How      --seconds and --seed; the seed is printed and gives the same attacks again. Frames may be lost where a
         link was cut, with --only other attacks none is; and doubled where the switch was killed: a burst a
         queue at most.
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time

from hostnet import Net, out, private
from numbered import Numbered
from session import Session, await_true, binary

BURST, QUEUES = 32, 8  # frames that may come twice after a kill, of each queue that was being served
NUMBERED = ["n0", "n1", "n2", "n3"]
LINKS = ["n1", "n2", "l0", "t0"]

ATTACKS = ["kill", "stop", "cut", "configure", "kill_in_a_change", "disk_full", "hog"]


class Nemesis:
    def __init__(self, s, seed, attacks):
        self.s = s
        self.attacks = attacks
        self.dice = random.Random(seed)
        self.acknowledged = self.config()
        self.n_made = self.n_kills = self.n_hung_up = 0
        self.done = {}

    def config(self):
        return self.s.json("show", "config")

    def pid(self):
        return self.s.json("status")["daemon"]["pid"]

    def wait(self, most):
        time.sleep(self.dice.random() * most)

    # -- attacks --

    def kill(self):
        """The process that forwards; its keeper puts another in its place."""
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        self.n_kills += 1
        await_true("another process forwards", lambda: self.pid() != pid)

    def stop(self):
        """For less than the watchdog waits, or for more."""
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        self.wait(2.5)
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
        if self.pid() != pid:
            self.n_kills += 1

    def cut(self):
        port = self.dice.choice(LINKS)
        self.n_hung_up += port.startswith("n")
        self.change("port", "down", port)
        self.wait(0.5)
        self.change("port", "up", port)

    def configure(self):
        self.n_made += 1
        name = f"x{self.n_made}"
        self.change("bridge", "add", name, "--ageing", f"{self.dice.randrange(1, 900)}s")
        self.change("port", "add", name, "--bridge", name, "--type", "vhost-user", "--listen", "--path",
                    self.s.path(name + ".s"), "--access", str(self.dice.randrange(100, 200)))
        self.change("port", "set", name, f"access={self.dice.randrange(200, 300)}")
        if self.dice.random() < 0.7:
            self.change("port", "del", name)
            self.change("bridge", "del", name)

    def kill_in_a_change(self):
        """The change is there or it is not."""
        self.n_made += 1
        before = self.acknowledged
        pid = self.pid()
        words = ["bridge", "add", f"k{self.n_made}"]
        change = subprocess.Popen([binary("lanyard"), *words], env=self.s.env,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait(0.02)
        os.kill(pid, signal.SIGKILL)
        self.n_kills += 1
        made = change.wait(60) == 0
        await_true("another process forwards", lambda: self.pid() != pid)
        now = self.config()
        after = json.loads(json.dumps(before))
        after["bridges"][words[2]] = {}
        assert now in ([after] if made else [before, after]), (made, before, now)
        self.acknowledged = now

    def disk_full(self):
        """A change that cannot be saved is refused, and is not there."""
        path = os.path.join(self.s.state_dir, "full")
        with open(path, "wb", buffering=0) as f:  # else closing it would try once more
            try:
                while True:
                    f.write(bytes(65536))
            except OSError:
                pass
        done = self.s.cli("bridge", "add", "unsaved", check=False)
        assert done.returncode and "cannot be saved" in done.stderr, done
        self.expect()
        os.unlink(path)

    def hog(self):
        """More work than there are cores."""
        hogs = [self.s.spawn(sys.executable, "-c", "while True: pass") for _ in range(3)]
        self.wait(1.5)
        for h in hogs:
            self.s.end(h, signal.SIGKILL)

    # -- what was agreed --

    def change(self, *words):
        self.s.cli(*words)
        self.acknowledged = self.config()

    def expect(self):
        now = self.config()
        assert now == self.acknowledged, f"configured is {now}, acknowledged was {self.acknowledged}"

    def attack(self):
        name = self.dice.choice(self.attacks)
        at = time.monotonic()
        getattr(self, name)()
        self.expect()
        self.done[name] = self.done.get(name, 0) + 1
        print(f"   {name}: {time.monotonic() - at:.1f} s")


def network(s):
    for b in ("sw1", "sw2"):
        s.cli("bridge", "add", b)
    s.cli("port", "add", "l0", "--bridge", "sw1", "--type", "link", "--peer-bridge", "sw2", "--trunk", "10,20")
    for name, bridge, vid in (("n0", "sw1", 10), ("n1", "sw2", 10), ("n2", "sw1", 20), ("n3", "sw2", 20)):
        s.cli("port", "add", name, "--bridge", bridge, "--type", "vhost-user", "--listen", "--path",
              s.path(name + ".s"), "--access", str(vid))
    s.cli("port", "add", "t0", "--bridge", "sw1", "--type", "tap", "--address", "10.0.30.1/24", "--access", "30")


def guests(s):
    for i in (1, 2):
        s.cli("vm", "start", f"h{i}", "--memory", "128M", "--nic", "sw1,access=30")
    for i in (1, 2):
        s.cli("vm", "wait", f"h{i}", "--for", "180s")
        s.cli("exec", f"h{i}", "--", "sh", "-c",
              f"ip link set eth0 up && ip address add 10.0.30.1{i}/24 dev eth0")


def pings(s, guest, address):
    return s.cli("exec", guest, "--", "ping", "-c", "1", "-W", "2", address, check=False).returncode == 0


def all_reach_all(s):
    for guest, address in (("h1", "10.0.30.12"), ("h2", "10.0.30.1")):
        await_true(f"{guest} reaches {address}", lambda: pings(s, guest, address), 60)
    await_true("the host reaches h1", lambda: Net().ping("10.0.30.11"), 60)


def drops(s):
    """Of the numbered ports and what they go through: port: reason: frames."""
    counters = {p["name"]: p["counters"] for p in s.json("port", "show") if p["name"][0] in "nl"}
    return {name: {reason: n for way in ("rx_drops", "tx_drops") for reason, n in c[way].items() if n}
            for name, c in counters.items()}


def arguments():
    a = argparse.ArgumentParser()
    a.add_argument("--seconds", type=int, default=60)
    a.add_argument("--only", nargs="+", choices=ATTACKS, default=ATTACKS)
    a.add_argument("--seed", type=int, default=5)
    return a.parse_args()


def main():
    args = arguments()
    private("qemu-system-x86_64", "busybox")
    print(f"seed {args.seed}, {args.seconds} s")
    with Session(daemon=False) as s:
        os.makedirs(s.state_dir)
        out("mount", "-t", "tmpfs", "-o", "size=64M", "none", s.state_dir)
        s.start("--workers", "1")
        network(s)
        guests(s)
        all_reach_all(s)
        attacks = args.only
        if s.json("status")["daemon"]["keeper_pid"] is None:
            attacks = [a for a in attacks if a not in ("kill", "stop", "kill_in_a_change")]
            print("nobody kills the switch: it has no keeper")
        nemesis = Nemesis(s, args.seed, attacks)
        frames = Numbered(s, 2000, *NUMBERED)
        end = time.monotonic() + args.seconds
        while time.monotonic() < end:
            nemesis.attack()
            nemesis.wait(0.5)
            seen = frames.report()
            assert not (seen["crossed"] or seen["spoilt"] or seen["misordered"]), seen
        await_true("all front ends are connected", lambda: frames.report()["ready"])
        was = frames.report()["received"]
        await_true("numbered frames arrive", lambda: frames.report()["received"] > was + 1000)
        all_reach_all(s)
        seen = frames.drain()
        nemesis.expect()
        print(f"{nemesis.done}: {seen}")
        print(f"dropped: {drops(s)}")
        assert not (seen["crossed"] or seen["spoilt"] or seen["misordered"]), seen
        assert seen["reconnects"] <= nemesis.n_hung_up, "a restart closes nobody's socket"
        if "cut" not in attacks:
            assert not seen["lost"], "only a link that is cut loses frames"
        in_bursts = nemesis.n_kills * BURST * QUEUES
        assert seen["doubles"] <= in_bursts, seen
        counted = sum(p["counters"]["rx_frames"] for p in s.json("port", "show") if p["name"] in NUMBERED)
        assert seen["received"] - in_bursts <= counted <= seen["sent"] + in_bursts, \
            f"{counted} frames counted, by all processes that there were: {seen}"
        s.cli("vm", "kill", "h1")
        s.cli("vm", "kill", "h2")


if __name__ == "__main__":
    main()
