# SPDX-License-Identifier: BSD-3-Clause
"""Front ends that never connect twice, and what they say of a switch that dies under them (tests/steady.c)."""
from session import Asked, await_true, binary

BURST = 32
RATE = 10000
PORTS = 8


class Steady(Asked):
    def __init__(self, s, n_ports=PORTS, rate=RATE, add=True):
        if add:
            s.cli("bridge", "add", "br0")
        for i in range(n_ports if add else 0):
            s.cli("port", "add", f"p{i}", "--bridge", "br0", "--type", "vhost-user", "--listen", "--path",
                  s.path(f"{i}.sock"), "--access", str(10 + i // 2))
        self.s = s
        self.gap_us = self.doubles_now = 0  # the most since somebody set them to 0
        super().__init__(s, binary("steady"), str(rate), *(s.path(f"{i}.sock") for i in range(n_ports)))
        self.await_frames(1000)
        self.flooded = self.report()["flooded"]  # before all addresses were known

    def report(self):
        r = self.ask()
        self.gap_us = max(self.gap_us, r["gap_us"])
        self.doubles_now = max(self.doubles_now, r["doubles_now"])
        return r

    def await_frames(self, n):
        before = self.report()["received"]
        await_true(f"{n} more frames", lambda: self.report()["received"] > before + n)

    def check(self, r):
        """What holds after any death."""
        assert not r["closed"], r
        assert not r["lost"] and not r["misordered"], r
        assert r["flooded"] == self.flooded, (r, self.flooded)
        assert self.doubles_now <= BURST, (self.doubles_now, r)


def status(s):
    return s.json("status")["daemon"]
