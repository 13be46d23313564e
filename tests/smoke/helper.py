#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The host helper: it has CAP_NET_ADMIN and nothing else, few system calls and no files; its two children have one right
more each, do one thing with it and take nothing else from a helper that was taken over. What it does for whom, and
that it undoes everything."""
import array
import contextlib
import ctypes
import fcntl
import os
import random
import signal
import socket
import struct
import subprocess

from hostnet import Net, out, private
from session import Session, await_true, binary, children, comm, is_over, run

HELLO, NETNS, NETLINK, TUN, TUN_NETNS, LINK, NAT_START, NAT_RENAME, NAT_STOP, SETTLE = range(1, 11)
UP, DOWN, MTU, MAC, ADDRESS_ADD, ADDRESS_DEL, ANNOUNCE, DELETE = range(1, 9)
TUNSETIFF, IFF_TAP, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR = 0x400454ca, 2, 0x100, 0x1000, 0x4000
NET_ADMIN, SYS_ADMIN, NET_RAW, NET_BIND_SERVICE = (1 << bit for bit in (12, 21, 13, 10))
STRANGER = 54321


def dnsmasqs(s):
    text = out("ps", "-o", "pid=,comm=", "--ppid", str(s.dhcp_pid or 1), check=False)
    return [int(line.split()[0]) for line in text.splitlines() if "dnsmasq" in line]


def forwarding():
    with open("/proc/sys/net/ipv4/ip_forward", encoding="ascii") as f:
        return f.read().strip()


def tables():
    return out("nft", "list", "tables").split()[2::3]


class Helper:
    """A lanyard-host of the test's own, and the asking end of its socket."""

    def __init__(self, folder, log=None, before=None, **env):
        self.folder = folder
        self.sock, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        fd = other.fileno()
        self.process = subprocess.Popen([binary("lanyard-host"), folder], stderr=log or subprocess.DEVNULL,
                                        env=dict(os.environ, **env),
                                        stdin=subprocess.DEVNULL, close_fds=False,
                                        preexec_fn=lambda: (os.dup2(fd, 3), os.closerange(4, 1024),
                                                            before and before()))
        other.close()
        self.seq = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.sock.close()
        try:
            assert self.process.wait(10) == 0
        finally:
            self.process.kill()

    def question(self, op, name="", n=0, exists=0, slot=0, address=0, prefix=0, change=(0, 0, b"", "")):
        self.seq += 1
        what, mtu, mac, text = change
        return struct.pack("7I64s64sII6s64s2x", op, self.seq, slot, n, exists, address, prefix, name.encode(),
                           b"port", what, mtu, mac, text.encode())

    def send(self, data, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], rights)

    def answer(self):
        """(result, its sentence, descriptors) of the last question."""
        while True:
            data, rights, _, _ = self.sock.recvmsg(4096, 4096)
            fds = array.array("i")
            for _, _, raw in rights:
                fds.frombytes(raw[:len(raw) - len(raw) % 4])
            op, seq, result = struct.unpack_from("IIi", data)
            if seq == self.seq and op < 11:
                return result, data[20:404].split(b"\0")[0].decode(), list(fds)
            for fd in fds:
                os.close(fd)

    def ask(self, op, *fds, **kw):
        self.send(self.question(op, **kw), fds)
        return self.answer()

    def tap(self, name, exists=0):
        result, text, (ns,) = self.ask(NETNS)
        assert result == 0, text
        result, text, fds = self.ask(TUN, ns, name=name, n=1, exists=exists)
        os.close(ns)
        assert result == 0, text
        return fds[0]

    def n_fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)


def rights_are(pid, bits, passed_on=False):
    """Its user's number, which is not root's."""
    status = status_of(pid)
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[name], 16) == bits, (name, status[name])
    for name in ("CapInh", "CapAmb"):
        assert int(status[name], 16) == (bits if passed_on else 0), (name, status[name])
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    uids = set(status["Uid"].split())
    assert len(uids) == 1 and "0" not in uids and "0" not in status["Gid"].split() and not status["Groups"].strip()
    return uids.pop()


