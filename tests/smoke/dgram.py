#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Datagram ports, against sockets of Python's: frames, padding, peers that come and go, strangers."""
import os
import shutil
import socket
import stat
import subprocess
import time

from hostnet import private
from session import Session, await_true, run

A, B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
SO_SNDBUFFORCE = 32
EVERYBODY = b"\xff" * 6


def frame(dst, src, payload=b"hello"):
    return dst + src + b"\x88\xb5" + payload


class Peer:
    """The other end of port `name`, as QEMU is it: bound, not connected."""

    def __init__(self, s, name):
        self.path, self.port = s.path(name + ".peer"), s.path(name + ".sock")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(5)

    def send(self, data):
        self.socket.sendto(data, self.port)

    def recv(self):
        return self.socket.recv(70000)

    def close(self):
        self.socket.close()


def add(s, name, check=True):
    return s.cli("port", "add", name, "--bridge", "br0", "--type", "dgram", "--path",
                 s.path(name + ".sock"), "--peer", s.path(name + ".peer"), check=check)


def pair(s):
    s.cli("bridge", "add", "br0")
    peers = [Peer(s, name) for name in ("p0", "p1")]
    for name in ("p0", "p1"):
        add(s, name)
        s.await_port(name, "up")
    return peers


def drops(s, name, way):
    return {k: v for k, v in s.port(name)["counters"][way].items() if v}


def frames_pass_and_short_ones_are_padded():
    with Session() as s:
        p0, p1 = pair(s)
        p0.send(frame(EVERYBODY, A))
        assert p1.recv() == frame(EVERYBODY, A).ljust(60, b"\0")
        long = frame(A, B, os.urandom(9000))
        p1.send(long)
        assert p0.recv() == long
        for bad in (b"", b"\x02", os.urandom(66000)):
            p0.send(bad)
        await_true("what is no frame is counted",
                   lambda: drops(s, "p0", "rx_drops") == {"too_short": 2, "too_long": 1}, 5)
        info = s.port("p0")
        assert info["peer"] == s.path("p0.peer") and info["path"] == s.path("p0.sock")
        mode = os.stat(info["path"]).st_mode
        assert stat.S_IMODE(mode) == 0o660, oct(mode)
        assert "peer: " in s.cli("show", "config").stdout
        s.cli("port", "del", "p0")
        assert not os.path.exists(s.path("p0.sock"))


def peer_that_goes_is_missed_and_the_next_is_found():
    with Session() as s:
        p0, p1 = pair(s)
        p1.close()
        s.await_port("p1", "connecting", 3)
        assert "nobody is there" in s.port("p1")["reason"]
        os.unlink(s.path("p1.peer"))
        with open(s.path("p1.peer"), "w", encoding="ascii"):
            pass
        await_true("a file is told from a socket", lambda: "it is no socket" in s.port("p1")["reason"], 3)
        os.unlink(s.path("p1.peer"))
        p1 = Peer(s, "p1")
        s.await_port("p1", "up", 3)
        p0.send(frame(EVERYBODY, A))
        assert p1.recv().startswith(frame(EVERYBODY, A))
        # Another one in its place while the switch has nothing to send.
        old, p1 = p1, Peer(s, "p1")
        await_true("the new socket is the peer", lambda: try_send(p1, frame(EVERYBODY, B)), 3)
        assert p0.recv().startswith(frame(EVERYBODY, B))
        old.close()
        s.cli("port", "down", "p1")
        assert s.port("p1")["state"] == "down"
        s.cli("port", "up", "p1")
        s.await_port("p1", "up", 3)


def try_send(peer, data):
    try:
        peer.send(data)
        return True
    except PermissionError:
        return False


def refusal_is_counted_and_takes_the_port_down():
    with Session() as s:
        p0, p1 = pair(s)
        p1.send(frame(EVERYBODY, B))
        p0.recv()
        p1.close()
        p0.send(frame(B, A))
        s.await_port("p1", "connecting", 3)
        c = s.port("p1")["counters"]
        assert c["tx_frames"] == 0, c
        assert c["tx_drops"]["host_refused"] + c["tx_drops"]["not_up"] == 1, c


def peer_that_refuses_each_frame_is_tried_less_and_less():
    """It is there, but has shut down its reading: EPIPE for every frame."""
    with Session() as s:
        p0, p1 = pair(s)
        p1.send(frame(EVERYBODY, B))
        p0.recv()
        p1.socket.shutdown(socket.SHUT_RD)
        for i in range(2000):
            p0.send(frame(B, A))
            time.sleep(0.0005)
        reasons = set()
        await_true("its errno is told", lambda: p0.send(frame(B, A)) or reasons.add(
            s.port("p1")["reason"]) or any("Broken pipe" in r for r in reasons), 5)
        c = s.port("p1")["counters"]
        print("  ", c["tx_drops"])
        # Down for most of the time, so that it costs nothing.
        assert c["tx_frames"] == 0 and c["tx_drops"]["not_up"] > 5 * c["tx_drops"]["host_refused"], c


