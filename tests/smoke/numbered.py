# SPDX-License-Identifier: BSD-3-Clause
"""Numbered frames between pairs of raw ports (tests/numbered.c), through whatever befalls the switch."""
from session import Asked, await_true, binary


class Numbered(Asked):
    """Ports by name, two of a pair after each other; they must listen on s.path(NAME + ".s")."""

    def __init__(self, s, rate, *ports):
        super().__init__(s, binary("numbered"), str(rate), *(s.path(p + ".s") for p in ports))
        await_true("all front ends are connected", lambda: self.report()["ready"])
        before = self.report()["received"]
        await_true("numbered frames arrive", lambda: self.report()["received"] > before)

    def report(self):
        return self.ask("report")

    def fresh(self):
        """The longest gap so far is forgotten."""
        return self.ask("fresh")

    def drain(self):
        """Stops sending; what is counted when nothing comes any more."""
        return self.ask("drain")

    def go_on(self):
        return self.ask("go")