def lab(s):
    s.cli("bridge", "add", "br0")
    s.cli("port", "add", "net", "--bridge", "br0", "--type", "nat")
    s.cli("port", "add", "t1", "--bridge", "br0", "--type", "tap", "--netns", "guest", "--address", "10.9.0.1/24")


def helper_starts_when_needed_with_what_it_needs():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        s.cli("port", "add", "v1", "--bridge", "br0", "--type", "vhost-user", "--path", s.path("v1.sock"), "--listen")
        assert s.helper_pid is None, "nothing needs it"
        s.cli("port", "add", "t1", "--bridge", "br0", "--type", "tap")
        helper = rights_are(s.helper_pid, NET_ADMIN)
        assert status_of(s.pid)["Uid"].split()[0] not in ("0", helper)
        names = {comm(pid): pid for pid in children(s.helper_pid)}
        assert sorted(names) == ["lanyard-dhcp", "lanyard-opener"], names
        assert rights_are(names["lanyard-opener"], NET_ADMIN | SYS_ADMIN) == helper
        assert rights_are(names["lanyard-dhcp"], NET_ADMIN | NET_RAW | NET_BIND_SERVICE, True) != helper


def killed_helper_leaves_ports_up_and_comes_back():
    with Session() as s:
        lab(s)
        fds, first, server = len(os.listdir(f"/proc/{s.pid}/fd")), s.helper_pid, dnsmasqs(s)
        assert len(server) == 1
        os.kill(first, signal.SIGKILL)
        again = await_true("another one", lambda: s.helper_pid not in (None, first) and s.helper_pid, 5)
        await_true("its dnsmasq", lambda: dnsmasqs(s), 5)
        await_true("the old one is gone", lambda: is_over(server[0]), 5)
        await_true("its note", lambda: s.port("net")["reason"] == "", 5)
        assert s.port("net")["state"] == s.port("t1")["state"] == "up"
        assert tables() == ["lanyard-net"] and forwarding() == "1"
        # Whoever needs it next starts it, and asks once more where it died with the question.
        os.kill(again, signal.SIGKILL)
        s.cli("port", "add", "t2", "--bridge", "br0", "--type", "tap", "--mtu", "1400")
        os.kill(s.helper_pid, signal.SIGSTOP)
        stopped = s.helper_pid
        with subprocess.Popen([binary("lanyard"), "port", "add", "t3", "--bridge", "br0",
                               "--type", "tap"], env=s.env) as cli:
            os.kill(stopped, signal.SIGKILL)
            assert cli.wait(20) == 0
        assert Net().link("t2")["mtu"] == 1400 and Net().link("t3")
        for name in ("t2", "t3"):
            s.cli("port", "del", name)
        assert not Net().link("t2") and not Net().link("t3")
        await_true("no descriptor is left", lambda: len(os.listdir(f"/proc/{s.pid}/fd")) == fds, 10)
    assert tables() == [] and forwarding() == "0" and not Net().link("net")


