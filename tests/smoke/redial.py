# SPDX-License-Identifier: BSD-3-Clause
"""A front end that connects again whenever its socket is closed (tests/redial.c)."""
import subprocess

from session import binary


class Redial:
    def __init__(self, s, port, path, serve=False):
        self.port = port
        self.child = s.spawn(binary("redial"), "serve" if serve else "connect", path, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def say(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def answer(self):
        line = self.child.stdout.readline().strip()
        assert line, f"port {self.port}: {self.child.stderr.read()}"
        return line

    def ask(self, line):
        self.say(line)
        return self.answer()

    def up(self):
        """Returns how often it had to shake hands."""
        return int(self.ask("up").split()[1])

    def send(self, src, payload=b""):
        frame = b"\xff" * 6 + b"\2\0\0\0\xee" + bytes([src]) + b"\x88\xb5" + payload
        return self.ask("send " + frame.ljust(60, b"\0").hex())