def old_datagrams_are_thrown_away_within_a_bound():
    if os.geteuid():
        print("not tried: only root can make a network namespace")
        return
    with Session() as s:
        s.cli("bridge", "add", "br0")
        p0 = Peer(s, "p0")
        add(s, "p0")
        qlen_was = queue_len_set("6000")
        add(s, "p1")
        queue_len_set(qlen_was)
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stranger.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20)
        for i in range(4096 + 10):
            stranger.sendto(frame(EVERYBODY, B), s.path("p1.sock"))
        p1 = Peer(s, "p1")
        s.await_port("p1", "up")
        p1.send(frame(EVERYBODY, A))
        # A queue longer than any system has by itself; a peer that never stops would look the same.
        for _ in range(11):
            p0.recv()
        assert s.port("p1")["counters"]["rx_frames"] == 11


def queue_len_set(value):
    with open("/proc/sys/net/unix/max_dgram_qlen", "r+", encoding="ascii") as f:
        was = f.read()
        f.seek(0)
        f.write(value)
    return was


def peer_that_never_reads_blocks_nobody_else():
    with Session() as s:
        p0, p1 = pair(s)
        Peer(s, "p2")
        p3 = Peer(s, "p3")
        for name in ("p2", "p3"):
            add(s, name)
        s.await_port("p3", "up")
        for i in range(4000):
            p0.send(frame(EVERYBODY, A, i.to_bytes(4, "big") + bytes(1000)))
            assert p3.recv()[14:18] == i.to_bytes(4, "big")
        full = drops(s, "p1", "tx_drops")
        assert full.get("rx_ring_full", 0) > 1000, full
        # What waited in its queue comes once it reads.
        for i in range(200):
            assert p1.recv()[14:18] == i.to_bytes(4, "big")


def strangers_do_not_get_in():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        p0 = Peer(s, "p0")
        add(s, "p0")
        add(s, "p1")
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stranger.sendto(frame(EVERYBODY, B), s.path("p1.sock"))
        p1 = Peer(s, "p1")
        s.await_port("p1", "up")
        assert not try_send_from(stranger, s.path("p1.sock"))
        p1.send(frame(EVERYBODY, A))
        assert p0.recv().startswith(frame(EVERYBODY, A))
        assert s.port("p1")["counters"]["rx_frames"] == 1


def try_send_from(sock, path):
    try:
        sock.sendto(frame(EVERYBODY, B), path)
        return True
    except PermissionError:
        return False


def bad_paths_are_refused_in_sentences():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        served = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        served.bind(s.path("served"))
        for words, text in (
                (["--path", s.path("a")], "needs a path, its socket, and a peer"),
                (["--path", s.path("a"), "--peer", s.path("a")], "path and peer are the same"),
                (["--path", s.path("x" * 120), "--peer", s.path("b")], "use a shorter --path"),
                (["--path", s.path("run/none/a"), "--peer", s.path("b")], "cannot bind"),
                (["--path", s.path("switch.log"), "--peer", s.path("b")], "exists and is no socket"),
                (["--path", s.path("run/switch.sock"), "--peer", s.path("b")], "is controlled"),
                (["--path", s.path("served"), "--peer", s.path("b")], "already serves")):
            done = s.cli("port", "add", "p", "--bridge", "br0", "--type", "dgram", *words,
                         check=False)
            assert done.returncode in (1, 2) and text in done.stderr, (words, done)
        assert s.json("port", "show") == []
        assert os.path.exists(s.path("run/switch.sock")) and os.path.exists(s.path("served"))


def qemu_gets_through_with_an_e1000():
    """iPXE on an emulated card asks for an address: QEMU's own frames."""
    if not shutil.which("qemu-system-x86_64"):
        print("not tried: qemu-system-x86 is not installed")
        return
    with Session() as s:
        s.cli("bridge", "add", "br0")
        p0 = Peer(s, "p0")
        add(s, "p0")
        add(s, "vm")
        s.spawn("qemu-system-x86_64", "-accel", "tcg", "-m", "32", "-display", "none",
                "-nodefaults", "-boot", "n", "-netdev",
                f"dgram,id=n,local.type=unix,local.path={s.path('vm.peer')},"
                f"remote.type=unix,remote.path={s.path('vm.sock')}",
                "-device", "e1000,netdev=n,mac=02:00:00:00:00:77", stdout=subprocess.DEVNULL)
        s.await_port("vm", "up")
        p0.socket.settimeout(30)
        got = p0.recv()
        assert got[:12] == EVERYBODY + bytes.fromhex("020000000077"), got[:14]


if not os.geteuid():
    private()  # for a setting of the kernel's that is a namespace's own
run(frames_pass_and_short_ones_are_padded, peer_that_goes_is_missed_and_the_next_is_found,
    refusal_is_counted_and_takes_the_port_down, peer_that_refuses_each_frame_is_tried_less_and_less,
    old_datagrams_are_thrown_away_within_a_bound, peer_that_never_reads_blocks_nobody_else,
    strangers_do_not_get_in, bad_paths_are_refused_in_sentences, qemu_gets_through_with_an_e1000)