def process_without_rights_has_all_its_ports():
    with Session("--user", "auto", "--socket-dir", "/run/named") as s:
        os.mkdir("/run/named")
        assert int(status_of(s.pid)["CapEff"], 16) == 0 and not status_of(s.pid)["Uid"].startswith("0\t")
        before = s.pid
        lab(s)
        for name, words in (("v1", ["vhost-user", "--path", "/run/named/v1.sock", "--listen"]),
                            ("v2", ["vhost-user", "--path", s.path("v2.sock")]),
                            ("d1", ["dgram", "--path", f"{s.run_dir}/d1", "--peer", f"{s.run_dir}/d2"])):
            s.cli("port", "add", name, "--bridge", "br0", "--type", *words)
        # Where root has sockets of others, it has none.
        for words in (["vhost-user", "--path", "/run/docker.sock"], ["vhost-user", "--path", "/run/x", "--listen"],
                      ["dgram", "--path", f"{s.run_dir}/x", "--peer", "/run/systemd/notify"]):
            done = s.cli("port", "add", "x", "--bridge", "br0", "--type", *words, check=False)
            assert done.returncode == 1 and "--socket-dir" in done.stderr, (words, done)
        s.cli("port", "set", "t1", "mtu=1400")
        guest.ip("link", "set", "t1", "down")
        s.await_port("t1", "errored", 5)
        s.cli("port", "up", "t1")
        assert guest.link("t1")["mtu"] == 1400 and "UP" in guest.link("t1")["flags"]
        s.await_spare()
        os.kill(before, signal.SIGKILL)
        await_true("a successor", lambda: s.pid != before, 20)
        assert os.path.exists("/run/named/v1.sock") and os.path.exists(f"{s.run_dir}/d1")
        for name in ("net", "t1", "v1", "v2", "d1"):
            s.cli("port", "del", name)
        assert not os.path.exists("/run/named/v1.sock") and not os.path.exists(f"{s.run_dir}/d1")
        assert tables() == [] and not guest.link("t1") and "is not allowed" not in s.log_text()


def process_that_dies_keeps_what_is_behind_its_nat_port():
    with Session() as s:
        lab(s)
        helper, server = s.helper_pid, dnsmasqs(s)
        s.await_spare()
        before = s.pid
        os.kill(before, signal.SIGKILL)
        await_true("a successor", lambda: s.pid != before, 20)
        assert s.helper_pid == helper and dnsmasqs(s) == server and tables() == ["lanyard-net"]
        s.cli("port", "del", "net")
        assert dnsmasqs(s) == [] and tables() == [] and forwarding() == "0"


def all_is_undone_when_the_switch_is_killed():
    with Session() as s:
        lab(s)
        helper, server = s.helper_pid, dnsmasqs(s)[0]
        os.kill(s.daemon.pid, signal.SIGSTOP)
        for pid in s.pids():
            os.kill(pid, signal.SIGKILL)
        s.daemon.wait()
        await_true("helper and dnsmasq end", lambda: is_over(helper) and is_over(server), 10)
        assert tables() == [] and forwarding() == "0" and os.path.getsize(f"{s.run_dir}/host") == 0
        assert not Net().link("net") and not guest.link("t1")
        s.start()  # its locks are free, too
        assert s.port("net")["state"] == "up" and tables() == ["lanyard-net"]


def process_without_rights_makes_and_changes_its_tap():
    with Session(daemon=False) as s, Helper(s.dir) as h:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.setgroups([])
                os.setgid(STRANGER)
                os.setuid(STRANGER)
                tap = h.tap("own0")
                for change in ((UP, 0, b"", ""), (MTU, 1400, b"", ""), (ADDRESS_ADD, 0, b"", "10.77.5.1/24")):
                    result, text, _ = h.ask(LINK, tap, change=change)
                    assert result == 0, text
                result, text, _ = h.ask(NAT_START, tap, slot=3, address=0x0a4d0501, prefix=24)
                assert result == 0, text
                link = Net().link("own0")
                assert link["mtu"] == 1400 and "UP" in link["flags"]
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        assert tables() == ["lanyard-own0"] and forwarding() == "1"
        assert not Net().link("own0"), "it went with its descriptor"
    assert tables() == [] and forwarding() == "0", "and the rest with whoever could ask"


def others(h):
    """Descriptors of what is no tap and no network namespace: with each question they are refused."""
    pipe = os.pipe()
    pidfd = os.pidfd_open(os.getpid())
    plain = [os.open(path, os.O_RDONLY) for path in
             ("/dev/null", "/proc/self/ns/mnt", "/proc/self/ns/uts", "/", "/dev/net/tun")]
    return [*pipe, pidfd, *plain, os.dup(h.sock.fileno())]


