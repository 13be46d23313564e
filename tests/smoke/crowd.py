# SPDX-License-Identifier: BSD-3-Clause
"""Many quiet front ends on one bridge (tests/crowd.c), and what the daemon takes meanwhile."""
import os
import subprocess

from session import binary


class Crowd:
    def __init__(self, s, n_ports):
        self.s = s
        s.cli("bridge", "add", "crowd")
        for i in range(n_ports):
            s.cli("port", "add", f"c{i}", "--bridge", "crowd", "--type", "vhost-user", "--listen",
                  "--path", s.path(f"{i}.sock"))
        self.child = s.spawn(binary("crowd"), s.dir, str(n_ports), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        self.attach_s = self.answer()[0]

    def answer(self):
        line = self.child.stdout.readline()
        assert line, f"the crowd ended: {self.child.wait()}"
        return [float(word) for word in line.split()]

    def tell(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.child.stdin.flush()

    def ask(self, *words):
        self.tell(*words)
        return self.answer()


def cpu_seconds(pid):
    """Of all threads, to the nanosecond: ticks would round what an idle daemon uses to nothing."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def memory_kb(pid):
    """What the process holds by kind: {"RssAnon": …, "RssShmem": …}."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return {key: int(value.split()[0]) for key, value in
                (line.split(":", 1) for line in f) if key.startswith(("Rss", "VmRSS", "Huge"))}
