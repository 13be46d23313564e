#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What dies, babbles or falls silent beside them does not touch other ports: a pair of bystanders
exchanges numbered frames all the while without loss, and a hundred repetitions later (suite slow: a
thousand) the daemon has the same descriptors and no more memory than before."""
import os
import random
import signal
import socket
import subprocess

import session
from session import Session, await_true, binary, need

N = int(os.environ.get("LANYARD_TEST_REPETITIONS", 100))
KIB = 1 << 10


def open_fds(pid):
    """What the daemon holds open, without the numbers that differ from time to time."""
    fds = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            fds.append(os.readlink(f"/proc/{pid}/fd/{fd}").split(":[")[0])
        except FileNotFoundError:
            pass
    return sorted(fds)


def rss_anon(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon"))


def frontend_raw(path):
    c = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    c.connect(path)
    return c


class Bystanders:
    """A session with ports a and b under numbered traffic, and a victim port v."""

    def __enter__(self):
        self.s = s = Session()
        s.cli("bridge", "add", "br")
        for name, vid in (("a", "10"), ("b", "10"), ("v", "20")):
            s.cli("port", "add", name, "--bridge", "br", "--type", "vhost-user", "--listen",
                  "--path", s.path(name), "--access", vid)
        self.exact = s.spawn(binary("exact"), "--path", s.path("a"), "--path", s.path("b"),
                             "--frames", "1000000000", "--rate", "10000",
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.flows_on()
        return self

    def flows_on(self):
        """Waits until the bystanders have exchanged another thousand frames."""
        def received():
            return self.s.port("a")["counters"]["rx_frames"]

        before = received()
        await_true("bystanders' frames flow", lambda: received() > before + 1000)

    def repeat(self, what, n):
        """Runs what(i) n times; descriptors and memory must be the same before and after."""
        s, pid = self.s, self.s.pid
        for i in range(n // 2):  # the first use of allocators and caches is no leak
            what(i)
        s.await_port("v", "waiting", 30)
        await_true("control clients are gone", lambda: len(open_fds(pid)) <= 80)
        session.n_fds(s)  # waits until none comes or goes
        fds, rss = open_fds(pid), rss_anon(pid)
        for i in range(n):
            what(i)
        s.await_port("v", "waiting", 30)
        await_true(f"the same descriptors are open as before ({fds})",
                   lambda: open_fds(pid) == fds)
        grown = rss_anon(pid) - rss
        print(f"   {n} times: {len(fds)} descriptors before and after, "
              f"RssAnon {grown / 1024:+.0f} KiB")
        # A thousand times a KiB; fewer times cannot be told from what allocators do below some pages.
        assert grown <= max(256, N) * KIB, f"RssAnon grew by {grown} bytes"

    def __exit__(self, kind, value, trace):
        failed = True
        try:
            if kind is None:
                self.flows_on()
                self.exact.send_signal(signal.SIGTERM)
                out = self.exact.communicate(timeout=60)[0]
                print("   bystanders: " + out.strip())
                assert self.exact.returncode == 0
                failed = False
        finally:
            self.s.close(failed=failed)


def control_clients_that_babble_or_never_read():
    noise = random.Random(1)

    with Bystanders() as b:
        def once(i):
            c = frontend_raw(os.path.join(b.s.run_dir, "switch.sock"))
            c.setblocking(False)
            try:
                if i % 3 == 0:
                    c.send(noise.randbytes(4096))
                elif i % 3 == 1:
                    c.send(b'{"jsonrpc":"2.0","id":1,"method":"port.list","params":{}}\n' * 500)
                else:
                    c.send(b"[" * 100000)
            except BlockingIOError:
                pass
            c.close()

        b.repeat(once, N)


def front_ends_that_connect_and_say_nothing():
    with Bystanders() as b:
        def once(i):
            c = frontend_raw(b.s.path("v"))
            if i % 2:
                c.send(bytes([1, 0, 0, 0]))  # a part of a header
            c.close()

        b.repeat(once, N)


def front_ends_killed_in_mid_burst():
    with Bystanders() as b:
        b.s.cli("port", "add", "w", "--bridge", "br", "--type", "vhost-user", "--listen",
                "--path", b.s.path("w"), "--access", "20")

        def once(i):
            load = b.s.spawn(binary("load"), "--path", b.s.path("v"), "--path", b.s.path("w"),
                             "--seconds", "60", stdout=subprocess.DEVNULL)
            await_true("the load runs",
                       lambda: b.s.port("w")["counters"]["rx_frames"] > seen[0] + 100)
            b.s.end(load, signal.SIGKILL)
            b.s.await_port("w", "waiting")
            seen[0] = b.s.port("w")["counters"]["rx_frames"]

        seen = [0]
        b.repeat(once, max(8, N // 50))


def qemu_killed():
    need("qemu-system-x86_64")
    with Bystanders() as b:
        def once(i):
            q = b.s.spawn("qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-S",
                          "-nodefaults", "-no-user-config", "-display", "none", "-m", "32",
                          "-object", "memory-backend-memfd,id=m,size=32M,share=on",
                          "-numa", "node,memdev=m",
                          "-chardev", f"socket,id=c,path={b.s.path('v')}",
                          "-netdev", "vhost-user,id=n,chardev=c,queues=1",
                          "-device", "virtio-net-pci,netdev=n,romfile=,vectors=0",
                          stderr=subprocess.DEVNULL)
            await_true("QEMU is connected", lambda: b.s.port("v")["state"] == "negotiating")
            b.s.end(q, signal.SIGKILL)

        b.repeat(once, N)


session.run(control_clients_that_babble_or_never_read, front_ends_that_connect_and_say_nothing,
            front_ends_killed_in_mid_burst, qemu_killed)