@contextlib.contextmanager
def taps_of_others():
    """What a descriptor for a name that is to be made would be a queue of: a tap that root has made and nobody uses, with
    one queue and with several, and one that another program has."""
    out("ip", "tuntap", "add", "held0", "mode", "tap", "multi_queue", "vnet_hdr")
    out("ip", "tuntap", "add", "held2", "mode", "tap", "vnet_hdr")
    with open("/dev/net/tun", "r+b", buffering=0) as other:
        fcntl.ioctl(other, TUNSETIFF, struct.pack("16sH22x", b"held1", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE))
        yield "held0", "held1", "held2"
    out("ip", "tuntap", "del", "held0", "mode", "tap", "multi_queue")
    out("ip", "tuntap", "del", "held2", "mode", "tap")


def hostile_questions_change_nothing():
    out("ip", "link", "add", "veth8", "type", "veth", "peer", "name", "veth9")
    before = Net().ip("-json", "link", "show")
    with Session(daemon=False) as s, Helper(s.dir) as h:
        fds = others(h)
        assert h.ask(HELLO)[0] == 0  # it has all that it works with
        at_rest = h.n_fds()
        for op in (NETLINK, TUN, TUN_NETNS, LINK, NAT_START, NAT_RENAME):
            for fd in fds:
                result, text, back = h.ask(op, fd, name="veth8", n=1, prefix=24, change=(DOWN, 0, b"", ""))
                assert result < 0 and not back, (op, fd, result, text)
            assert h.ask(op, name="veth8", n=1)[0] < 0, "none at all"
            assert h.ask(op, fds[0], fds[1])[0] < 0, "two"
        assert h.ask(HELLO, fds[0])[0] < 0, "one too many"
        for name in ("../../proc/1/ns/net", "..", "a/b", "x" * 64):
            result, text, back = h.ask(NETNS, name=name)
            assert result < 0 and not back, name
        _, _, (ns,) = h.ask(NETNS)
        for name in ("veth8", "", "a b", "a/b", "..", "x" * 20, "veth%d"):
            result, text, back = h.ask(TUN, ns, name=name, n=1)
            assert result < 0 and text and not back, name
        for n in (0, 9, 2 ** 31):
            assert h.ask(TUN, ns, name="own0", n=n)[0] < 0
        with taps_of_others() as taken:
            for name in taken:
                for n in (1, 2):
                    result, text, back = h.ask(TUN, ns, name=name, n=n)
                    assert result == -EBUSY and "not made" in text and not back, (name, n, result, text)
            result, _, back = h.ask(TUN, ns, name="held1", n=2, exists=1)
            assert result == -EBUSY and not back, "it is another program's"
        tap = h.tap("own0")
        for change in ((0, 0, b"", ""), (99, 0, b"", ""), (ADDRESS_ADD, 0, b"", "10.0.0.1"),
                       (ADDRESS_ADD, 0, b"", "x" * 64), (MTU, 2 ** 32 - 1, b"", ""), (MAC, 0, b"\1" * 6, "")):
            result, text, _ = h.ask(LINK, tap, change=change)
            assert result < 0 and text, change
        # Under another's name in another namespace it is not that one.
        out("ip", "link", "set", "own0", "netns", "guest")
        guest.ip("link", "set", "own0", "name", "veth8")
        assert h.ask(LINK, tap, change=(MTU, 1300, b"", ""))[0] == 0
        assert guest.link("veth8")["mtu"] == 1300 and Net().link("veth8")["mtu"] == 1500
        result, text, _ = h.ask(NAT_START, tap, slot=1, address=0x0a4d0101, prefix=24)
        assert result < 0 and "another network namespace" in text, text
        for fd in (ns, tap, *fds):
            os.close(fd)
        await_true("nothing is left open", lambda: h.n_fds() == at_rest, 5)
    assert Net().ip("-json", "link", "show") == before and tables() == [] and forwarding() == "0"
    out("ip", "link", "del", "veth8")


def random_questions_change_nothing():
    dice = random.Random(7)
    before = Net().ip("-json", "link", "show")
    with Session(daemon=False) as s, Helper(s.dir) as h:
        tap = h.tap("own0")
        _, _, (ns,) = h.ask(NETNS)
        fds = [ns, tap, *others(h)]
        assert h.ask(HELLO)[0] == 0  # it has all that it works with
        at_rest = h.n_fds()
        h.sock.setblocking(False)
        for _ in range(10000):
            data = bytearray(dice.randbytes(236))
            if dice.random() < 0.8:
                # Not what starts a dnsmasq or deletes the tap: with the right descriptor that is no attack.
                struct.pack_into("I", data, 0, dice.choice((HELLO, NETNS, NETLINK, TUN, TUN_NETNS, LINK, NAT_STOP,
                                                            NAT_RENAME, SETTLE, 11, 12, 13)))
                struct.pack_into("I", data, 156, dice.randrange(12, 2 ** 32))
            size = 236 if dice.random() < 0.8 else dice.randrange(1, 300)
            try:
                h.send(bytes(data)[:size].ljust(size, b"x"), [dice.choice(fds) for _ in range(dice.randrange(3))])
            except BlockingIOError:
                pass
            try:
                while True:
                    _, rights, _, _ = h.sock.recvmsg(4096, 4096)
                    for _, _, raw in rights:
                        for (fd,) in struct.iter_unpack("i", raw):
                            os.close(fd)
            except BlockingIOError:
                pass
        h.sock.settimeout(60)  # all that it was asked comes first
        assert h.ask(HELLO)[0] == 0, "it still answers"
        for fd in fds:
            os.close(fd)
        await_true("nothing is left open", lambda: h.n_fds() <= at_rest, 5)
    assert Net().ip("-json", "link", "show") == before and tables() == []


PIDFD_GETFD = 438
ROUTE, TUN_DEVICE = 1, 2
DHCP_START, DHCP_RENAME, DHCP_STOP, DHCP_TELL = range(1, 5)
EBUSY, EEXIST, EINVAL, EXDEV, ENOENT, EPROTO = 16, 17, 22, 18, 2, 71


class Child:
    """A child of a helper, asked by its own socket as a helper that was taken over could, while the helper is stopped."""

    def __init__(self, helper, name):
        self.helper = helper.process.pid
        self.pid = next(pid for pid in children(self.helper) if comm(pid) == name)
        self.seq = 0

    def __enter__(self):
        os.kill(self.helper, signal.SIGSTOP)
        # The sockets of pairs that it made itself, in the order of its children; 3 is what it is asked on.
        pairs = sorted(fd for fd in map(int, os.listdir(f"/proc/{self.helper}/fd")) if fd > 3 and
                       os.readlink(f"/proc/{self.helper}/fd/{fd}").startswith("socket:"))
        which = ["lanyard-opener", "lanyard-dhcp"].index(comm(self.pid))
        fd = ctypes.CDLL(None).syscall(PIDFD_GETFD, os.pidfd_open(self.helper), pairs[which], 0)
        assert fd >= 0
        self.sock = socket.socket(fileno=fd)
        self.at_rest = self.n_fds()
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                await_true("nothing is left open", lambda: self.n_fds() == self.at_rest, 5)
        finally:
            self.sock.setblocking(True)
            os.kill(self.helper, signal.SIGCONT)
            self.sock.close()

    def n_fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def send(self, data, *fds):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], rights)

    def ask(self, op, *fds, more=b""):
        """(result, descriptors)"""
        self.seq += 1
        self.sock.settimeout(20)
        self.send(struct.pack("II", op, self.seq) + more, *fds)
        while True:
            data, rights, _, _ = self.sock.recvmsg(4096, 4096)
            back = [fd for _, _, raw in rights for (fd,) in struct.iter_unpack("i", raw)]
            head = struct.unpack_from("II", data)
            if head[1] == self.seq:
                return struct.unpack_from("i", data, len(data) - 4 - ERR_BYTES)[0], back
            for fd in back:
                os.close(fd)

    def pester(self, dice, n, sizes, op_max, fds):
        """n questions of all kinds, as fast as it takes them; what it answers is thrown away."""
        self.sock.setblocking(False)
        for _ in range(n):
            data = dice.randbytes(dice.choice(sizes))
            if len(data) > 4:
                data = struct.pack("I", dice.randrange(op_max)) + data[4:]
            with contextlib.suppress(BlockingIOError):
                self.send(data, *(dice.choice(fds) for _ in range(dice.choice((0, 1, 1, 1, 1, 2, 3)))))
            with contextlib.suppress(BlockingIOError):
                while True:
                    for _, _, raw in self.sock.recvmsg(4096, 4096)[1]:
                        for (fd,) in struct.iter_unpack("i", raw):
                            os.close(fd)


ERR_BYTES = 640  # struct err


def opener_opens_two_things_in_namespaces_and_nothing_else():
    dice = random.Random(8)
    with Session(daemon=False) as s, Helper(s.dir) as h:
        with open("/run/netns/guest", "rb") as there, open("/proc/self/ns/net", "rb") as here:
            namespaces = [there.fileno(), here.fileno()]
            assert h.ask(HELLO)[0] == 0
            home = os.readlink("/proc/self/ns/net")
            with Child(h, "lanyard-opener") as c:
                fds = others(h)
                for ns in namespaces:
                    for op in (ROUTE, TUN_DEVICE):
                        result, back = c.ask(op, ns)
                        assert result == 0 and len(back) == 1, (op, result)
                        assert os.readlink(f"/proc/self/fd/{back[0]}").startswith(("socket:", "/dev/net/tun")[op - 1])
                        os.close(back[0])
                    for op in (0, 3, 2 ** 32 - 1):
                        assert c.ask(op, ns) == (-EPROTO, []), op
                    c.send(struct.pack("II", ROUTE, 1) + b"guest", ns)  # too long: not even answered
                for op in (ROUTE, TUN_DEVICE):
                    for fd in fds:
                        assert c.ask(op, fd) == (-EPROTO, []), (op, os.readlink(f"/proc/self/fd/{fd}"))
                    assert c.ask(op) == (-EPROTO, []), "nothing shown"
                c.pester(dice, 100000, (1, 4, 8, 8, 8, 8, 12, 300), 4, namespaces + fds)
                result, back = c.ask(ROUTE, here.fileno())
                assert result == 0 and os.readlink(f"/proc/{c.pid}/ns/net") == home, "it is at home again"
                for fd in back + fds:
                    os.close(fd)
        # Whose socket is lost in between is asked anew, by a helper that goes on.
        assert h.ask(HELLO)[0] == 0


def dhcp_runs_dnsmasq_for_taps_and_nothing_else():
    dice = random.Random(9)
    address = 0x0a4d0501
    with Session(daemon=False) as s, Helper(s.dir) as h:
        tap, away = h.tap("own0"), h.tap("own1")
        out("ip", "link", "set", "own1", "netns", "guest")
        with Child(h, "lanyard-dhcp") as c:
            def start(fd, number, prefix=24, op=DHCP_START):
                return c.ask(op, *([fd] if fd is not None else []), more=struct.pack("III", number, address, prefix))[0]

            fds = others(h)
            assert start(None, 1) == -ENOENT
            for fd in fds:
                assert start(fd, 1) == -EINVAL, os.readlink(f"/proc/self/fd/{fd}")
            assert start(away, 1) == -EXDEV, "of another namespace"
            for prefix in (0, 7, 31, 32, 2 ** 32 - 1):
                assert start(tap, 1, prefix) == -EINVAL, prefix
            assert start(tap, 0) == -EEXIST
            # A name that would be more than one to dnsmasq.
            out("ip", "link", "set", "own0", "name", "a,tag")
            assert start(tap, 1) == -EINVAL
            out("ip", "link", "set", "a,tag", "name", "own0")
            assert start(tap, 5, op=DHCP_RENAME) == start(None, 5, op=DHCP_STOP) == -ENOENT
            assert children(c.pid) == []
            assert start(tap, 7) == 0 and start(tap, 7) == -EEXIST
            (server,) = children(c.pid)
            await_true("it is executed", lambda: comm(server) == "dnsmasq")
            words = await_true("its words are there", lambda: open(f"/proc/{server}/cmdline", encoding="ascii").read())
            words = words.split("\0")
            assert "--interface=own0" in words and "--dhcp-range=10.77.5.2,10.77.5.254,255.255.255.0,12h" in words, words
            assert "--conf-file=/dev/null" in words and status_of(server)["Uid"] == status_of(c.pid)["Uid"]
            # Nothing here starts one: the right tap is not among them.
            c.pester(dice, 20000, (1, 8, 20, 20, 20, 20, 24, 300), 6, [away, *fds])
            assert start(tap, 7) == -EEXIST and children(c.pid) == [server], "it still answers, and runs"
            assert start(None, 7, op=DHCP_STOP) == 0 and children(c.pid) == [] and is_over(server)
            for fd in fds:
                os.close(fd)
        for fd in (tap, away):
            os.close(fd)


def what_is_not_listed_ends_helper_or_opener_and_is_named():
    with Session(daemon=False) as s:
        for who, says, does, call in (("lanyard-host", "host helper", signal.SIGUSR2, "110 (getppid)"),
                                      ("lanyard-host", "host helper", signal.SIGWINCH, "41 (socket)"),
                                      ("lanyard-opener", "host helper's opener", signal.SIGUSR2, "110 (getppid)"),
                                      ("lanyard-opener", "host helper's opener", signal.SIGWINCH, "41 (socket)")):
            with open(s.path(who), "w+b") as log:
                h = Helper(s.dir, log, LD_PRELOAD=binary("violate.so"))
                try:
                    tap = h.tap("own0")
                    pid = next(p for p in [h.process.pid, *children(h.process.pid)] if comm(p) == who)

                    def said(text):
                        with open(s.path(who), encoding="utf-8", errors="replace") as f:
                            return text in f.read()

                    os.kill(pid, signal.SIGURG)
                    await_true("Landlock is in its way", lambda: said("a file is refused"), 5)
                    os.kill(pid, does)
                    await_true("it is named", lambda: said(f"switch: {says}: system call {call} is not allowed"), 5)
                    # The helper by the signal; or because it has lost its opener.
                    assert h.process.wait(10) == (-signal.SIGSYS if pid == h.process.pid else 1)
                    os.close(tap)
                finally:
                    h.process.kill()
                    h.process.wait()
                    h.sock.close()


def helper_that_loses_a_child_is_started_again_with_all_of_them():
    with Session() as s:
        lab(s)
        for name in ("lanyard-opener", "lanyard-dhcp"):
            first = s.helper_pid
            before = {comm(pid): pid for pid in children(first)}
            os.kill(before[name], signal.SIGKILL)
            await_true("another helper", lambda: s.helper_pid not in (None, first), 10)
            await_true("all the old ones are gone", lambda: all(map(is_over, before.values())), 5)
            await_true("its dnsmasq", lambda: dnsmasqs(s), 10)
            await_true("its note", lambda: s.port("net")["reason"] == "", 5)
            assert tables() == ["lanyard-net"] and forwarding() == "1"
            s.cli("port", "set", "t1", "mtu=1400")
        s.cli("port", "del", "net")
        assert tables() == [] and forwarding() == "0"


def forwarding_is_switched_also_when_the_kernel_has_forgotten_the_file():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        s.cli("port", "add", "t1", "--bridge", "br0", "--type", "tap")
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
            f.write("2")
        s.cli("port", "add", "net", "--bridge", "br0", "--type", "nat")
        assert s.port("net")["state"] == "up" and forwarding() == "1", s.port("net")
        s.cli("port", "del", "net")
        assert forwarding() == "0"


def device_of_taps_that_comes_later_is_found():
    out("mount", "-t", "tmpfs", "none", "/dev/net")
    try:
        with Session() as s:
            s.cli("bridge", "add", "br0")
            done = s.cli("port", "add", "t1", "--bridge", "br0", "--type", "tap", check=False)
            assert done.returncode == 1 and "modprobe tun" in done.stderr, done
            out("umount", "/dev/net")
            first = s.helper_pid
            assert first
            done = s.cli("port", "add", "t1", "--bridge", "br0", "--type", "tap", check=False)
            assert done.returncode == 0 or "starts anew" in done.stderr, done
            await_true("the old helper has ended", lambda: is_over(first), 5)
            if done.returncode:
                s.cli("port", "add", "t1", "--bridge", "br0", "--type", "tap")
            assert s.port("t1")["state"] == "up"
    finally:
        out("umount", "/dev/net", check=False)


LD, JEQ, RET = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7fff0000, 0x50000


def filtered(*rows):
    """From now on, by a filter of these instructions: code, where to go if so and if not, value."""
    code = b"".join(struct.pack("HBBI", *row) for row in rows)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    assert ctypes.CDLL(None).prctl(22, 2, program, 0, 0) == 0


def kernel_without_filters():
    """seccomp(2), and what prctl(2) has of it, are there no more: as where the kernel was built without."""
    filtered((LD, 0, 0, 0), (JEQ, 5, 0, 317), (JEQ, 0, 3, 157), (LD, 0, 0, 16), (JEQ, 3, 0, 21), (JEQ, 2, 0, 22),
             (RET, 0, 0, ALLOW), (RET, 0, 0, FAIL | 38), (RET, 0, 0, FAIL | EINVAL))


def kernel_without_other_users():
    """setresuid(2) fails, as where a container has one user."""
    filtered((LD, 0, 0, 0), (JEQ, 0, 1, 117), (RET, 0, 0, FAIL | EINVAL), (RET, 0, 0, ALLOW))


def host_without_filters_of_calls_has_the_rest():
    with Session(daemon=False) as s, open(s.path("log"), "w+b") as log:
        with Helper(s.dir, log, before=kernel_without_filters) as h:
            tap = h.tap("own0")
            result, text, _ = h.ask(NAT_START, tap, slot=3, address=0x0a4d0501, prefix=24)
            assert result == 0, text
            os.close(tap)
        with open(s.path("log"), encoding="utf-8") as f:
            text = f.read()
        for who in ("switch: host helper", "switch: host helper's opener", "switch: host helper's dhcp"):
            assert f"{who}: this kernel has no filter of system calls" in text, (who, text)


def container_without_other_users_runs_no_server_as_root():
    with Session(daemon=False) as s, open(s.path("log"), "w+b") as log:
        with Helper(s.dir, log, before=kernel_without_other_users) as h:
            tap = h.tap("own0")
            result, text, _ = h.ask(NAT_START, tap, slot=3, address=0x0a4d0501, prefix=24)
            assert result == 0, text

            def said():
                with open(s.path("log"), encoding="utf-8") as f:
                    return 'dnsmasq on "own0": there is no other user here for it to become' in f.read()

            await_true("the reason", said, 5)
            os.close(tap)


private("nft", "dnsmasq", "ps")
guest = Net("guest")
out("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
run(helper_starts_when_needed_with_what_it_needs, killed_helper_leaves_ports_up_and_comes_back,
    process_without_rights_has_all_its_ports,
    process_that_dies_keeps_what_is_behind_its_nat_port, all_is_undone_when_the_switch_is_killed,
    process_without_rights_makes_and_changes_its_tap, hostile_questions_change_nothing,
    random_questions_change_nothing, opener_opens_two_things_in_namespaces_and_nothing_else,
    dhcp_runs_dnsmasq_for_taps_and_nothing_else, what_is_not_listed_ends_helper_or_opener_and_is_named,
    helper_that_loses_a_child_is_started_again_with_all_of_them,
    forwarding_is_switched_also_when_the_kernel_has_forgotten_the_file, device_of_taps_that_comes_later_is_found,
    host_without_filters_of_calls_has_the_rest, container_without_other_users_runs_no_server_as_root)
